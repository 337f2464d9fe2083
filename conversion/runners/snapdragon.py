"""The NPU (HTP) of a Snapdragon chip, simulated: a `.tflite` is compiled ahead of time and what was compiled runs.

LiteRT's compiler makes another `.tflite` whose operators are dispatches to the NPU, each with a compiled context
inside. The context is lifted out of that very file and runs on Qualcomm's simulator, by ONNX Runtime's provider for it,
with the CPU locked out. The arithmetic is the NPU's; speed and power are not.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.manifest import TensorInfo
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.npu.compiler import compile_for
from samesight.conversion.npu.contexts import Contents, Context, read_contents
from samesight.conversion.npu.words import pieces_words, plan_words
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8, to_steps
from samesight.conversion.runners.interface import Tensors
from samesight.conversion.runners.quantized_outputs import output_qparams, real_outputs

PROVIDER = "QNNExecutionProvider"
# ONNX's element types of the only ones that a network's border has, by LiteRT's.
TYPES = {0: 1, 9: 3}


@dataclass(frozen=True)
class SnapdragonModel:
    """A context in the simulator."""

    session: Any
    names: Sequence[str]
    input_layout: TensorLayout
    outputs: Sequence[TensorInfo]
    qparams: Mapping[Role, QuantParams]
    note: str

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C], dequantized."""
        name = self.session.get_inputs()[0].name
        values = self.session.run(self.names, {name: np.ascontiguousarray(pack(tensor, self.input_layout))})
        return real_outputs(self.outputs, values)

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The quantized outputs, counted in steps."""
        return to_steps(self(tensor), self.qparams)


def load(soc: str, path: Path, tensors: Tensors) -> SnapdragonModel:
    """Compile a `.tflite` for a chip and load what was compiled.

    Raises:
        SamesightError: the NPU does not take the whole network in one piece, or Qualcomm's libraries fail.
    """
    with tempfile.TemporaryDirectory(prefix="samesight-") as name:
        folder = Path(name)
        compiled = compile_for(soc, path, folder)
        return _start_model(compiled.model, path, tensors, folder, plan_words(compiled.plan))


load_sm8650 = partial(load, "SM8650")
load_sm8750 = partial(load, "SM8750")


def load_compiled(path: Path, tensors: Tensors) -> SnapdragonModel:
    """Load what was compiled ahead of time: the very program that the phone would run.

    Raises:
        SamesightError: damaged, not of this compiler, not in one piece, or Qualcomm's libraries fail.
    """
    with tempfile.TemporaryDirectory(prefix="samesight-") as name:
        return _start_model(path.read_bytes(), path, tensors, Path(name), "")


def _start_model(model: bytes, path: Path, tensors: Tensors, folder: Path, note: str) -> SnapdragonModel:
    contents = _readable(model, path)
    session = _start(contents.contexts[0], folder, path)
    names = [contents.outputs.get(output.signature or "", output.name) for output in tensors.outputs]
    known = {output.name for output in session.get_outputs()}
    if missing := next((name for name in names if name not in known), None):
        raise SamesightError(f"{path}: its program has no output {missing!r}; convert again")
    return SnapdragonModel(session, names, tensors.input_layout, tensors.outputs, output_qparams(tensors.outputs), note)


def _readable(model: bytes, path: Path) -> Contents:
    """What is inside of a file with one compiled program.

    Raises:
        SamesightError: there are several or none, operators are left to the CPU, or it cannot be read.
    """
    try:
        contents = read_contents(model)
    except Exception as error:  # flatbuffers raise whatever the damaged bytes lead to
        raise SamesightError(f"{path}: not a .tflite ({first_line(error)}); convert again") from None
    if len(contents.contexts) != 1 or contents.left:
        raise SamesightError(
            f"{path}: {pieces_words(len(contents.contexts), sum(contents.left.values()))}; such a plan is slow, "
            "use another precision or other operators"
        )
    return contents


def _start(context: Context, folder: Path, path: Path) -> Any:
    """A session with a context."""
    import onnx

    (folder / "context.bin").write_bytes(context.binary)
    node = onnx.helper.make_node(
        "EPContext",
        [name for name, _, _ in context.inputs],
        [name for name, _, _ in context.outputs],
        name=context.name,
        domain="com.microsoft",
        main_context=1,
        embed_mode=0,
        ep_cache_context="context.bin",
        source="QNN",
        partition_name=context.name,
    )
    strange = next((name for name, _, kind in (*context.inputs, *context.outputs) if kind not in TYPES), None)
    if strange:
        raise SamesightError(f"{path}: tensor {strange!r} is neither float32 nor int8; convert again")
    tensors = [
        [onnx.helper.make_tensor_value_info(name, TYPES[kind], shape) for name, shape, kind in side]
        for side in (context.inputs, context.outputs)
    ]
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "context", *tensors), opset_imports=opsets, ir_version=9
    )
    onnx.save(model, str(folder / "context.onnx"))
    try:
        return start_session(folder / "context.onnx", {})
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise SamesightError(f"{path}: the simulator refuses what was compiled ({first_line(error)})") from None


def start_session(file: Path, settings: Mapping[str, str]) -> Any:
    """ONNX Runtime's session on the simulator, with the CPU locked out; its own errors are raised."""
    import onnxruntime
    import onnxruntime_qnn

    libraries = Path(str(onnxruntime_qnn.__file__)).parent
    if not any(device.ep_name == PROVIDER for device in onnxruntime.get_ep_devices()):
        provider = str(libraries / "libonnxruntime_providers_qnn.so")
        onnxruntime.register_execution_provider_library(PROVIDER, provider)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == PROVIDER][:1]
    options.add_provider_for_devices(devices, {"backend_path": str(libraries / "libQnnHtp.so"), **settings})
    return onnxruntime.InferenceSession(str(file), options)
