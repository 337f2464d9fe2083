"""Messages between this process and the one that runs artifacts: a JSON header, then the bytes of its arrays.

Both sides check what they read, and nothing is unpickled: an artifact that has taken over the other process can send
wrong numbers, but runs nothing here.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from samesight.contract.errors import SamesightError

Array = npt.NDArray[Any]
DTYPES = ("uint8", "int8", "int32", "float32")
HEADER_BYTES = 1 << 20
ARRAY_BYTES = 1 << 30


def write_frame(stream: BinaryIO, message: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> None:
    """Write a message and its arrays (dtypes of `DTYPES`)."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    described = [[name, array.dtype.name, array.shape] for name, array in contiguous.items()]
    header = json.dumps({**message, "arrays": described}).encode()
    stream.write(struct.pack("<I", len(header)) + header)
    for array in contiguous.values():
        stream.write(array.data if array.size else b"")
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read a message and its arrays.

    Raises:
        EOFError: the other side has ended.
        SamesightError: what it sent is no message.
    """
    (size,) = struct.unpack("<I", _read(stream, 4))
    if size > HEADER_BYTES:
        raise SamesightError(f"its runtime sent a header of {size} bytes")
    try:
        message = json.loads(_read(stream, size))
        arrays = {str(name): _read_array(stream, dtype, shape) for name, dtype, shape in message.pop("arrays")}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SamesightError(f"its runtime sent no message ({type(error).__name__})") from None
    return message, arrays


def _read_array(stream: BinaryIO, dtype: str, shape: list[int]) -> Array:
    sizes = [int(size) for size in shape]
    if dtype not in DTYPES or any(size < 0 for size in sizes):
        raise ValueError(dtype)
    count = int(np.prod(sizes, dtype=object)) if sizes else 1
    if count * np.dtype(dtype).itemsize > ARRAY_BYTES:
        raise ValueError("too large")
    return np.frombuffer(_read(stream, count * np.dtype(dtype).itemsize), dtype).reshape(sizes)


def _read(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
