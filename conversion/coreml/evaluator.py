"""The evaluator: a saved ML program, walked operator by operator with torch in float32.

Every value is rounded to the dtype that the program declares for it, so that half precision overflows and loses digits
here as it does where values are stored in half precision. Constants, compressed weights included, are evaluated once
when the package is loaded; a value is freed after its last use.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from contract.errors import SamesightError
from conversion.coreml.images import ImageInput, image_input, planes_of
from conversion.coreml.operators.table import OPERATORS, STRUCTURE, Operator
from conversion.coreml.program import Package, load_function, read_package, unknown_operators
from conversion.coreml.values import Value, from_constant, store, stored_dtype

Float32 = npt.NDArray[np.float32]
Array = npt.NDArray[Any] | Tensor


@dataclass(frozen=True)
class Declared:
    """A value that the program declares: its name, MIL dtype, and shape (None where it is not fixed)."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Input:
    """One input. `image` is set where it is an image."""

    declared: Declared
    image: ImageInput | None


@dataclass(frozen=True)
class Classifier:
    """The outputs of a classifier: names of the label and of the probabilities, and the labels in their order."""

    label: str
    probabilities: str
    classes: tuple[str | int, ...]


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


@dataclass(frozen=True)
class Evaluator:
    """A loaded program: called with its inputs by name it gives its outputs by name.

    `metadata` is what the author wrote into the file. `quantized`: it quantizes activations or has compressed weights.
    """

    path: Path
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    classifier: Classifier | None
    metadata: Mapping[str, str]
    quantized: bool
    steps: tuple[Step, ...]
    constants: Mapping[int, Value]
    places: Mapping[str, int]
    slots: int

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Float32]:
        """Evaluate the program.

        Args:
            inputs: by name, numpy or torch. An image is uint8 [1, H, W, 4] BGRA (`planes_of`) or its planes as float
                [1, C, H, W] with values 0..255; every other input is an array in the declared shape.

        Returns:
            The outputs in the description's order as float32 in their declared shapes (integers and truth values as
            numbers). A classifier's probabilities are an array [N] in the order of `classifier.classes`; its label is
            not among them, see `label`.

        Raises:
            SamesightError: an input is missing, unknown, or has another shape.
        """
        values = self._feed(inputs)
        with torch.inference_mode():
            for step in self.steps:
                _advance(step, values, self.path)
        return {name: np.array(values[self.places[name]].float().numpy()) for name in self.outputs}

    def trace(self, inputs: Mapping[str, Array]) -> Iterator[tuple[Declared, str, Float32]]:
        """Evaluate the program and yield every value in order: what is declared, the operator's type, the value."""
        values = self._feed(inputs)
        for step in self.steps:
            with torch.inference_mode():
                _advance(step, values, self.path, release=False)
                made = [(declared, np.array(values[slot].float().numpy())) for slot, declared in step.results]
                for slot in step.released:
                    values[slot] = None
            for declared, array in made:
                yield declared, step.kind, array

    def label(self, outputs: Mapping[str, Float32]) -> str | int:
        """The label that a classifier puts first, from the outputs of a call."""
        if self.classifier is None:
            raise SamesightError(f"{self.path}: not a classifier, it has no labels")
        return self.classifier.classes[int(np.argmax(outputs[self.classifier.probabilities]))]

    def _feed(self, inputs: Mapping[str, Array]) -> list[Value]:
        names = [each.declared.name for each in self.inputs]
        if set(inputs) != set(names):
            raise SamesightError(f"{self.path}: takes {', '.join(names)}, not {', '.join(inputs) or 'nothing'}")
        values: list[Value] = [None] * self.slots
        for slot, constant in self.constants.items():
            values[slot] = constant
        for each in self.inputs:
            values[self.places[each.declared.name]] = _input_value(inputs[each.declared.name], each, self.path)
        return values


def load_evaluator(path: Path) -> Evaluator:
    """Load a saved `.mlpackage` that holds an ML program.

    torch is set to one thread in this process, as all runners of this package are.

    Raises:
        SamesightError: not such a package, damaged, or it has operators that are not in the table (all are named).
    """
    package = read_package(path)
    unknown = unknown_operators(package, {*OPERATORS, *STRUCTURE})
    if unknown:
        named = ", ".join(f"{name} ({count})" for name, count in unknown.items())
        raise SamesightError(
            f"{path}: the evaluator has no {named}; add what is missing to conversion/coreml/operators/table.py, "
            "or run the package on a Mac"
        )
    torch.set_num_threads(1)
    return compile_function(package, load_function(package))


