"""The arrays that go in and out of artifacts, and the grid of a quantized one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Quantum:
    """The grid of an int8 output: real = (q - zero_point) * scale in float32."""

    scale: float
    zero_point: int
