"""ONNX Runtime on the CPU, one thread."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8, read_qparams, to_steps
from samesight.conversion.quiet import mute
from samesight.conversion.runners.interface import Tensors
from samesight.conversion.runners.traced import TracedValue

# Where a file's metadata has scale and zero point per output; files that exist have this name.
QPARAMS_KEY = "quanta.json"


@dataclass(frozen=True)
class OnnxModel:
    """A loaded `.onnx`."""

    session: Any
    input_layout: TensorLayout
    roles: Sequence[Role]
    qparams: Mapping[Role, QuantParams]

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        outputs = self.session.run(list(self.roles), {"image": pack(tensor, self.input_layout)})
        return dict(zip(self.roles, outputs, strict=True))

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The quantized outputs, counted in steps."""
        return to_steps(self(tensor), self.qparams)


def trace(path: Path, tensors: Tensors) -> Callable[[UInt8], list[TracedValue]]:
    """Every operator's float outputs, each an output of the graph: then nothing is fused across them.

    In an int8 file the operators compute in float32 between the quantizations then, as the file says it.
    """
    with mute():
        import onnx
        import onnxruntime

        model = onnx.load(path)
        operators = {name: node.op_type for node in model.graph.node for name in node.output if name}
        declared = {output.name for output in model.graph.output}
        model.graph.output.extend(
            onnx.helper.make_empty_tensor_value_info(name) for name in operators if name not in declared
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    floats = {output.name for output in session.get_outputs() if output.type == "tensor(float)"} - _constants(model)
    names = [name for name in operators if name in floats]

    def values(tensor: UInt8) -> list[TracedValue]:
        outputs = session.run(names, {"image": pack(tensor, tensors.input_layout)})
        return [TracedValue(name, operators[name], value) for name, value in zip(names, outputs, strict=True)]

    return values


def _constants(model: Any) -> set[str]:
    """The values that depend on no input: weights that are brought back from integers."""
    known = {tensor.name for tensor in model.graph.initializer} | {""}
    for node in model.graph.node:
        if all(name in known for name in node.input):
            known |= set(node.output)
    return known


def load(path: Path, tensors: Tensors) -> OnnxModel:
    """Load a file for the CPU, on one thread.

    Raises:
        SamesightError: damaged, or of a newer version than this runtime reads.
    """
    with mute():
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise SamesightError(f"{path}: ONNX Runtime cannot load it ({first_line(error)}); convert again") from None
    qparams = read_qparams(session.get_modelmeta().custom_metadata_map.get(QPARAMS_KEY))
    return OnnxModel(
        session, tensors.input_layout, [info.role for info in tensors.outputs if info.role != "image"], qparams
    )
