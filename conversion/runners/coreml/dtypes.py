"""Values of an ML program as torch tensors: half precision is float32 that has been rounded to it.

Stored dtypes: fp16 and fp32 as float32; bool as bool; int8 and uint8 as they are; every other integer as int32, but
64 bits where the program says so. Strings stay strings.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args, get_type_hints

import numpy as np
import torch
from torch import Tensor

Ints = tuple[int, ...]
Value = Any
"""A Tensor, a str, or a tuple of strings (the classes of a classifier)."""

STORED: dict[str, torch.dtype] = {
    "fp16": torch.float32,
    "fp32": torch.float32,
    "fp64": torch.float32,
    "bool": torch.bool,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int64": torch.int64,
    "uint64": torch.int64,
}


def stored_dtype(name: str) -> torch.dtype:
    """The torch dtype in which values of a MIL dtype (`fp16`, `int4`, `uint16` …) are kept."""
    return STORED.get(name, torch.int32)


def store(value: Tensor, name: str) -> Tensor:
    """A computed value as the program stores it, in the MIL dtype `name`."""
    value = value.to(stored_dtype(name))
    return value.half().float() if name == "fp16" else value


def from_constant(value: Any, name: str) -> Value:
    """A constant of the program (numpy array or scalar, str, list of labels) of the MIL dtype `name` as a value."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(item if isinstance(item, str) else int(item) for item in value)
    array = np.array(value)
    if array.dtype.kind in "US":
        return tuple(array.tolist())
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    return torch.from_numpy(np.ascontiguousarray(array)).reshape(array.shape).to(stored_dtype(name))


def as_ints(value: Tensor) -> Ints:
    """A vector or a scalar of integers or truth values as Python integers."""
    numbers = value.tolist()
    return tuple(int(number) for number in numbers) if isinstance(numbers, list) else (int(numbers),)


CONVERSIONS: dict[Any, Callable[[Any], Any]] = {
    int: lambda value: int(value.item()),
    float: lambda value: float(value.item()),
    bool: lambda value: bool(value.item()),
    Ints: as_ints,
}


def conversions(function: Callable[..., Any]) -> Mapping[str, Callable[[Any], Any] | None]:
    """The conversion of a value for each parameter of an operator's function, by its annotation; None: unchanged."""
    hints = {name: hint for name, hint in get_type_hints(function).items() if name != "return"}
    return {name: CONVERSIONS.get(_without_none(hint)) for name, hint in hints.items()}


def _without_none(hint: Any) -> Any:
    arguments: Sequence[Any] = get_args(hint)
    plain = [argument for argument in arguments if argument is not type(None)]
    return plain[0] if len(plain) < len(arguments) else hint