def compile_function(package: Package, function: Any) -> Evaluator:
    """Turn a MIL function into steps; whatever depends on constants alone is evaluated now."""
    slots: dict[int, int] = {}
    constants: dict[int, Value] = {}
    steps: list[Step] = []
    classifier: Classifier | None = None
    quantized = False
    arrays = [item.name for item in package.description.output]
    places = {name: _slot(slots, var) for name, var in function.inputs.items()}
    for operation in function.operations:
        kind = operation.op_type
        if kind == "const":
            continue
        quantized = quantized or kind == "quantize" or kind.startswith("constexpr_")
        if kind == "classify":
            label, probabilities = operation.outputs
            classes = from_constant(operation.classes.val, "str")
            classifier = Classifier(label.name, probabilities.name, classes)
            places[probabilities.name] = _constant_or_slot(operation.probabilities, slots, constants)
            arrays.remove(label.name)
            continue
        step = _step(operation, slots, constants)
        if not step.arguments:
            values: list[Value] = [None] * len(slots)
            with torch.no_grad():
                _advance(step, values, package.path)
            constants.update((slot, values[slot]) for slot, _ in step.results)
        else:
            steps.append(step)
    for var in function.outputs:
        places.setdefault(var.name, _constant_or_slot(var, slots, constants))
    kept = {places[name] for name in arrays}
    inputs = tuple(
        Input(_declared(function.inputs[item.name]), image_input(item)) for item in package.description.input
    )
    return Evaluator(
        path=package.path,
        inputs=inputs,
        outputs=tuple(arrays),
        classifier=classifier,
        metadata=package.metadata,
        quantized=quantized,
        steps=tuple(_released(steps, kept | set(constants))),
        constants={slot: constants[slot] for slot in kept & set(constants)},
        places=places,
        slots=len(slots),
    )


def evaluate_operation(operation: Any) -> Value:
    """One MIL operation whose inputs are all constant: its value, or a tuple of values."""
    slots: dict[int, int] = {}
    step = _step(operation, slots, {})
    values: list[Value] = [None] * len(slots)
    with torch.no_grad():
        _advance(step, values, Path(operation.name))
    made = tuple(values[slot] for slot, _ in step.results)
    return made[0] if len(made) == 1 else made


def _step(operation: Any, slots: dict[int, int], constants: dict[int, Value]) -> Step:
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
            places = tuple(_constant_or_slot(variable, slots, constants) for variable in variables)
            arguments.append((name, places, conversion))
        else:
            arguments.append((name, _slot(slots, given), conversion))
    results = tuple((_slot(slots, variable), _declared(variable)) for variable in operation.outputs)
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


def _advance(step: Step, values: list[Value], path: Path, release: bool = True) -> None:
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


def _released(steps: list[Step], kept: set[int]) -> list[Step]:
    """Each step with the slots that nobody reads after it."""
    seen = set(kept)
    turned = []
    for step in reversed(steps):
        read = {slot for _, place, _ in step.arguments for slot in (place if isinstance(place, tuple) else (place,))}
        free = (read | {slot for slot, _ in step.results}) - seen
        seen |= free
        turned.append(Step(step.kind, step.call, step.exact, step.arguments, step.results, tuple(sorted(free))))
    return turned[::-1]


def _slot(slots: dict[int, int], variable: Any) -> int:
    return slots.setdefault(id(variable), len(slots))


def _known(variable: Any, slots: dict[int, int], constants: dict[int, Value]) -> Value:
    """The value of a constant, or of what was computed from constants; None if it depends on the inputs."""
    if variable.op is not None and variable.op.op_type == "const":
        return from_constant(variable.val, _dtype(variable))
    return constants.get(slots.get(id(variable), -1))


def _constant_or_slot(variable: Any, slots: dict[int, int], constants: dict[int, Value]) -> int:
    known = _known(variable, slots, constants)
    slot = _slot(slots, variable)
    if known is not None:
        constants[slot] = known
    return slot


def _dtype(variable: Any) -> str:
    from coremltools.converters.mil.mil import types

    if types.is_list(variable.sym_type) or types.is_str(variable.sym_type) or types.is_dict(variable.sym_type):
        return "str"
    return str(types.builtin_to_string(variable.dtype))


def _declared(variable: Any) -> Declared:
    lengths = tuple(variable.shape)
    fixed = all(isinstance(length, (int, np.integer)) for length in lengths)
    return Declared(variable.name, _dtype(variable), tuple(int(length) for length in lengths) if fixed else None)


def _input_value(given: Array, wanted: Input, path: Path) -> Tensor:
    declared = wanted.declared
    if wanted.image is not None and isinstance(given, np.ndarray) and given.dtype == np.uint8:
        given = planes_of(given, wanted.image, declared.name)
    tensor = given if isinstance(given, Tensor) else torch.from_numpy(np.ascontiguousarray(given))
    if declared.shape is not None and tuple(tensor.shape) != declared.shape:
        raise SamesightError(
            f"{path}: input {declared.name!r} has the shape {list(declared.shape)}, not {list(tensor.shape)}"
        )
    return store(tensor, declared.dtype)
