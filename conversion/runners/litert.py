"""LiteRT's interpreter on the CPU, one thread."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.manifest import TensorInfo
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout, dequantize, pack
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8
from samesight.conversion.quiet import mute
from samesight.conversion.runners.interface import Tensors
from samesight.conversion.runners.quantized_outputs import output_qparams, real_outputs
from samesight.conversion.runners.traced import TracedValue

SIGNATURE = "serving_default"


def start(model: bytes) -> Any:
    """An interpreter on one thread, its tensors allocated."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


@dataclass(frozen=True)
class LiteRTModel:
    """A loaded `.tflite`, called through its signature."""

    call: Any
    input_layout: TensorLayout
    outputs: Sequence[TensorInfo]
    qparams: Mapping[Role, QuantParams]

    def _run(self, tensor: UInt8) -> Mapping[str, Any]:
        outputs: Mapping[str, Any] = self.call(image=pack(tensor, self.input_layout))
        return outputs

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C], dequantized."""
        outputs = self._run(tensor)
        return real_outputs(self.outputs, [outputs[str(info.signature)] for info in self.outputs])

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The stored integers of the quantized outputs."""
        outputs = self._run(tensor)
        return {role: outputs[role].astype(np.int32) for role in self.qparams}


def trace(path: Path, tensors: Tensors) -> Callable[[UInt8], list[TracedValue]]:
    """Every operator's outputs, as outputs of the file: so the kernels that really run hand them over."""
    with mute():
        model, operators = _with_all_outputs(path.read_bytes())
        interpreter = start(model)
    call = interpreter.get_signature_runner(SIGNATURE)
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}

    def values(tensor: UInt8) -> list[TracedValue]:
        call(image=pack(tensor, tensors.input_layout))
        found = []
        for index, operator in operators.items():
            scale, zero_point = details[index]["quantization"]
            stored = interpreter.get_tensor(index)
            real = dequantize(stored, scale, zero_point) if scale else stored.astype(np.float32)
            found.append(TracedValue(details[index]["name"], operator, real))
        return found

    return values


def _with_all_outputs(data: bytes) -> tuple[bytes, dict[int, str]]:
    """A file that returns what each operator computes from the image, and the operator's name by tensor."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    for buffer in model.buffers:
        # Large weights may stand behind the model, where they would be lost.
        if buffer.offset > 1:
            buffer.data = np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    graph = model.subgraphs[0]
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    computed, operators = set(graph.inputs), dict[int, str]()
    for operator in graph.operators:
        # Weights that are brought back from half precision depend on no image: they are no layers.
        if computed.intersection(operator.inputs):
            computed.update(operator.outputs)
            operators |= {int(index): names[codes[operator.opcodeIndex]] for index in operator.outputs}
    graph.outputs = np.array([*graph.outputs, *(index for index in operators if index not in graph.outputs)], np.int32)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()), operators


def load(path: Path, tensors: Tensors) -> LiteRTModel:
    """Load a file for the CPU.

    Raises:
        SamesightError: damaged, or made of operators that this runtime lacks.
    """
    try:
        with mute():
            call = start(path.read_bytes()).get_signature_runner(SIGNATURE)
    except (ValueError, RuntimeError) as error:
        raise SamesightError(f"{path}: LiteRT cannot load it ({first_line(error)}); convert again") from None
    except OSError as error:
        raise SamesightError(f"{path}: {error.strerror or error}; convert again") from None
    return LiteRTModel(call, tensors.input_layout, tensors.outputs, output_qparams(tensors.outputs))
