"""Pillow's resize: the reference itself, and its fixed-point kernel for a window of the scaled image.

`docs/contract.md`, "Resize", is the normative text of the kernel; both functions below give its exact bits.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Filter = Literal["bilinear", "bicubic"]

PRECISION_BITS = 32 - 8 - 2
_SUPPORT: dict[Filter, float] = {"bilinear": 1.0, "bicubic": 2.0}
_PILLOW: dict[Filter, Image.Resampling] = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


@dataclass(frozen=True)
class Window:
    """A rectangle in whole pixels of the scaled image."""

    left: int
    top: int
    width: int
    height: int


def resize(pixels: NDArray[np.uint8], width: int, height: int, filter: Filter) -> NDArray[np.uint8]:
    """The image [h, w, 3] resized to [height, width, 3] by Pillow, with antialias: always first across, then down.

    Two calls fix the order of the passes, on which the exact result depends: Pillow up to 12 goes across first, Pillow
    13 goes down first for images that lose far more height than width.
    """
    image = Image.fromarray(pixels)
    across = image.resize((width, image.height), _PILLOW[filter])
    return np.array(across.resize((width, height), _PILLOW[filter]))


def resize_window(
    pixels: NDArray[np.uint8], width: int, height: int, window: Window, filter: Filter
) -> NDArray[np.uint8]:
    """`resize(pixels, width, height, filter)` cut to `window`, without computing what lies outside.

    A crop from an image of extreme aspect is a small window of a huge scaled image (1 x 8000 pixels with the shorter
    side resized to 256 are half a thousand million), which Pillow would have to make whole.
    """
    source_height, source_width, _ = pixels.shape
    columns = weights(source_width, width, window.left, window.left + window.width, filter)
    rows = weights(source_height, height, window.top, window.top + window.height, filter)
    first = rows[0][0]
    last = rows[-1][0] + len(rows[-1][1])
    narrow = np.stack([_weigh(pixels[first:last, x : x + len(k)], k, axis=1) for x, k in columns], axis=1)
    return np.stack([_weigh(narrow[y - first : y - first + len(k)], k, axis=0) for y, k in rows], axis=0)


def weights(size: int, scaled: int, first: int, last: int, filter: Filter) -> list[tuple[int, NDArray[np.int64]]]:
    """Start and 22-bit integer weights of the source pixels that make each of the scaled pixels first..last - 1."""
    scale = size / scaled
    filter_scale = max(scale, 1.0)
    support = _SUPPORT[filter] * filter_scale
    inverse = 1.0 / filter_scale
    result = []
    for position in range(first, last):
        centre = (position + 0.5) * scale
        start = max(int(centre - support + 0.5), 0)
        stop = min(int(centre + support + 0.5), size)
        taps = np.arange(start, stop, dtype=np.float64)
        real = _kernel((taps - centre + 0.5) * inverse, filter)
        # cumsum adds one after the other, as the C code does; numpy's sum adds pairwise.
        total = np.cumsum(real)[-1]
        if total != 0.0:
            real = real / total
        scaled_up = real * (1 << PRECISION_BITS)
        result.append((start, np.trunc(np.where(real < 0, scaled_up - 0.5, scaled_up + 0.5)).astype(np.int64)))
    return result


def _kernel(x: NDArray[np.float64], filter: Filter) -> NDArray[np.float64]:
    x = np.abs(x)
    if filter == "bilinear":
        return np.where(x < 1.0, 1.0 - x, 0.0)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _weigh(pixels: NDArray[np.uint8], k: NDArray[np.int64], axis: int) -> NDArray[np.uint8]:
    total: NDArray[np.int64] = np.tensordot(pixels, k, axes=(axis, 0)) + (1 << (PRECISION_BITS - 1))
    clipped: NDArray[np.int64] = np.clip(total >> PRECISION_BITS, 0, 255)
    return clipped.astype(np.uint8)
