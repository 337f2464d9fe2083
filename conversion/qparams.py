"""Types of the arrays that go in and out of artifacts, and the quantization parameters of int8 outputs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from samesight.contract.spec import Role

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class QuantParams:
    """Quantization parameters of an int8 output: real = (q - zero_point) * scale in float32."""

    scale: float
    zero_point: int


def to_steps(outputs: Mapping[Role, Float32], qparams: Mapping[Role, QuantParams]) -> dict[Role, Integers]:
    """The outputs that have quantization parameters, as integers q."""
    return {
        role: (np.rint(outputs[role] / np.float32(params.scale)) + params.zero_point).astype(np.int32)
        for role, params in qparams.items()
    }


def write_qparams(qparams: Mapping[Role, QuantParams]) -> str:
    """The quantization parameters as JSON, as files embed them."""
    return json.dumps({role: asdict(params) for role, params in qparams.items()})


def read_qparams(text: str | None) -> dict[Role, QuantParams]:
    """Read the text of `write_qparams`; a file without it (None) has no quantized outputs."""
    stored = json.loads(text or "{}")
    return {role: QuantParams(float(entry["scale"]), int(entry["zero_point"])) for role, entry in stored.items()}
