"""Frequent faults in image code, each as a function: orientation, framing, resampling, colours, layout.

One table serves two ends: `causes` names the likely cause of a difference, and the sabotage tests inject each fault
and expect a failed verdict.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from samesight.contract.framing import Frame, fill
from samesight.contract.image import Picture
from samesight.contract.orientation import UPRIGHT, Orientation
from samesight.contract.preprocess import Geometry, geometry, preprocess, to_channels
from samesight.contract.spec import Crop, Framing, Input, Letterbox, Stretch
from samesight.conversion.qparams import UInt8

Given = tuple[Picture, Input]


def _tensor(picture: Picture, spec: Input) -> UInt8:
    return preprocess(picture, spec)[0]


@dataclass(frozen=True)
class ImageFault:
    """A fault before the normalisation, callable with a picture and the contract's input: gives the wrong tensor.

    Attributes:
        kind: two faults of one kind exclude each other.
        given: what the code takes for the picture and the contract.
        scaled: makes the tensor uint8 [H, W, C] of both.
        laid_out: what becomes of the tensor then.
        placed: where the image lies in the input then, for code that maps boxes back accordingly.
    """

    kind: Literal["orientation", "framing", "resampling", "colour", "channels", "axes"]
    given: Callable[[Picture, Input], Given] = lambda picture, spec: (picture, spec)
    scaled: Callable[[Picture, Input], UInt8] = _tensor
    laid_out: Callable[[UInt8, Input], UInt8] = lambda tensor, spec: tensor
    placed: Callable[[Frame], Frame] = lambda frame: frame

    def __call__(self, picture: Picture, spec: Input) -> UInt8:
        """The tensor uint8 [H, W, C] of code with this fault."""
        return self.laid_out(self.scaled(*self.given(picture, spec)), spec)

    def geometry(self, picture: Picture, spec: Input) -> Geometry:
        """The mapping of boxes to the stored image that goes with the fault: of code that is wrong throughout."""
        taken, framed = self.given(picture, spec)
        own = geometry(taken.width, taken.height, taken.orientation, framed)
        return Geometry(self.placed(own.frame), own.orientation)

    def and_also(self, other: "ImageFault") -> "ImageFault":
        """Code with both faults, which are of different kinds."""
        return ImageFault(
            self.kind,
            lambda picture, spec: other.given(*self.given(picture, spec)),
            other.scaled if self.scaled is _tensor else self.scaled,
            lambda tensor, spec: other.laid_out(self.laid_out(tensor, spec), spec),
            lambda frame: other.placed(self.placed(frame)),
        )


def _framed(framing: Framing) -> ImageFault:
    return ImageFault("framing", lambda picture, spec: (picture, spec.model_copy(update={"framing": framing})))


def _cut(numerator: int = 1, denominator: int = 1) -> ImageFault:
    def given(picture: Picture, spec: Input) -> Given:
        framing = Crop(resize_shorter=max(spec.width, spec.height) * numerator // denominator)
        return picture, spec.model_copy(update={"framing": framing})

    return ImageFault("framing", given)


# Of one side of the source and of the result: pixels of the source per pixel of the result, and where the first lies,
# counted from the middle of the source's first.
Grid = Callable[[int, int], tuple[float, float]]


def _centres(source: int, scaled: int) -> tuple[float, float]:
    return source / scaled, source / scaled / 2 - 0.5


def _starts(source: int, scaled: int) -> tuple[float, float]:
    return source / scaled, 0.0


def _corners(source: int, scaled: int) -> tuple[float, float]:
    """First on first and last on last, as with align_corners."""
    return (source - 1) / max(1, scaled - 1), 0.0


def _resampled(resample: Image.Resampling, grid: Grid = _centres) -> ImageFault:
    """Scales to the contract's frame by sampling single points of the source, as phones' scalers do."""

    def scale(picture: Picture, spec: Input) -> UInt8:
        upright = picture.upright()
        frame = geometry(picture.width, picture.height, picture.orientation, spec).frame
        across, left = grid(frame.source_width, frame.scaled_width)
        down, top = grid(frame.source_height, frame.scaled_height)
        # Pillow samples at the middle of a result's pixel, and counts from the corner of the source's first.
        shift = (left + 0.5 - across / 2, top + 0.5 - down / 2)
        size = (frame.scaled_width, frame.scaled_height)
        # One more pixel on each side: Pillow gives black to what lies outside.
        wide = np.pad(upright, ((1, 1), (1, 1), (0, 0)), mode="edge")
        scaled = Image.fromarray(wide).transform(
            size, Image.Transform.AFFINE, (across, 0, shift[0] + 1, 0, down, shift[1] + 1), resample
        )
        framed = Image.new("RGB", (frame.width, frame.height), (frame.pad,) * 3)
        framed.paste(scaled, (frame.left, frame.top))
        placed = Picture(np.asarray(framed))
        return _tensor(placed, spec.model_copy(update={"framing": Stretch()}))

    return ImageFault("resampling", scaled=scale)


def _at_top_left(frame: Frame) -> Frame:
    return replace(frame, left=0, top=0)


def _top_left(picture: Picture, spec: Input) -> UInt8:
    frame = _at_top_left(geometry(picture.width, picture.height, picture.orientation, spec).frame)
    return to_channels(fill(picture.upright(), frame, spec.filter), spec.channels)


# Rec. ITU-R BT.601-7 and BT.709-6: red, green and blue in luma; full range.
_LUMA = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}


def _to_ycc(matrix: str) -> npt.NDArray[np.float64]:
    """RGB to Y, Cb, Cr, all in 0..1 (chroma about 0)."""
    red, green, blue = _LUMA[matrix]
    y = np.array([red, green, blue])
    return np.stack([y, (np.array([0, 0, 1]) - y) / (2 - 2 * blue), (np.array([1, 0, 0]) - y) / (2 - 2 * red)])


def _recoloured(change: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]) -> ImageFault:
    """Levels 0..1 [H, W, 3], in RGB, before all else."""

    def given(picture: Picture, spec: Input) -> Given:
        changed = np.clip(change(picture.pixels / 255.0), 0.0, 1.0)
        return Picture(np.round(changed * 255.0).astype(np.uint8), picture.orientation), spec

    return ImageFault("colour", given)


def _chroma(
    gain: tuple[float, float, float] = (1, 1, 1),
    black: float = 0.0,
    encoded: str = "bt601",
    decoded: str = "bt601",
    order: tuple[int, int, int] = (0, 1, 2),
) -> ImageFault:
    """Encoded as Y, Cb, Cr in one way and decoded in another."""

    def change(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        ycc = (rgb @ _to_ycc(encoded).T)[:, :, order] * gain
        ycc[:, :, 0] += black
        return np.asarray(ycc @ np.linalg.inv(_to_ycc(decoded)).T, np.float64)

    return _recoloured(change)


def _turned(quarter_turns: int, mirrored: bool = False) -> ImageFault:
    def given(picture: Picture, spec: Input) -> Given:
        orientation = picture.orientation
        faulty = Orientation((orientation.quarter_turns + quarter_turns) % 4, orientation.mirrored != mirrored)
        return Picture(picture.pixels, faulty), spec

    return ImageFault("orientation", given)


def _other_filter(picture: Picture, spec: Input) -> Given:
    return picture, spec.model_copy(update={"filter": "bilinear" if spec.filter == "bicubic" else "bicubic"})


IMAGE_FAULTS: dict[str, ImageFault] = {
    "the channels are in reverse order (BGR for RGB)": ImageFault(
        "channels", laid_out=lambda t, s: np.ascontiguousarray(t[:, :, ::-1])
    ),
    "the image is resized without antialias": _resampled(Image.Resampling.BILINEAR),
    "the image is resized by taking the nearest pixel": _resampled(Image.Resampling.NEAREST),
    "the image is resized by taking the pixel nearest to the corner, as OpenCV does": _resampled(
        Image.Resampling.NEAREST, lambda source, scaled: (source / scaled, -0.5)
    ),
    "the image is resized with the other filter (bilinear, bicubic)": ImageFault("resampling", _other_filter),
    "the image is resized half a pixel aside (half_pixel_centers off), without antialias": _resampled(
        Image.Resampling.BILINEAR, _starts
    ),
    "the image is resized with its corners aligned (align_corners), without antialias": _resampled(
        Image.Resampling.BILINEAR, _corners
    ),
    "the image is stretched to the input size": _framed(Stretch()),
    "the middle of the image is cut out": _cut(),
    "the middle of the image is cut out after a resize to 8/7 of the input": _cut(8, 7),
    "the image is fitted with a grey border (letterbox 114)": _framed(Letterbox(pad=114)),
    "the image is fitted with a black border (letterbox 0)": _framed(Letterbox(pad=0)),
    "the image is placed at the top left, not in the middle": ImageFault(
        "framing", scaled=_top_left, placed=_at_top_left
    ),
    "the stored orientation (EXIF) is ignored": ImageFault("orientation", lambda p, s: (Picture(p.pixels, UPRIGHT), s)),
    "the image is upside down": _turned(2),
    "the image is turned by 90 degrees": _turned(1),
    "the image is turned by 270 degrees": _turned(3),
    "the image is mirrored": _turned(0, mirrored=True),
    "the image has lost its colours": _chroma(gain=(1, 0, 0)),
    "blue and red differences are exchanged (U and V, NV12 for NV21)": _chroma(order=(0, 2, 1)),
    "limited-range YUV (16..235) is taken for full range": _chroma((219 / 255, 224 / 255, 224 / 255), 16 / 255),
    "full-range YUV is taken for limited range (16..235)": _chroma((255 / 219, 255 / 224, 255 / 224), -16 / 219),
    "the image is brighter by a gamma of 2.2 (encoded twice)": _recoloured(lambda levels: levels ** (1 / 2.2)),
    "the image is darker by a gamma of 2.2 (linear light)": _recoloured(lambda levels: levels**2.2),
    "height and width are exchanged": ImageFault(
        "axes", laid_out=lambda t, s: np.ascontiguousarray(t.transpose(1, 0, 2)).reshape(t.shape)
    ),
    "a channels-last image is read as channels-first": ImageFault(
        "axes",
        laid_out=lambda t, s: np.ascontiguousarray(t.reshape(s.channel_count, s.height, s.width).transpose(1, 2, 0)),
    ),
}


def image_pairs() -> dict[tuple[str, str], ImageFault]:
    """Every two image faults of different kinds at once, by both names."""
    return {
        (name, other_name): fault.and_also(other)
        for (name, fault), (other_name, other) in combinations(IMAGE_FAULTS.items(), 2)
        if fault.kind != other.kind and _tensor in (fault.scaled, other.scaled)
    }
