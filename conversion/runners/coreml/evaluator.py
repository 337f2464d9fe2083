"""The evaluator: a saved ML program, walked operator by operator with torch in float32.

Every value is rounded to the dtype that the program declares for it, so that half precision overflows and loses digits
here as it does where values are stored in half precision. Constants, compressed weights included, are evaluated once
when the package is loaded; a value is freed after its last use.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from samesight.contract.errors import SamesightError
from samesight.conversion.qparams import Float32
from samesight.conversion.runners.coreml.bound_operator import (
    Declared,
    Step,
    advance,
    constant_or_slot,
    declared_of,
    slot_of,
    slots_of,
    step_of,
    with_releases,
)
from samesight.conversion.runners.coreml.dtypes import Value, from_constant, store
from samesight.conversion.runners.coreml.image_input import ImageInput, image_input, planes_of
from samesight.conversion.runners.coreml.operators.table import OPERATORS, STRUCTURE
from samesight.conversion.runners.coreml.program import Package, load_function, read_package, unknown_operators

Array = npt.NDArray[Any] | Tensor


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
class Evaluator:
    """A loaded program: called with its inputs by name, it returns its outputs by name.

    `metadata` is what the author wrote into the file. `quantized`: it quantizes activations or has compressed weights.
    Values are stored in `slot_count` slots while the program runs; `places` has the slots of inputs and outputs.
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
    slot_count: int

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
                advance(step, values, self.path)
        return {name: np.array(values[self.places[name]].float().numpy()) for name in self.outputs}

    def trace(self, inputs: Mapping[str, Array]) -> Iterator[tuple[Declared, str, Float32]]:
        """Evaluate the program and yield every value in order: what is declared, the operator's type, the value."""
        values = self._feed(inputs)
        for step in self.steps:
            with torch.inference_mode():
                advance(step, values, self.path, release=False)
                results = [(declared, np.array(values[slot].float().numpy())) for slot, declared in step.results]
                for slot in step.released:
                    values[slot] = None
            for declared, array in results:
                yield declared, step.kind, array

    def label(self, outputs: Mapping[str, Float32]) -> str | int:
        """The label that a classifier ranks first, from the outputs of a call."""
        if self.classifier is None:
            raise SamesightError(f"{self.path}: not a classifier, it has no labels")
        return self.classifier.classes[int(np.argmax(outputs[self.classifier.probabilities]))]

    def _feed(self, inputs: Mapping[str, Array]) -> list[Value]:
        names = [input_.declared.name for input_ in self.inputs]
        if set(inputs) != set(names):
            raise SamesightError(f"{self.path}: takes {', '.join(names)}, not {', '.join(inputs) or 'nothing'}")
        values: list[Value] = [None] * self.slot_count
        for slot, constant in self.constants.items():
            values[slot] = constant
        for input_ in self.inputs:
            values[self.places[input_.declared.name]] = _input_value(inputs[input_.declared.name], input_, self.path)
        return values


def load_evaluator(path: Path) -> Evaluator:
    """Load a saved `.mlpackage` that holds an ML program.

    torch is set to one thread in this process, as in all runners of this package.

    Raises:
        SamesightError: not such a package, damaged, or it has operators that are not in the table (all are named).
    """
    package = read_package(path)
    unknown = unknown_operators(package, {*OPERATORS, *STRUCTURE})
    if unknown:
        operator_list = ", ".join(f"{name} ({count})" for name, count in unknown.items())
        raise SamesightError(
            f"{path}: the evaluator has no {operator_list}; add what is missing to "
            "conversion/runners/coreml/operators/table.py, or run the package on a Mac"
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
    places = {name: slot_of(slots, var) for name, var in function.inputs.items()}
    for operation in function.operations:
        kind = operation.op_type
        if kind == "const":
            continue
        quantized = quantized or kind == "quantize" or kind.startswith("constexpr_")
        if kind == "classify":
            label, probabilities = operation.outputs
            classes = from_constant(operation.classes.val, "str")
            classifier = Classifier(label.name, probabilities.name, classes)
            places[probabilities.name] = constant_or_slot(operation.probabilities, slots, constants)
            arrays.remove(label.name)
            continue
        step = step_of(operation, slots, constants)
        if not step.arguments:
            values: list[Value] = [None] * len(slots)
            with torch.no_grad():
                advance(step, values, package.path)
            constants.update((slot, values[slot]) for slot, _ in step.results)
        else:
            steps.append(step)
    for var in function.outputs:
        places.setdefault(var.name, constant_or_slot(var, slots, constants))
    output_slots = {places[name] for name in arrays}
    read_slots = output_slots | {slot for step in steps for slot in slots_of(step)}
    inputs = tuple(
        Input(declared_of(function.inputs[item.name]), image_input(item)) for item in package.description.input
    )
    return Evaluator(
        path=package.path,
        inputs=inputs,
        outputs=tuple(arrays),
        classifier=classifier,
        metadata=package.metadata,
        quantized=quantized,
        steps=tuple(with_releases(steps, output_slots | set(constants))),
        constants={slot: constants[slot] for slot in read_slots & set(constants)},
        places=places,
        slot_count=len(slots),
    )


def _input_value(array: Array, input_: Input, path: Path) -> Tensor:
    declared = input_.declared
    if input_.image is not None and isinstance(array, np.ndarray) and array.dtype == np.uint8:
        array = planes_of(array, input_.image, declared.name)
    tensor = array if isinstance(array, Tensor) else torch.from_numpy(np.ascontiguousarray(array))
    if declared.shape is not None and tuple(tensor.shape) != declared.shape:
        raise SamesightError(
            f"{path}: input {declared.name!r} has the shape {list(declared.shape)}, not {list(tensor.shape)}"
        )
    return store(tensor, declared.dtype)
