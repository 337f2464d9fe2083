"""Framing: which part of an upright image the network sees, and at what size. Integers only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samesight.contract.resize import Filter, Window, resize, resize_window
from samesight.contract.spec import Crop, Input, Letterbox, StretchCrop

# A crop is computed for its window alone when the scaled image would have more than this many times its pixels.
_WASTE = 64


@dataclass(frozen=True)
class Frame:
    """The integers of one framing, all in pixels.

    The upright image of `source_width` x `source_height` is resized to `scaled_width` x `scaled_height`, and its top
    left corner is placed at (`left`, `top`) of the input of `width` x `height`. A crop has left, top <= 0, a letterbox
    >= 0; pixels that the image does not cover have level `pad` in every channel.
    """

    source_width: int
    source_height: int
    scaled_width: int
    scaled_height: int
    left: int
    top: int
    width: int
    height: int
    pad: int = 0

    def to_upright(self, boxes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Boxes [K, 4] in input pixels as boxes in pixels of the upright image, clipped to it; float64, not rounded."""
        left_top = np.array([self.left, self.top] * 2, dtype=np.float64)
        source = np.array([self.source_width, self.source_height] * 2, dtype=np.float64)
        scaled = np.array([self.scaled_width, self.scaled_height] * 2, dtype=np.float64)
        mapped = (boxes.astype(np.float64) - left_top) * source / scaled
        # The first comparison also turns -0.0 into 0.0.
        above = np.where(mapped > 0.0, mapped, 0.0)
        return np.where(above < source, above, source)


def frame(width: int, height: int, spec: Input) -> Frame:
    """The frame of an upright image of `width` x `height` pixels (1..65535 each) for the input `spec`."""
    if isinstance(spec.framing, Crop | StretchCrop):
        if isinstance(spec.framing, Crop):
            scaled_width, scaled_height = _resized(width, height, spec.framing.resize_shorter)
        else:
            scaled_width, scaled_height = spec.framing.resize_width, spec.framing.resize_height
        left, top = -_offset(scaled_width - spec.width), -_offset(scaled_height - spec.height)
        return Frame(width, height, scaled_width, scaled_height, left, top, spec.width, spec.height)
    if isinstance(spec.framing, Letterbox):
        scaled_width, scaled_height = _fitted(width, height, spec.width, spec.height)
        left, top = (spec.width - scaled_width) // 2, (spec.height - scaled_height) // 2
        return Frame(width, height, scaled_width, scaled_height, left, top, spec.width, spec.height, spec.framing.pad)
    return Frame(width, height, spec.width, spec.height, 0, 0, spec.width, spec.height)


def _resized(width: int, height: int, shorter: int) -> tuple[int, int]:
    """The shorter side given, the longer one in proportion, rounded down (torchvision's Resize)."""
    if width <= height:
        return shorter, shorter * height // width
    return shorter * width // height, shorter


def _offset(excess: int) -> int:
    """Half of `excess`, halves rounded to even: torchvision's CenterCrop, int(round(excess / 2.0))."""
    return (excess + ((excess >> 1) & 1)) >> 1


def _fitted(width: int, height: int, into_width: int, into_height: int) -> tuple[int, int]:
    """The largest size of the same aspect that fits, halves rounded up, at least one pixel."""
    if into_width * height <= into_height * width:
        scaled = (2 * height * into_width + width) // (2 * width)
        return into_width, min(max(scaled, 1), into_height)
    scaled = (2 * width * into_height + height) // (2 * height)
    return min(max(scaled, 1), into_width), into_height


def fill(pixels: NDArray[np.uint8], frame: Frame, filter: Filter) -> NDArray[np.uint8]:
    """The upright image [h, w, 3] framed and resized to [height, width, 3] of the input, still RGB."""
    if frame.scaled_width >= frame.width and frame.scaled_height >= frame.height:
        window = Window(-frame.left, -frame.top, frame.width, frame.height)
        if frame.scaled_width * frame.scaled_height > _WASTE * frame.width * frame.height:
            return resize_window(pixels, frame.scaled_width, frame.scaled_height, window, filter)
        scaled = resize(pixels, frame.scaled_width, frame.scaled_height, filter)
        return np.ascontiguousarray(
            scaled[window.top : window.top + window.height, window.left : window.left + window.width]
        )
    result = np.full((frame.height, frame.width, 3), frame.pad, dtype=np.uint8)
    scaled = resize(pixels, frame.scaled_width, frame.scaled_height, filter)
    result[frame.top : frame.top + frame.scaled_height, frame.left : frame.left + frame.scaled_width] = scaled
    return result
