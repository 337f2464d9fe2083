"""Image inputs of a Core ML model: converts a phone's pixel buffer to the tensor that the program takes.

The program's tensor is float [1, C, H, W] with values 0..255 in the colour order of the description; scale and bias of
a `ct.ImageType` are operators of the program itself.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.conversion.qparams import Float32, UInt8

Colour = Literal["RGB", "BGR", "GRAYSCALE", "GRAYSCALE_FLOAT16"]


@dataclass(frozen=True)
class ImageInput:
    """An image input as the description declares it. `colour` is the order of the program's planes."""

    width: int
    height: int
    colour: Colour

    @property
    def planes(self) -> int:
        """1 or 3."""
        return 1 if self.colour.startswith("GRAYSCALE") else 3


def image_input(feature: Any) -> ImageInput | None:
    """The image type of an input of the description; None: the input is an array."""
    if feature.type.WhichOneof("Type") != "imageType":
        return None
    image = feature.type.imageType
    return ImageInput(image.width, image.height, image.ColorSpace.Name(image.colorSpace))


def planes_of(pixels: UInt8, image: ImageInput, name: str = "image") -> Float32:
    """A pixel buffer as the program takes it: float32 [1, C, H, W], values 0..255.

    Args:
        pixels: uint8 [1, H, W, 4], BGRA (the layout bgra8_nhwc; alpha is ignored), or for a greyscale input
            uint8 [1, H, W, 1] too. Greyscale takes BGRA only if its three planes are equal: nobody says how Core ML
            would weigh them.
        image: the input.
        name: of the input, for the message.

    Raises:
        SamesightError: another size or number of channels, or colours for a greyscale input.
    """
    channels = pixels.shape[-1] if pixels.ndim == 4 else 0
    size = (1, image.height, image.width)
    if pixels.shape[:-1] != size or channels not in ((1, 4) if image.planes == 1 else (4,)):
        raise SamesightError(
            f"input {name!r} takes uint8 pixels {[*size, 4]} (BGRA), not {list(pixels.shape)}; resize the image first"
        )
    if image.planes == 3:
        order = [2, 1, 0] if image.colour == "RGB" else [0, 1, 2]
        return np.ascontiguousarray(pixels[..., order].transpose(0, 3, 1, 2)).astype(np.float32)
    if channels == 4 and not (pixels[..., 0] == pixels[..., 1]).all() & (pixels[..., 1] == pixels[..., 2]).all():
        raise SamesightError(f"input {name!r} is greyscale, but these pixels have colours; convert the image to grey")
    return np.ascontiguousarray(pixels[..., :1].transpose(0, 3, 1, 2)).astype(np.float32)
