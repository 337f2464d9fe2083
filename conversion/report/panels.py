"""One model's answers on one image, as plain values that the templates draw."""

from dataclasses import dataclass
from typing import Literal

from samesight.conversion.parity.run import Record

BoxKind = Literal["same", "extra", "missing", "truth"]


@dataclass(frozen=True)
class Box:
    """One box in pixels of the upright image, with the place of its label.

    kind: `same` as one of the server model's; `extra` has no counterpart there; `missing` is the server model's alone.
    """

    x: float
    y: float
    width: float
    height: float
    label: str
    score: str
    kind: BoxKind
    text_x: float
    text_y: float
    anchor: Literal["start", "end"]


@dataclass(frozen=True)
class Line:
    """One ranked label."""

    label: str
    score: str
    share: float


@dataclass(frozen=True)
class Panel:
    """One model's answers on one image.

    Attributes:
        number: the artifact's row; -1 is the server model.
        same: whether its answers are the server model's; None where it has none, with the reason in `note`.
    """

    number: int
    name: str
    same: bool | None
    note: str
    lines: tuple[Line, ...] = ()
    boxes: tuple[Box, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class Shown:
    """One artifact of the gallery: its outputs and answers, or why it has none."""

    number: int
    name: str
    precision: str
    record: Record | None
    why_not: str

    @property
    def ran(self) -> bool:
        """Whether it ran to the end."""
        return self.record is not None and self.record.error is None
