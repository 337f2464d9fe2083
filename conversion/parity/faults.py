"""The ways in which an app's or a server's code around the network goes wrong in practice, each as a function.

One table serves two ends: `diagnosis` names the likely cause of a difference, and the sabotage tests inject each fault
and expect a failed verdict.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from PIL import Image

from samesight.contract.answers import Answer, answers
from samesight.contract.detection import detect
from samesight.contract.golden import GoldenCase
from samesight.contract.image import Picture
from samesight.contract.orientation import UPRIGHT, Orientation
from samesight.contract.preprocess import Geometry, geometry, preprocess
from samesight.contract.spec import Crop, Framing, Input, Letterbox, ModelSpec, Stretch
from samesight.conversion.qparams import Float32, UInt8

Answers = Sequence[Sequence[Answer]]
Box = tuple[float, float, float, float]


def network_values(tensor: UInt8, spec: Input) -> Float32:
    """What the original network takes: (low + p / 255 (high - low) - mean) / std; float32 [H, W, C]."""
    low, high = spec.value_range
    values = low + tensor.astype(np.float64) / 255.0 * (high - low)
    return ((values - np.array(spec.mean)) / np.array(spec.std)).astype(np.float32)


def pixels_for(values: Float32, spec: Input) -> UInt8:
    """The pixel levels that give these network values, rounded and clipped to 0..255; uint8 [H, W, C]."""
    low, high = spec.value_range
    levels = (values.astype(np.float64) * np.array(spec.std) + np.array(spec.mean) - low) / (high - low) * 255.0
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def _tensor(picture: Picture, spec: Input) -> UInt8:
    return preprocess(picture, spec)[0]


def _framed(framing: Framing) -> Callable[[Picture, Input], UInt8]:
    return lambda picture, spec: _tensor(picture, spec.model_copy(update={"framing": framing}))


def _cut(picture: Picture, spec: Input) -> UInt8:
    return _framed(Crop(resize_shorter=max(spec.width, spec.height)))(picture, spec)


def _widely_cut(picture: Picture, spec: Input) -> UInt8:
    return _framed(Crop(resize_shorter=max(spec.width, spec.height) * 8 // 7))(picture, spec)


def _resampled(resample: Image.Resampling) -> Callable[[Picture, Input], UInt8]:
    """Scaled to the contract's frame by looking at single points of the source: what phones' scalers do."""

    def scale(picture: Picture, spec: Input) -> UInt8:
        upright = picture.upright()
        _, geometry = preprocess(picture, spec)
        frame = geometry.frame
        across, down = frame.source_width / frame.scaled_width, frame.source_height / frame.scaled_height
        scaled = Image.fromarray(upright).transform(
            (frame.scaled_width, frame.scaled_height), Image.Transform.AFFINE, (across, 0, 0, 0, down, 0), resample
        )
        whole = Image.new("RGB", (frame.width, frame.height), (frame.pad,) * 3)
        whole.paste(scaled, (frame.left, frame.top))
        placed = Picture(np.asarray(whole))
        return _tensor(placed, spec.model_copy(update={"framing": Stretch()}))

    return scale


def _turned(quarter_turns: int, mirrored: bool = False) -> Callable[[Picture, Input], UInt8]:
    def turn(picture: Picture, spec: Input) -> UInt8:
        given = picture.orientation
        turned = Orientation((given.quarter_turns + quarter_turns) % 4, given.mirrored != mirrored)
        return _tensor(Picture(picture.pixels, turned), spec)

    return turn


IMAGE_FAULTS: dict[str, Callable[[Picture, Input], UInt8]] = {
    "the channels are in reverse order (BGR for RGB)": lambda p, s: np.ascontiguousarray(_tensor(p, s)[:, :, ::-1]),
    "the image is resized without antialias": _resampled(Image.Resampling.BILINEAR),
    "the image is resized by taking the nearest pixel": _resampled(Image.Resampling.NEAREST),
    "the image is resized with the other filter (bilinear, bicubic)": lambda p, s: _tensor(
        p, s.model_copy(update={"filter": "bilinear" if s.filter == "bicubic" else "bicubic"})
    ),
    "the image is stretched to the input size": _framed(Stretch()),
    "the middle of the image is cut out": _cut,
    "the middle of the image is cut out after a resize to 8/7 of the input": _widely_cut,
    "the image is fitted with a grey border (letterbox 114)": _framed(Letterbox(pad=114)),
    "the image is fitted with a black border (letterbox 0)": _framed(Letterbox(pad=0)),
    "the stored orientation (EXIF) is ignored": lambda p, s: _tensor(Picture(p.pixels, UPRIGHT), s),
    "the image is upside down": _turned(2),
    "the image is turned by 90 degrees": _turned(1),
    "the image is mirrored": _turned(0, mirrored=True),
    "height and width are exchanged": lambda p, s: np.ascontiguousarray(_tensor(p, s).transpose(1, 0, 2)),
    "a channels-last image is read as channels-first": lambda p, s: np.ascontiguousarray(
        _tensor(p, s).reshape(s.channel_count, s.height, s.width).transpose(1, 2, 0)
    ),
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


def answer_faults(
    cases: Sequence[GoldenCase], given: Answers, spec: ModelSpec
) -> Iterator[tuple[str, Answers, Answers]]:
    """Every fault after the network.

    Args:
        cases: golden images with the network's outputs.
        given: what somebody's code answered for each.
        spec: of the model.

    Yields:
        The fault in words, the right answers as the fault would leave them, and the given ones as the fault means them:
        both are the same where the fault explains the difference.
    """
    right = [case.answers for case in cases]
    for by, name in ((1, "the labels are one too high"), (-1, "the labels are one too low")):
        yield name, [[_shifted(answer, by, spec) for answer in image] for image in right], given
    yield (
        "the scores are percent, not 0..1",
        right,
        [[replace(answer, score=answer.score / 100) for answer in image] for image in given],
    )
    yield from _threshold_fault(cases, given, spec)
    if spec.task == "classification":
        ordered = [sorted(image, key=lambda answer: -answer.score) for image in given]
        yield "the answers are not in the order of their scores, best first", right, ordered
        raw = spec.model_copy(update={"outputs": spec.outputs.model_copy(update={"activation": "none"})})
        name = f"the scores are the network's raw outputs, without {spec.outputs.activation}"
        yield name, [answers(case.outputs, raw) for case in cases], given
    else:
        yield from _box_faults(cases, given, spec)


def _shifted(answer: Answer, by: int, spec: ModelSpec) -> Answer:
    index = (answer.index + by) % len(spec.labels)
    return replace(answer, index=index, label=spec.labels[index])


def _threshold_fault(
    cases: Sequence[GoldenCase], given: Answers, spec: ModelSpec
) -> Iterator[tuple[str, Answers, Answers]]:
    lowest = min((answer.score for image in given for answer in image), default=0.0)
    if not 0.0 < lowest < 1.0:
        return
    name = f"another score threshold is used (the lowest score given is {lowest:.2g}"
    # What is given was computed in floats of another order: the threshold lies a little below the lowest score.
    threshold = lowest - min(1e-4, lowest / 2)
    if spec.detection is None:
        kept = [[answer for answer in case.answers if answer.score >= threshold] for case in cases]
        yield f"{name}; the contract has none)", kept, given
        return
    changed = spec.model_copy(update={"detection": spec.detection.model_copy(update={"score_threshold": threshold})})
    found = [answers(case.outputs, changed, _geometry(case, spec)) for case in cases]
    yield f"{name}; the contract's threshold is {spec.detection.score_threshold:g})", found, given


# Where boxes are left, and how they are written; each alone and every pair.
CODINGS: dict[str, Callable[[Box], Box]] = {
    "the boxes are x, y, width, height, not two corners": lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]),
    "the boxes are centre x, centre y, width, height, not two corners": lambda b: (
        b[0] - b[2] / 2,
        b[1] - b[3] / 2,
        b[0] + b[2] / 2,
        b[1] + b[3] / 2,
    ),
    "x and y of the boxes are exchanged": lambda b: (b[1], b[0], b[3], b[2]),
}


def _box_faults(cases: Sequence[GoldenCase], given: Answers, spec: ModelSpec) -> Iterator[tuple[str, Answers, Answers]]:
    placed: list[tuple[str | None, Answers]] = [(None, [case.answers for case in cases])]
    boxes = [_misplaced(case, spec) for case in cases]
    for name in boxes[0] if boxes else ():
        placed.append(
            (name, [_with_boxes(case.answers, found[name]) for case, found in zip(cases, boxes, strict=True)])
        )
    written: list[tuple[str | None, Answers]] = [(None, given)]
    for name, corners in CODINGS.items():
        written.append((name, [[replace(a, box=a.box and corners(a.box)) for a in image] for image in given]))
    pairs = [pair for pair in product(placed, written) if pair[0][0] or pair[1][0]]
    for (place, expected), (coding, meant) in sorted(pairs, key=lambda pair: bool(pair[0][0]) + bool(pair[1][0])):
        yield " and ".join(name for name in (place, coding) if name), expected, meant


def _misplaced(case: GoldenCase, spec: ModelSpec) -> dict[str, Float32]:
    """The boxes [K, 4] of a case's answers, in their order, as they are when the way back to the image is wrong."""
    way, inside = _geometry(case, spec), detect(case.outputs, spec).boxes
    width, height = way.stored_size
    size: Float32 = np.array([spec.input.width, spec.input.height] * 2, np.float32)
    upright_size: Float32 = np.array([way.frame.source_width, way.frame.source_height] * 2, np.float32)
    stored_size: Float32 = np.array([width, height] * 2, np.float32)
    upright, stored = way.to_upright(inside), way.to_stored(inside)
    scaled = inside / size * upright_size
    turned = way.orientation.to_stored(scaled.astype(np.float64), width, height).astype(np.float32)
    return {
        "the boxes are in pixels of the network's input, not mapped back to the image": inside,
        "the boxes are fractions 0..1 of the image, not pixels": stored / stored_size,
        "the boxes are fractions 0..1 of the network's input, not pixels of the image": inside / size,
        "the boxes are in pixels of the upright image, not of the stored one": upright,
        "the boxes are fractions 0..1 of the upright image, not pixels of the stored one": upright / upright_size,
        "the boxes are scaled to the image as if it filled the input (border or crop forgotten)": turned,
        "the boxes are scaled to the upright image as if it filled the input (border or crop forgotten)": scaled,
    }


def _with_boxes(found: Sequence[Answer], boxes: Float32) -> list[Answer]:
    return [
        replace(answer, box=(x1, y1, x2, y2)) for answer, (x1, y1, x2, y2) in zip(found, boxes.tolist(), strict=True)
    ]


def _geometry(case: GoldenCase, spec: ModelSpec) -> Geometry:
    return geometry(case.picture.width, case.picture.height, case.picture.orientation, spec.input)
