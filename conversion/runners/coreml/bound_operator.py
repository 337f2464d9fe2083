"""One operator of a program, bound to the places where its values are kept while the program is walked."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from samesight.contract.errors import SamesightError, first_line
from samesight.conversion.runners.coreml.dtypes import Value, from_constant, store, stored_dtype
from samesight.conversion.runners.coreml.operators.table import OPERATORS, Operator


@dataclass(frozen=True)
class Declared:
    """A value that the program declares: its name, MIL dtype, and shape (None where it is not fixed)."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Step:
    """One operator: its function with all constants bound, and where its other arguments and results are kept.

    `arguments` has the parameter, the slot (several for a list of tensors) and the conversion of each.
    """

    kind: str
    call: Callable[..., Any]
    exact: bool
    arguments: tuple[tuple[str, int | tuple[int, ...], Callable[[Any], Any] | None], ...]
    results: tuple[tuple[int, Declared], ...]
    released: tuple[int, ...]


def evaluate_operation(operation: Any) -> Value:
    """One MIL operation whose inputs are all constant: its value, or a tuple of values."""
    slots: dict[int, int] = {}
    step = step_of(operation, slots, {})
    values: list[Value] = [None] * len(slots)
    with torch.no_grad():
        advance(step, values, Path(operation.name))
    made = tuple(values[slot] for slot, _ in step.results)
    return made[0] if len(made) == 1 else made


def step_of(operation: Any, slots: dict[int, int], constants: dict[int, Value]) -> Step:
    """Bind an operation: constants in `constants` or of the program as Python values, the others by their slots.

    Raises:
        SamesightError: the operation has an input that the operator's function does not take.
    """
    row = OPERATORS[operation.op_type]
    bound: dict[str, Any] = {}
    arguments: list[tuple[str, int | tuple[int, ...], Callable[[Any], Any] | None]] = []
    for name, given in operation.inputs.items():
        if given is None:
            continue
        if name not in row.parameters:
            raise SamesightError(
                f"operator {operation.name!r} ({operation.op_type}) has an input {name!r} that the evaluator "
                "does not know; add it to the function in conversion/coreml/operators"
            )
        variables = given if isinstance(given, (tuple, list)) else (given,)
        known = [_known(variable, slots, constants) for variable in variables]
        conversion = row.parameters[name]
        if all(value is not None for value in known):
            value = known if isinstance(given, (tuple, list)) else known[0]
            bound[name] = conversion(value) if conversion else value
        elif isinstance(given, (tuple, list)):
            places = tuple(constant_or_slot(variable, slots, constants) for variable in variables)
            arguments.append((name, places, conversion))
        else:
            arguments.append((name, slot_of(slots, given), conversion))
    results = tuple((slot_of(slots, variable), declared_of(variable)) for variable in operation.outputs)
    return Step(
        operation.op_type, partial(row.compute, **bound), _is_exact(row, operation), tuple(arguments), results, ()
    )


def _is_exact(row: Operator, operation: Any) -> bool:
    """No rounding: the values come from inputs of the same dtype."""
    kinds = {_dtype(variable) for variable in operation.outputs}
    return row.exact and (kinds.isdisjoint({"fp16"}) or "fp32" not in _input_kinds(operation))


def _input_kinds(operation: Any) -> set[str]:
    given = [each for each in operation.inputs.values() if each is not None]
    return {_dtype(item) for each in given for item in (each if isinstance(each, (tuple, list)) else (each,))}


def advance(step: Step, values: list[Value], path: Path, release: bool = True) -> None:
    """Compute a step: its results are stored into `values` in their dtypes, and what nobody reads any more is freed.

    Raises:
        SamesightError: a variant that is not evaluated, inputs that do not fit, or a result in an undeclared shape.
    """
    arguments = {}
    for name, place, conversion in step.arguments:
        value = [values[slot] for slot in place] if isinstance(place, tuple) else values[place]
        arguments[name] = conversion(value) if conversion else value
    try:
        made = step.call(**arguments)
    except NotImplementedError as error:
        raise SamesightError(
            f"{path}: {step.results[0][1].name} ({step.kind}): the evaluator has no {error}; run the package on a Mac"
        ) from None
    except (RuntimeError, IndexError, ValueError) as error:  # torch's words for shapes that do not fit each other
        raise SamesightError(
            f"{path}: {step.results[0][1].name} ({step.kind}) cannot be computed ({first_line(error)}); "
            "give inputs in a shape that the model takes"
        ) from None
    if isinstance(made, Tensor):
        made = (made,)
    for (slot, declared), value in zip(step.results, made, strict=True):
        value = value.to(stored_dtype(declared.dtype)) if step.exact else store(value, declared.dtype)
        if declared.shape is not None and tuple(value.shape) != declared.shape:
            raise SamesightError(
                f"{path}: {declared.name} ({step.kind}) has the shape {list(value.shape)} where the program declares "
                f"{list(declared.shape)}; a fault of the evaluator or of a damaged file: report it"
            )
        values[slot] = value
    if release:
        for slot in step.released:
            values[slot] = None


def with_releases(steps: Sequence[Step], kept: set[int]) -> list[Step]:
    """Each step with the slots that nobody reads after it."""
    seen = set(kept)
    turned = []
    for step in reversed(steps):
        read = {slot for _, place, _ in step.arguments for slot in (place if isinstance(place, tuple) else (place,))}
        free = (read | {slot for slot, _ in step.results}) - seen
        seen |= free
        turned.append(dataclasses.replace(step, released=tuple(sorted(free))))
    return turned[::-1]


def slot_of(slots: dict[int, int], variable: Any) -> int:
    """The place of a variable's value: the next free one when it is first asked for."""
    return slots.setdefault(id(variable), len(slots))


def _known(variable: Any, slots: dict[int, int], constants: dict[int, Value]) -> Value:
    """The value of a constant, or of what was computed from constants; None if it depends on the inputs."""
    if variable.op is not None and variable.op.op_type == "const":
        return from_constant(variable.val, _dtype(variable))
    return constants.get(slots.get(id(variable), -1))


def constant_or_slot(variable: Any, slots: dict[int, int], constants: dict[int, Value]) -> int:
    """The place of a variable's value; what is known of it now is put among the constants."""
    known = _known(variable, slots, constants)
    slot = slot_of(slots, variable)
    if known is not None:
        constants[slot] = known
    return slot


def _dtype(variable: Any) -> str:
    from coremltools.converters.mil.mil import types

    if types.is_list(variable.sym_type) or types.is_str(variable.sym_type) or types.is_dict(variable.sym_type):
        return "str"
    return str(types.builtin_to_string(variable.dtype))


def declared_of(variable: Any) -> Declared:
    """What the program says about a variable."""
    lengths = tuple(variable.shape)
    fixed = all(isinstance(length, (int, np.integer)) for length in lengths)
    return Declared(variable.name, _dtype(variable), tuple(int(length) for length in lengths) if fixed else None)
