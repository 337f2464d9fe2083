"""Orientation: turns a stored image upright, and maps boxes back to the stored image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samesight.contract.errors import SamesightError

# EXIF 2.32, tag 274: value -> (quarter turns clockwise, then mirrored left to right).
_EXIF: dict[int, tuple[int, bool]] = {
    1: (0, False),
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (1, True),
    6: (1, False),
    7: (3, True),
    8: (3, False),
}


@dataclass(frozen=True)
class Orientation:
    """What makes a stored image upright: `quarter_turns` clockwise (0..3), then left-right mirrored or not."""

    quarter_turns: int = 0
    mirrored: bool = False

    def __post_init__(self) -> None:
        if self.quarter_turns not in (0, 1, 2, 3):
            raise SamesightError(f"an orientation has 0, 1, 2 or 3 quarter turns, not {self.quarter_turns}")

    @property
    def exif(self) -> int:
        """The EXIF value 1..8 of this orientation."""
        return next(value for value, turn in _EXIF.items() if turn == (self.quarter_turns, self.mirrored))

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the upright image, from those of the stored one."""
        return (height, width) if self.quarter_turns % 2 else (width, height)

    def upright(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The upright image [H', W', ...] of a stored one [H, W, ...], contiguous."""
        turned = np.rot90(pixels, -self.quarter_turns)
        return np.ascontiguousarray(turned[:, ::-1] if self.mirrored else turned)

    def to_stored(self, boxes: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
        """Boxes of the upright image as boxes of the stored one.

        Args:
            boxes: [K, 4] x1, y1, x2, y2 in pixels of the upright image; x1 <= x2, y1 <= y2.
            width: of the stored image, in pixels.
            height: of the stored image, in pixels.

        Returns:
            [K, 4] in pixels of the stored image, again with x1 <= x2, y1 <= y2.
        """
        x1, y1, x2, y2 = boxes.T
        if self.mirrored:
            upright_width, _ = self.upright_size(width, height)
            x1, x2 = upright_width - x2, upright_width - x1
        if self.quarter_turns == 1:
            x1, y1, x2, y2 = y1, height - x2, y2, height - x1
        elif self.quarter_turns == 2:
            x1, y1, x2, y2 = width - x2, height - y2, width - x1, height - y1
        elif self.quarter_turns == 3:
            x1, y1, x2, y2 = width - y2, x1, width - y1, x2
        return np.stack([x1, y1, x2, y2], axis=1)


UPRIGHT = Orientation()


def from_exif(value: object) -> Orientation:
    """The orientation of an EXIF value; anything but 1..8 counts as 1, upright, as in every viewer."""
    return Orientation(*_EXIF[value]) if isinstance(value, int) and value in _EXIF else UPRIGHT


def from_rotation(degrees: int, mirrored: bool = False) -> Orientation:
    """The orientation of a camera frame.

    Args:
        degrees: 0, 90, 180 or 270: the clockwise turn that makes the frame upright (CameraX's `rotationDegrees`).
        mirrored: whether the upright image is then mirrored left to right (a front camera's preview).
    """
    if degrees not in (0, 90, 180, 270):
        raise SamesightError(f"a rotation is 0, 90, 180 or 270 degrees, not {degrees}")
    return Orientation(degrees // 90, mirrored)
