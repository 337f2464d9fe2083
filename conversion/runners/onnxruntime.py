"""ONNX Runtime on the CPU, one thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8, read_qparams, to_steps
from samesight.conversion.quiet import mute
from samesight.conversion.runners.interface import Tensors

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
