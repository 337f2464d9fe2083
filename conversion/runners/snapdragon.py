"""The NPU (HTP) of a Snapdragon chip, simulated: a `.tflite` is compiled ahead of time and what was compiled runs.

LiteRT's compiler makes another `.tflite` whose operators are dispatches to the NPU, each with a compiled context
inside. The context is lifted out of that very file and runs on Qualcomm's simulator, by ONNX Runtime's provider for it,
with the CPU locked out. The arithmetic is the NPU's; speed and power are not.
"""

import shutil
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
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8, to_steps
from samesight.conversion.runners.interface import Tensors
from samesight.conversion.runners.quantized_outputs import output_qparams, real_outputs

PROVIDER = "QNNExecutionProvider"
DISPATCH = b"DISPATCH_OP"
# ONNX's element types of the only ones that a network's border has, by LiteRT's.
TYPES = {0: 1, 9: 3}


@dataclass(frozen=True)
class Context:
    """A compiled program for the NPU.

    Attributes:
        binary: its bytes.
        name: the graph inside.
        inputs, outputs: (name, shape, LiteRT's element type).
    """

    binary: bytes
    name: str
    inputs: list[tuple[str, list[int], int]]
    outputs: list[tuple[str, list[int], int]]


@dataclass(frozen=True)
class SnapdragonModel:
    """A context in the simulator."""

    session: Any
    input_layout: TensorLayout
    outputs: Sequence[TensorInfo]
    qparams: Mapping[Role, QuantParams]
    note: str

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C], dequantized."""
        name = self.session.get_inputs()[0].name
        values = self.session.run(None, {name: np.ascontiguousarray(pack(tensor, self.input_layout))})
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
        compiled, note = compile_for(soc, path, folder)
        context = read_context(compiled, soc, path)
        session = _start(context, folder, path)
    return SnapdragonModel(session, tensors.input_layout, tensors.outputs, output_qparams(tensors.outputs), note)


load_sm8650 = partial(load, "SM8650")
load_sm8750 = partial(load, "SM8750")


def compile_for(soc: str, path: Path, folder: Path) -> tuple[bytes, str]:
    """A `.tflite` for the NPU of a chip, and LiteRT's account of what the NPU took ("31 / 31 ops …").

    Raises:
        SamesightError: LiteRT's compiler or Qualcomm's libraries fail.
    """
    from ai_edge_litert.aot import aot_compile
    from ai_edge_litert.aot.vendors.qualcomm import target

    # The compiler writes a folder beside its source.
    source = folder / "network.tflite"
    shutil.copy(path, source)
    try:
        chip = target.Target(getattr(target.SocModel, soc))
        result = aot_compile.aot_compile(str(source), target=[chip], keep_going=True)
        if not result.models_with_backend:
            raise SamesightError(f"{path}: LiteRT's compiler makes nothing of it for {soc}")
        result.export(str(folder / "compiled"), model_name="network")
        report = str(result.compilation_report())
    except SamesightError:
        raise
    except Exception as error:  # a vendor's library may raise anything
        raise SamesightError(f"{path}: LiteRT's compiler fails for {soc} ({first_line(error)})") from None
    note = next((line.partition(":")[2].strip() for line in report.splitlines() if "ops offloaded" in line), "")
    (compiled,) = (folder / "compiled").glob("*.tflite")
    return compiled.read_bytes(), note.rstrip(".")


def read_context(model: bytes, soc: str, path: Path) -> Context:
    """The one compiled program inside of a file.

    Raises:
        SamesightError: there are several, or operators are left to the CPU.
    """
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import flexbuffers

    file = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    graph = file.subgraphs[0]
    operators = [operator for operator in graph.operators if _custom(file, operator) == DISPATCH]
    left = len(graph.operators) - len(operators)
    if len(operators) != 1 or left:
        raise SamesightError(
            f"{path}: the NPU of {soc} takes it in {len(operators)} pieces and leaves {left} operators to the CPU; "
            "such a plan is slow, use another precision"
        )
    (operator,) = operators
    options = operator.customOptions
    raw = (
        bytes(options)
        if options is not None
        else model[operator.largeCustomOptionsOffset :][: operator.largeCustomOptionsSize]
    )
    fields = flexbuffers.Loads(raw)
    binary = model[fields["bytecode_offset"] :][: fields["bytecode_size"]]
    described = [
        [
            (
                graph.tensors[index].name.decode(),
                [int(side) for side in graph.tensors[index].shape],
                graph.tensors[index].type,
            )
            for index in indices
        ]
        for indices in (operator.inputs, operator.outputs)
    ]
    return Context(binary, str(fields["name"]), *described)


def _custom(file: Any, operator: Any) -> bytes | None:
    code: bytes | None = file.operatorCodes[operator.opcodeIndex].customCode
    return code


def _start(context: Context, folder: Path, path: Path) -> Any:
    """A session on the simulator with the CPU locked out."""
    import onnx
    import onnxruntime
    import onnxruntime_qnn

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
    tensors = [
        [onnx.helper.make_tensor_value_info(name, TYPES[kind], shape) for name, shape, kind in side]
        for side in (context.inputs, context.outputs)
    ]
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "context", *tensors), opset_imports=opsets, ir_version=9
    )
    onnx.save(model, str(folder / "context.onnx"))
    libraries = Path(str(onnxruntime_qnn.__file__)).parent
    if not any(device.ep_name == PROVIDER for device in onnxruntime.get_ep_devices()):
        provider = str(libraries / "libonnxruntime_providers_qnn.so")
        onnxruntime.register_execution_provider_library(PROVIDER, provider)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == PROVIDER][:1]
    options.add_provider_for_devices(devices, {"backend_path": str(libraries / "libQnnHtp.so")})
    try:
        return onnxruntime.InferenceSession(str(folder / "context.onnx"), options)
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise SamesightError(f"{path}: the simulator refuses what was compiled ({first_line(error)})") from None
