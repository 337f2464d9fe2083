"""Frequent faults in an app's or a server's code around the network, each as a function.

One table serves two ends: `diagnosis` names the likely cause of a difference, and the sabotage tests inject each fault
and expect a failed verdict.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from PIL import Image

from samesight.contract.answers import Answer
from samesight.contract.golden import GoldenCase
from samesight.contract.image import Picture
from samesight.contract.orientation import UPRIGHT, Orientation
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Crop, Framing, Input, Letterbox, ModelSpec, Stretch
from samesight.conversion.normalisation import network_values
from samesight.conversion.qparams import Float32, UInt8
from samesight.conversion.tasks import TASKS
from samesight.conversion.tasks.interface import AnswerFault, Answers

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
    """

    kind: Literal["orientation", "framing", "resampling", "channels", "axes"]
    given: Callable[[Picture, Input], Given] = lambda picture, spec: (picture, spec)
    scaled: Callable[[Picture, Input], UInt8] = _tensor
    laid_out: Callable[[UInt8, Input], UInt8] = lambda tensor, spec: tensor

    def __call__(self, picture: Picture, spec: Input) -> UInt8:
        """The tensor uint8 [H, W, C] of code with this fault."""
        return self.laid_out(self.scaled(*self.given(picture, spec)), spec)

    def and_also(self, other: "ImageFault") -> Callable[[Picture, Input], UInt8]:
        """Code with both faults, which are of different kinds."""
        scaled = other.scaled if self.scaled is _tensor else self.scaled

        def make(picture: Picture, spec: Input) -> UInt8:
            tensor = scaled(*other.given(*self.given(picture, spec)))
            return other.laid_out(self.laid_out(tensor, spec), spec)

        return make


def _framed(framing: Framing) -> ImageFault:
    return ImageFault("framing", lambda picture, spec: (picture, spec.model_copy(update={"framing": framing})))


def _cut(numerator: int = 1, denominator: int = 1) -> ImageFault:
    def given(picture: Picture, spec: Input) -> Given:
        framing = Crop(resize_shorter=max(spec.width, spec.height) * numerator // denominator)
        return picture, spec.model_copy(update={"framing": framing})

    return ImageFault("framing", given)


def _resampled(resample: Image.Resampling) -> ImageFault:
    """Scales to the contract's frame by sampling single points of the source, as phones' scalers do."""

    def scale(picture: Picture, spec: Input) -> UInt8:
        upright = picture.upright()
        _, geometry = preprocess(picture, spec)
        frame = geometry.frame
        across, down = frame.source_width / frame.scaled_width, frame.source_height / frame.scaled_height
        scaled = Image.fromarray(upright).transform(
            (frame.scaled_width, frame.scaled_height), Image.Transform.AFFINE, (across, 0, 0, 0, down, 0), resample
        )
        framed = Image.new("RGB", (frame.width, frame.height), (frame.pad,) * 3)
        framed.paste(scaled, (frame.left, frame.top))
        placed = Picture(np.asarray(framed))
        return _tensor(placed, spec.model_copy(update={"framing": Stretch()}))

    return ImageFault("resampling", scaled=scale)


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
    "the image is resized with the other filter (bilinear, bicubic)": ImageFault("resampling", _other_filter),
    "the image is stretched to the input size": _framed(Stretch()),
    "the middle of the image is cut out": _cut(),
    "the middle of the image is cut out after a resize to 8/7 of the input": _cut(8, 7),
    "the image is fitted with a grey border (letterbox 114)": _framed(Letterbox(pad=114)),
    "the image is fitted with a black border (letterbox 0)": _framed(Letterbox(pad=0)),
    "the stored orientation (EXIF) is ignored": ImageFault("orientation", lambda p, s: (Picture(p.pixels, UPRIGHT), s)),
    "the image is upside down": _turned(2),
    "the image is turned by 90 degrees": _turned(1),
    "the image is mirrored": _turned(0, mirrored=True),
    "height and width are exchanged": ImageFault(
        "axes", laid_out=lambda t, s: np.ascontiguousarray(t.transpose(1, 0, 2))
    ),
    "a channels-last image is read as channels-first": ImageFault(
        "axes",
        laid_out=lambda t, s: np.ascontiguousarray(t.reshape(s.channel_count, s.height, s.width).transpose(1, 2, 0)),
    ),
}


def image_pairs() -> dict[str, Callable[[Picture, Input], UInt8]]:
    """Every two image faults of different kinds at once."""
    return {
        f"{name} and {other_name}": fault.and_also(other)
        for (name, fault), (other_name, other) in combinations(IMAGE_FAULTS.items(), 2)
        if fault.kind != other.kind
    }


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _affine(scale: float, offset: float) -> Callable[[UInt8, Input], Float32]:
    return lambda tensor, spec: (tensor.astype(np.float32) * np.float32(scale) + np.float32(offset)).astype(np.float32)


def _imagenet(tensor: UInt8, spec: Input) -> Float32:
    if spec.channel_count != 3:
        return network_values(tensor, spec)
    return network_values(
        tensor, spec.model_copy(update={"value_range": (0, 1), "mean": IMAGENET_MEAN, "std": IMAGENET_STD})
    )


def _twice(tensor: UInt8, spec: Input) -> Float32:
    return ((network_values(tensor, spec) - np.array(spec.mean)) / np.array(spec.std)).astype(np.float32)


def _reversed(tensor: UInt8, spec: Input) -> Float32:
    return network_values(tensor, spec.model_copy(update={"mean": spec.mean[::-1], "std": spec.std[::-1]}))


VALUE_FAULTS: dict[str, Callable[[UInt8, Input], Float32]] = {
    "the pixels are left at 0..255": _affine(1.0, 0.0),
    "the pixels are scaled to 0..1 and not normalised": _affine(1 / 255, 0.0),
    "the pixels are scaled to -1..1": _affine(1 / 127.5, -1.0),
    "the pixels are scaled to 0..1 twice": _affine(1 / 255**2, 0.0),
    "ImageNet's mean and standard deviation are used": _imagenet,
    "the normalisation is applied twice": _twice,
    "mean and standard deviation are in reverse order": _reversed,
}


def answer_faults(cases: Sequence[GoldenCase], predictions: Answers, spec: ModelSpec) -> Iterator[AnswerFault]:
    """Every fault after the network: those that any task has, then those of this one.

    Args:
        cases: golden images with the network's outputs.
        predictions: the answers of the code under test to each.
        spec: of the model.
    """
    right = [case.answers for case in cases]
    for by, name in ((1, "the labels are one too high"), (-1, "the labels are one too low")):
        yield AnswerFault(name, [[_shifted(answer, by, spec) for answer in image] for image in right], predictions)
    fractions = [[replace(answer, score=answer.score / 100) for answer in image] for image in predictions]
    yield AnswerFault("the scores are percent, not 0..1", right, fractions)
    yield from TASKS[spec.task].answer_faults(cases, predictions, spec)


def _shifted(answer: Answer, by: int, spec: ModelSpec) -> Answer:
    index = (answer.index + by) % len(spec.labels)
    return replace(answer, index=index, label=spec.labels[index])
