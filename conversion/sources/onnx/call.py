"""One operator of an ONNX file, as the functions of the table `OPERATORS` take it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor


class UnreadableError(Exception):
    """An operator, or a form of it, that has no row here."""


@dataclass(frozen=True)
class Call:
    """One operator: its attributes, and its inputs as tensors and, where they are constants, as numbers.

    `opset` is the version of the operators that the file uses.
    """

    kind: str
    attributes: dict[str, Any]
    inputs: tuple[Tensor | None, ...]
    numbers: tuple[Any, ...]
    outputs: int
    opset: int

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.tensor(0)

    def tensor(self, index: int) -> Tensor:
        """An input that must be there."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            raise UnreadableError(f"{self.kind} without its input {index}")
        return value

    def optional(self, index: int) -> Tensor | None:
        """An input that may be left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def number(self, index: int, name: str | None = None, default: Any = None) -> Any:
        """What newer versions pass as an input and older ones as an attribute: an array, number or list."""
        if index < len(self.inputs) and self.inputs[index] is not None:
            if self.numbers[index] is None:
                raise UnreadableError(f"{self.kind} with lengths or axes that depend on the image")
            return self.numbers[index]
        return self.get(name, default) if name else default

    def integers(self, index: int, name: str | None = None, default: Sequence[int] | None = None) -> list[int]:
        """The same as a list of whole numbers."""
        found = self.number(index, name, default)
        return [] if found is None else [int(value) for value in np.atleast_1d(np.asarray(found))]
