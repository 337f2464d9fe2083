"""Makes the input tensor of a picture: turned upright, framed and resized, then converted to the spec's channels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samesight.contract.framing import Frame, fill, frame
from samesight.contract.image import Picture
from samesight.contract.orientation import Orientation
from samesight.contract.spec import Input


@dataclass(frozen=True)
class Geometry:
    """The mapping between pixels of the input tensor and of the picture, with which boxes are mapped back."""

    frame: Frame
    orientation: Orientation

    def to_upright(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes [K, 4] in input pixels as float32 boxes in pixels of the upright image, clipped to it (for drawing)."""
        return self.frame.to_upright(boxes).astype(np.float32)

    def to_stored(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes [K, 4] in input pixels as float32 boxes in pixels of the stored image, clipped to it."""
        width, height = self.stored_size
        return self.orientation.to_stored(self.frame.to_upright(boxes), width, height).astype(np.float32)

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the stored image, in pixels."""
        return self.orientation.upright_size(self.frame.source_width, self.frame.source_height)


def geometry(width: int, height: int, orientation: Orientation, spec: Input) -> Geometry:
    """The geometry of a stored image of `width` x `height` pixels, without touching pixels."""
    return Geometry(frame(*orientation.upright_size(width, height), spec), orientation)


def preprocess(picture: Picture, spec: Input) -> tuple[NDArray[np.uint8], Geometry]:
    """The input tensor of a picture.

    Returns:
        uint8 [H, W, C] in 0..255 (C in the order of `spec.channels`), contiguous; and the geometry that maps boxes
        back.
    """
    mapping = geometry(picture.width, picture.height, picture.orientation, spec)
    return to_channels(fill(picture.upright(), mapping.frame, spec.filter), spec.channels), mapping


def to_channels(pixels: NDArray[np.uint8], channels: str) -> NDArray[np.uint8]:
    """RGB [H, W, 3] as `rgb`, `bgr` or `grey` ([H, W, 1], Pillow's L: ITU-R 601-2 in 16-bit fixed point)."""
    if channels == "grey":
        r, g, b = (pixels[:, :, i].astype(np.int32) for i in range(3))
        return ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16).astype(np.uint8)[:, :, None]
    return np.ascontiguousarray(pixels[:, :, ::-1]) if channels == "bgr" else pixels
