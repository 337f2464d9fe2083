"""Core ML packages behind the evaluator: `.mlpackage`, and the package inside an ExecuTorch `.pte`.

The kernels are not Apple's, but every value has the dtype that the file stores. docs/core-ml.md has the limits of this.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from samesight.contract.errors import SamesightError
from samesight.contract.spec import ModelSpec, Role
from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8, read_qparams, to_steps
from samesight.conversion.runners.interface import Tensors
from samesight.conversion.runners.traced import TracedValue

if TYPE_CHECKING:
    from samesight.conversion.runners.coreml.evaluator import Evaluator

# Where a package's metadata has the spec, and scale and zero point per output; files that exist have these names.
SPEC_KEY = "samesight.model.json"
QPARAMS_KEY = "samesight.quanta"


@dataclass(frozen=True)
class CoreMLModel:
    """A saved package behind the evaluator: its outputs have the names of the roles."""

    evaluator: "Evaluator"
    roles: tuple[Role, ...]
    qparams: Mapping[Role, QuantParams]

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        outputs = self.evaluator({"image": pack(tensor, "bgra8_nhwc")})
        return {role: outputs[role] for role in self.roles}

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The quantized outputs (to half precision), counted in steps."""
        return to_steps(self(tensor), self.qparams)


@dataclass(frozen=True)
class CoreMLInPteModel:
    """The package inside a `.pte` behind the evaluator; ExecuTorch gave its input and outputs names of its own."""

    evaluator: "Evaluator"
    input_layout: TensorLayout
    roles: tuple[Role, ...]
    qparams: Mapping[Role, QuantParams]

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        (image,) = self.evaluator.inputs
        outputs = self.evaluator({image.declared.name: pack(tensor, self.input_layout)})
        return dict(zip(self.roles, outputs.values(), strict=True))

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The quantized outputs (to half precision), counted in steps."""
        return to_steps(self(tensor), self.qparams)


def load(path: Path, tensors: Tensors) -> CoreMLModel | CoreMLInPteModel:
    """Load a package, or the one inside a `.pte`, into the evaluator.

    Raises:
        SamesightError: damaged, it has operators that the evaluator does not know, or there is no Core ML inside, or
            for a part of the network alone.
    """
    roles: tuple[Any, ...] = tuple(output.role for output in tensors.outputs)
    if path.suffix == ".pte":
        from samesight.conversion.runners.coreml.pte_package import load_any
        from samesight.conversion.runners.executorch import read_output_qparams

        return CoreMLInPteModel(load_any(path), tensors.input_layout, roles, read_output_qparams(path))
    from samesight.conversion.runners.coreml.evaluator import load_evaluator

    evaluator = load_evaluator(path)
    return CoreMLModel(evaluator, roles, read_qparams(evaluator.metadata.get(QPARAMS_KEY)))


def trace(path: Path, tensors: Tensors) -> Callable[[UInt8], list[TracedValue]]:
    """Every value that the evaluator computes."""
    evaluator = load(path, tensors).evaluator

    def values(tensor: UInt8) -> list[TracedValue]:
        traced = evaluator.trace(feed(evaluator, tensor))
        return [TracedValue(declared.name, operator, array) for declared, operator, array in traced]

    return values


def feed(evaluator: "Evaluator", tensor: UInt8) -> dict[str, npt.NDArray[Any]]:
    """The contract's input tensor (uint8 [H, W, C]) as the one input of a program: an image, or float [1, C, H, W].

    Raises:
        SamesightError: the program has several inputs.
    """
    if len(evaluator.inputs) != 1:
        names = ", ".join(input_.declared.name for input_ in evaluator.inputs)
        raise SamesightError(f"{evaluator.path}: has several inputs ({names}); only a network of one image is compared")
    (input_,) = evaluator.inputs
    layout: TensorLayout = "bgra8_nhwc" if input_.image else "float32_nchw"
    return {input_.declared.name: pack(tensor, layout)}


def outputs_by_role(evaluator: "Evaluator", outputs: Mapping[str, Float32], spec: ModelSpec) -> dict[Role, Float32]:
    """A program's outputs as the roles of a spec: by name, or in order where no name fits.

    Raises:
        SamesightError: another number of outputs than the spec has roles.
    """
    if set(spec.roles) <= set(outputs):
        return {role: outputs[role] for role in spec.roles}
    if len(outputs) != len(spec.roles):
        raise SamesightError(
            f"{evaluator.path}: gives {', '.join(outputs)}, but the run has {', '.join(spec.roles)}; compare it with "
            "the run that it was converted from"
        )
    return dict(zip(spec.roles, outputs.values(), strict=True))
