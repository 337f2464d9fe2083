"""What runs inside of an emulated ARM processor: LiteRT, ONNX Runtime and ExecuTorch as built for aarch64."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8, to_steps
from samesight.conversion.runners import litert, onnxruntime
from samesight.conversion.runners.interface import LoadedModel, Tensors


@dataclass(frozen=True)
class ExecuTorchModel:
    """A `.pte` in ExecuTorch's runtime without torch, which cannot read the texts in a file: no scales are known."""

    method: Any
    input_layout: TensorLayout
    roles: Sequence[Role]
    qparams: Mapping[Role, QuantParams] = field(default_factory=dict)

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        return dict(zip(self.roles, self.method([pack(tensor, self.input_layout)]), strict=True))

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """Nothing, since no scales are known."""
        return to_steps(self(tensor), self.qparams)


def load(path: Path, tensors: Tensors) -> LoadedModel:
    """Load a `.tflite`, `.onnx` or `.pte`.

    Raises:
        SamesightError: damaged, or it needs what this runtime lacks.
    """
    if path.suffix == ".tflite":
        return litert.load(path, tensors)
    if path.suffix == ".onnx":
        return onnxruntime.load(path, tensors)
    from executorch_numpy_runtime import ExecuTorchError, Runtime

    try:
        method = Runtime.get().load_program(str(path)).load_method("forward")
    except (ExecuTorchError, RuntimeError) as error:
        raise SamesightError(f"{path}: ExecuTorch on ARM cannot load it ({first_line(error)})") from None
    return ExecuTorchModel(method, tensors.input_layout, [one.role for one in tensors.outputs if one.role != "image"])
