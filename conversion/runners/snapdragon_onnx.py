"""The NPU of a Snapdragon chip, simulated, by ONNX Runtime's own provider for it: `.onnx` files as they are.

A second way to the same hardware as LiteRT's compiled files: ONNX Runtime compiles when it loads, as it does on a
phone. Float networks are computed in halves. The CPU is locked out.
"""

from pathlib import Path

from samesight.contract.errors import SamesightError, first_line
from samesight.conversion.qparams import read_qparams
from samesight.conversion.runners.interface import Tensors
from samesight.conversion.runners.onnxruntime import QPARAMS_KEY, OnnxModel
from samesight.conversion.runners.snapdragon import start_session

# Qualcomm's numbers of SM8650 and of its processor (Hexagon V75); without them a float network is left to the CPU.
CHIP = {"soc_model": "57", "htp_arch": "75"}


def load(path: Path, tensors: Tensors) -> OnnxModel:
    """Load a file for the NPU alone.

    Raises:
        SamesightError: the NPU does not take the whole network, or Qualcomm's libraries fail.
    """
    try:
        session = start_session(path, CHIP)
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise SamesightError(f"{path}: the NPU does not take it ({first_line(error)})") from None
    qparams = read_qparams(session.get_modelmeta().custom_metadata_map.get(QPARAMS_KEY))
    roles = [info.role for info in tensors.outputs if info.role != "image"]
    return OnnxModel(session, tensors.input_layout, roles, qparams)
