"""The arrays that go in and out of artifacts, and the grids of quantized ones."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from samesight.contract.spec import Role

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class QuantParams:
    """The grid of an int8 output: real = (q - zero_point) * scale in float32."""

    scale: float
    zero_point: int


def to_steps(outputs: Mapping[Role, Float32], grids: Mapping[Role, QuantParams]) -> dict[Role, Integers]:
    """The outputs whose real values lie on a grid, as its integers q."""
    return {
        role: (np.rint(outputs[role] / np.float32(grid.scale)) + grid.zero_point).astype(np.int32)
        for role, grid in grids.items()
    }


def write_qparams(grids: Mapping[Role, QuantParams]) -> str:
    """The grids as JSON, as files embed them."""
    return json.dumps({role: asdict(grid) for role, grid in grids.items()})


def read_qparams(text: str | None) -> dict[Role, QuantParams]:
    """What `write_qparams` wrote; a file without it has no grids."""
    stored = json.loads(text or "{}")
    return {role: QuantParams(float(grid["scale"]), int(grid["zero_point"])) for role, grid in stored.items()}
