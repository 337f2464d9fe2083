"""Frequent faults in the code after a detector: another threshold, and boxes in other coordinates or codings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from samesight.contract.answers import Answer, answers
from samesight.contract.detection import detect
from samesight.contract.golden import GoldenCase
from samesight.contract.preprocess import Geometry, geometry
from samesight.contract.spec import ModelSpec
from samesight.conversion.qparams import Float32
from samesight.conversion.tasks.classification import threshold_below
from samesight.conversion.tasks.decoding_faults import activation_faults, decoded
from samesight.conversion.tasks.interface import AnswerFault, Answers

Box = tuple[float, float, float, float]


def answer_faults(cases: Sequence[GoldenCase], predictions: Answers, spec: ModelSpec) -> Iterator[AnswerFault]:
    """Another threshold or activation, other decoding; then every coordinate system of the boxes, every coding, and
    each pair of both.
    """
    yield from _threshold_fault(cases, predictions, spec)
    yield from activation_faults(cases, predictions, spec)
    yield from _decoding_faults(cases, predictions, spec)
    yield from _box_faults(cases, predictions, spec)


def _threshold_fault(cases: Sequence[GoldenCase], predictions: Answers, spec: ModelSpec) -> Iterator[AnswerFault]:
    lowest = min((answer.score for image in predictions for answer in image), default=0.0)
    if not 0.0 < lowest < 1.0 or spec.detection is None:
        return
    rule = spec.detection.model_copy(update={"score_threshold": threshold_below(lowest)})
    changed = spec.model_copy(update={"detection": rule})
    name = (
        f"another score threshold is used (the lowest score given is {lowest:.2g}; "
        f"the contract's threshold is {spec.detection.score_threshold:g})"
    )
    yield AnswerFault(name, [answers(case.outputs, changed, _geometry(case, spec)) for case in cases], predictions)


def _decoding_faults(cases: Sequence[GoldenCase], predictions: Answers, spec: ModelSpec) -> Iterator[AnswerFault]:
    rule = spec.detection
    assert rule is not None
    changed: dict[str, dict[str, object]] = {}
    if rule.suppression != "none":
        changed["overlapping boxes are not suppressed"] = {"suppression": "none"}
    if rule.boxes.unit != "pixels" and rule.boxes.coding != "anchor_deltas":
        pixels = rule.boxes.model_copy(update={"unit": "pixels"})
        changed[f"the raw boxes are taken for pixels, not for counts of a {rule.boxes.unit}"] = {"boxes": pixels}
    for name, update in changed.items():
        other = spec.model_copy(update={"detection": rule.model_copy(update=update)})
        yield AnswerFault(name, [decoded(case, other) for case in cases], predictions)
    if rule.boxes.strides:
        name = "the boxes are half a grid cell too far left and up (cells' corners taken for their middles)"
        moved = [
            decoded(case, spec, {**case.outputs, "boxes": _half_a_cell_back(case.outputs["boxes"], spec)})
            for case in cases
        ]
        yield AnswerFault(name, moved, predictions)


def _half_a_cell_back(boxes: Float32, spec: ModelSpec) -> Float32:
    """Raw distances, counted from the corners of the cells."""
    assert spec.detection is not None
    coding = spec.detection.boxes
    half = np.concatenate(
        [
            np.full((spec.input.width // stride) * (spec.input.height // stride), stride / 2, np.float32)
            for stride in coding.strides
        ]
    )
    size = {"pixels": 1.0, "fraction": np.array([spec.input.width, spec.input.height] * 2), "stride": 2 * half[:, None]}
    moved = boxes + (half[:, None] * np.array([1, 1, -1, -1], np.float32)) / size[coding.unit]
    return moved.astype(np.float32)


# Faulty codings of boxes: a description, and the function that turns such a box into corners.
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


def _box_faults(cases: Sequence[GoldenCase], predictions: Answers, spec: ModelSpec) -> Iterator[AnswerFault]:
    placed: list[tuple[str | None, Answers]] = [(None, [case.answers for case in cases])]
    boxes = [_misplaced(case, spec) for case in cases]
    for name in boxes[0] if boxes else ():
        placed.append(
            (
                name,
                [
                    _with_boxes(case.answers, boxes_by_fault[name])
                    for case, boxes_by_fault in zip(cases, boxes, strict=True)
                ],
            )
        )
    recoded: list[tuple[str | None, Answers]] = [(None, predictions)]
    for name, corners in CODINGS.items():
        recoded.append((name, [[replace(a, box=a.box and corners(a.box)) for a in image] for image in predictions]))
    pairs = [pair for pair in product(placed, recoded) if pair[0][0] or pair[1][0]]
    for (placement, expected), (coding, interpreted) in sorted(
        pairs, key=lambda pair: bool(pair[0][0]) + bool(pair[1][0])
    ):
        yield AnswerFault(" and ".join(name for name in (placement, coding) if name), expected, interpreted)


def _misplaced(case: GoldenCase, spec: ModelSpec) -> dict[str, Float32]:
    """The boxes [K, 4] of a case's answers, in their order, per fault in mapping them back to the image."""
    mapping, inside = _geometry(case, spec), detect(case.outputs, spec).boxes
    width, height = mapping.stored_size
    size: Float32 = np.array([spec.input.width, spec.input.height] * 2, np.float32)
    upright_size: Float32 = np.array([mapping.frame.source_width, mapping.frame.source_height] * 2, np.float32)
    stored_size: Float32 = np.array([width, height] * 2, np.float32)
    upright, stored = mapping.to_upright(inside), mapping.to_stored(inside)
    scaled = inside / size * upright_size
    turned = mapping.orientation.to_stored(scaled.astype(np.float64), width, height).astype(np.float32)
    return {
        "the boxes are in pixels of the network's input, not mapped back to the image": inside,
        "the boxes are fractions 0..1 of the image, not pixels": stored / stored_size,
        "the boxes are fractions 0..1 of the network's input, not pixels of the image": inside / size,
        "the boxes are in pixels of the upright image, not of the stored one": upright,
        "the boxes are fractions 0..1 of the upright image, not pixels of the stored one": upright / upright_size,
        "the boxes are scaled to the image as if it filled the input (border or crop forgotten)": turned,
        "the boxes are scaled to the upright image as if it filled the input (border or crop forgotten)": scaled,
    }


def _with_boxes(answers: Sequence[Answer], boxes: Float32) -> list[Answer]:
    return [
        replace(answer, box=(x1, y1, x2, y2)) for answer, (x1, y1, x2, y2) in zip(answers, boxes.tolist(), strict=True)
    ]


def _geometry(case: GoldenCase, spec: ModelSpec) -> Geometry:
    return geometry(case.picture.width, case.picture.height, case.picture.orientation, spec.input)
