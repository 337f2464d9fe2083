"""One operator of a program, bound to the slots in which its values are stored while the program is evaluated."""

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
    """One operator: its function with all constants bound, and the slots of its other arguments and its results.

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
    results = tuple(values[slot] for slot, _ in step.results)
    return results[0] if len(results) == 1 else results


def step_of(operation: Any, slots: dict[int, int], constants: dict[int, Value]) -> Step:
    """Bind an operation: constants in `constants` or of the program as Python values, the others by their slots.

    Raises:
        SamesightError: the operation has an input that the operator's function does not take.
    """
    operator = OPERATORS[operation.op_type]
    bound: dict[str, Any] = {}
    arguments: list[tuple[str, int | tuple[int, ...], Callable[[Any], Any] | None]] = []
    for name, operand in operation.inputs.items():
        if operand is None:
            continue
        if name not in operator.parameters:
            raise SamesightError(
                f"operator {operation.name!r} ({operation.op_type}) has an input {name!r} that the evaluator "
                "does not know; add it to the function in conversion/coreml/operators"
            )
        variables = operand if isinstance(operand, (tuple, list)) else (operand,)
        constant_values = [_constant_value(variable, slots, constants) for variable in variables]
        conversion = operator.parameters[name]
        if all(value is not None for value in constant_values):
            value = constant_values if isinstance(operand, (tuple, list)) else constant_values[0]
            bound[name] = conversion(value) if conversion else value
        elif isinstance(operand, (tuple, list)):
            operand_slots = tuple(constant_or_slot(variable, slots, constants) for variable in variables)
            arguments.append((name, operand_slots, conversion))
        else:
            arguments.append((name, slot_of(slots, operand), conversion))
    results = tuple((slot_of(slots, variable), declared_of(variable)) for variable in operation.outputs)
    return Step(
        operation.op_type,
        partial(operator.compute, **bound),
        _is_exact(operator, operation),
        tuple(arguments),
        results,
        (),
    )


def _is_exact(operator: Operator, operation: Any) -> bool:
    """No rounding: the values come from inputs of the same dtype."""
    dtypes = {_dtype(variable) for variable in operation.outputs}
    return operator.exact and (dtypes.isdisjoint({"fp16"}) or "fp32" not in _input_dtypes(operation))


def _input_dtypes(operation: Any) -> set[str]:
    operands = [operand for operand in operation.inputs.values() if operand is not None]
    return {
        _dtype(item) for operand in operands for item in (operand if isinstance(operand, (tuple, list)) else (operand,))
    }


def advance(step: Step, values: list[Value], path: Path, release: bool = True) -> None:
    """Compute a step: store its results into `values` in their dtypes, and free the values that no later step reads.

    Raises:
        SamesightError: a variant that is not evaluated, inputs that do not fit, or a result in an undeclared shape.
    """
    arguments = {}
    for name, slots, conversion in step.arguments:
        value = [values[slot] for slot in slots] if isinstance(slots, tuple) else values[slots]
        arguments[name] = conversion(value) if conversion else value
    try:
        results = step.call(**arguments)
    except NotImplementedError as error:
        raise SamesightError(
            f"{path}: {step.results[0][1].name} ({step.kind}): the evaluator has no {error}; run the package on a Mac"
        ) from None
    except (RuntimeError, IndexError, ValueError) as error:  # torch's errors for shapes that do not fit each other
        raise SamesightError(
            f"{path}: {step.results[0][1].name} ({step.kind}) cannot be computed ({first_line(error)}); "
            "give inputs in a shape that the model takes"
        ) from None
    if isinstance(results, Tensor):
        results = (results,)
    for (slot, declared), value in zip(step.results, results, strict=True):
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


def slots_of(step: Step) -> set[int]:
    """The slots that a step reads; in a list of values some may be constants."""
    return {slot for _, slots, _ in step.arguments for slot in (slots if isinstance(slots, tuple) else (slots,))}


def with_releases(steps: Sequence[Step], retained: set[int]) -> list[Step]:
    """Each step with the slots that no later step reads, but for those in `retained`."""
    needed_later = set(retained)
    reversed_steps = []
    for step in reversed(steps):
        free = (slots_of(step) | {slot for slot, _ in step.results}) - needed_later
        needed_later |= free
        reversed_steps.append(dataclasses.replace(step, released=tuple(sorted(free))))
    return reversed_steps[::-1]


def slot_of(slots: dict[int, int], variable: Any) -> int:
    """The slot of a variable's value; a variable without one gets the next free slot."""
    return slots.setdefault(id(variable), len(slots))


def _constant_value(variable: Any, slots: dict[int, int], constants: dict[int, Value]) -> Value:
    """The value of a variable that is constant or computed from constants; None if it depends on the inputs."""
    if variable.op is not None and variable.op.op_type == "const":
        return from_constant(variable.val, _dtype(variable))
    return constants.get(slots.get(id(variable), -1))


def constant_or_slot(variable: Any, slots: dict[int, int], constants: dict[int, Value]) -> int:
    """The slot of a variable's value; a constant value is added to `constants`."""
    value = _constant_value(variable, slots, constants)
    slot = slot_of(slots, variable)
    if value is not None:
        constants[slot] = value
    return slot


def _dtype(variable: Any) -> str:
    from coremltools.converters.mil.mil import types

    if types.is_list(variable.sym_type) or types.is_str(variable.sym_type) or types.is_dict(variable.sym_type):
        return "str"
    return str(types.builtin_to_string(variable.dtype))


def declared_of(variable: Any) -> Declared:
    """Name, dtype and shape of a variable as the program declares them."""
    lengths = tuple(variable.shape)
    fixed = all(isinstance(length, (int, np.integer)) for length in lengths)
    return Declared(variable.name, _dtype(variable), tuple(int(length) for length in lengths) if fixed else None)
