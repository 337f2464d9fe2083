"""LiteRT's GPU accelerator (WebGPU on Vulkan), and nothing else: an operator that it does not take is an error.

Phones' GPUs compute in halves by default, and so does `load`; `load_whole` asks for float32.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.manifest import TensorInfo
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8, to_steps
from samesight.conversion.runners.interface import Tensors
from samesight.conversion.runners.quantized_outputs import output_qparams, real_outputs
from samesight.conversion.runners.vulkan import adapters

SIGNATURE = "serving_default"


@dataclass(frozen=True)
class GpuModel:
    """A `.tflite` compiled for the GPU; buffers are made once."""

    model: Any
    input: Any
    buffers: Mapping[str, Any]
    input_layout: TensorLayout
    outputs: Sequence[TensorInfo]
    qparams: Mapping[Role, QuantParams]
    note: str

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C], dequantized."""
        self.input.write(np.ascontiguousarray(pack(tensor, self.input_layout)))
        self.model.run_by_name(SIGNATURE, {"image": self.input}, dict(self.buffers))
        return real_outputs(self.outputs, [self._read(info) for info in self.outputs])

    def _read(self, info: TensorInfo) -> Any:
        dtype = np.int8 if info.dtype == "int8" else np.float32
        flat = self.buffers[str(info.signature)].read(int(np.prod(info.shape)), dtype)
        return np.asarray(flat).reshape(info.shape)

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The quantized outputs, counted in steps."""
        return to_steps(self(tensor), self.qparams)


def load(path: Path, tensors: Tensors) -> GpuModel:
    """Compile a file for the GPU alone, in half precision.

    Raises:
        SamesightError: no GPU here, or it does not take the whole network.
    """
    return _load(path, tensors, whole=False)


def load_whole(path: Path, tensors: Tensors) -> GpuModel:
    """As `load`, in float32."""
    return _load(path, tensors, whole=True)


def _load(path: Path, tensors: Tensors, whole: bool) -> GpuModel:
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.gpu_options import GpuOptions
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import Options

    gpus = adapters()
    if not gpus:
        raise SamesightError("Vulkan finds no GPU and no driver here; samesight setup gpu")
    options = Options(
        hardware_accelerators=HardwareAccelerator.GPU,
        gpu_options=GpuOptions(enforce_f32=whole),
    )
    try:
        model = CompiledModel.from_file(str(path), options=options)
        accelerated = model.is_fully_accelerated()
    except (RuntimeError, ValueError) as error:
        raise SamesightError(f"{path}: LiteRT's GPU accelerator refuses it ({first_line(error)})") from None
    if not accelerated:
        raise SamesightError(f"{path}: LiteRT's GPU accelerator leaves operators to the CPU")
    names = [str(info.signature) for info in tensors.outputs]
    return GpuModel(
        model,
        model.create_input_buffer_by_name(SIGNATURE, "image"),
        {name: model.create_output_buffer_by_name(SIGNATURE, name) for name in names},
        tensors.input_layout,
        tensors.outputs,
        output_qparams(tensors.outputs),
        gpus[0],
    )
