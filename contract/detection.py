"""Detection: decodes raw heads into boxes in input pixels; class-wise non-maximum suppression."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from samesight.contract.activation import Activation, activate, raw_threshold, sigmoid
from samesight.contract.box_coding import decode, position_count, positive
from samesight.contract.errors import SamesightError
from samesight.contract.task_rules import Decoded, ExpectedShape, Shape, TaskRules

if TYPE_CHECKING:
    from samesight.contract.spec import Detection, ModelSpec, Role


@dataclass(frozen=True, eq=False)
class Detections:
    """The boxes found in one image, best first.

    Attributes:
        boxes: float32 [K, 4], x1 <= x2, y1 <= y2, in input pixels, not clipped.
        scores: float32 [K].
        classes: int64 [K], indices into the spec's labels (a background class is not counted).
        positions: int64 [K], where in the heads each was found.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    positions: NDArray[np.int64]


def check_spec(spec: "ModelSpec") -> None:
    """Boxes, a coding that fits the input, and a background class among the classes.

    Raises:
        ValueError: the spec contradicts itself.
    """
    if spec.detection is None or "boxes" not in spec.outputs.roles:
        raise ValueError("a detection needs the field 'detection' and the role 'boxes'")
    background = spec.detection.background
    if background is not None and background >= spec.class_count:
        raise ValueError(f"background class {background} is outside the {spec.class_count} classes")
    if background is not None and spec.outputs.activation == "sigmoid":
        raise ValueError("a background class goes with softmax or none, not with sigmoid")
    for stride in spec.detection.boxes.strides:
        if spec.input.width % stride or spec.input.height % stride:
            raise ValueError(f"stride {stride} does not divide the input {spec.input.width} x {spec.input.height}")


def expected_shapes(shapes: "Mapping[Role, Shape]", spec: "ModelSpec") -> list[ExpectedShape]:
    """Logits [1, N, C], boxes [1, N, 4], objectness [1, N, 1]; N is that of the logits, and of the grids."""
    positions = shapes["logits"][1] if len(shapes["logits"]) == 3 else 0
    expected = [
        ExpectedShape("logits", (1, positions, spec.class_count), "labels or background"),
        ExpectedShape("boxes", (1, positions, 4), "roles"),
    ]
    if "objectness" in spec.roles:
        expected.append(ExpectedShape("objectness", (1, positions, 1), "roles"))
    count = grid_positions(spec)
    if count is not None:
        fields = "grids" if _rule(spec).boxes.grids else "strides or input size"
        expected.append(ExpectedShape("boxes", (1, count, 4), fields))
    return expected


def grid_positions(spec: "ModelSpec") -> int | None:
    """Number of positions of the spec's strides or grids; None where its boxes belong to neither."""
    coding = _rule(spec).boxes
    return position_count(coding, spec.input) if coding.strides or coding.grids else None


def decode_outputs(outputs: "dict[Role, NDArray[np.float32]]", spec: "ModelSpec") -> Decoded:
    """The boxes that `detect` finds."""
    detections = detect(outputs, spec)
    return Decoded(detections.classes.tolist(), detections.scores.tolist(), detections.boxes)


def detect(outputs: "dict[Role, NDArray[np.float32]]", spec: "ModelSpec") -> Detections:
    """Boxes of one image.

    Args:
        outputs: logits [1, N, C], boxes [1, N, 4], and objectness [1, N, 1] where the spec has it; float32.
        spec: of the task detection.

    Raises:
        SamesightError: a candidate's box is not finite.
    """
    rule = _rule(spec)
    classes, ranking, threshold = _candidates(outputs, spec.outputs.activation, rule)
    passing = np.nonzero(ranking >= threshold)[0]
    order = passing[np.argsort(-ranking[passing], kind="stable")]
    boxes = decode(outputs["boxes"][0][order], order, rule.boxes, spec.input)
    if rule.suppression == "class_wise":
        selected = suppress(boxes, classes[order], rule.iou_threshold, rule.max_detections)
    else:
        selected = np.arange(min(len(order), rule.max_detections))
    positions = order[selected]
    scores = ranking[positions]
    if spec.outputs.activation == "sigmoid" and "objectness" not in outputs:
        scores = sigmoid(scores)
    return Detections(boxes[selected], scores, _label_indices(classes[positions], rule.background), positions)


def reaches_threshold(outputs: "dict[Role, NDArray[np.float32]]", spec: "ModelSpec") -> NDArray[np.bool_]:
    """The positions of one image that are candidates before suppression: bool [N]."""
    _, ranking, threshold = _candidates(outputs, spec.outputs.activation, _rule(spec))
    return ranking >= threshold


def _rule(spec: "ModelSpec") -> "Detection":
    if spec.detection is None:
        raise SamesightError(f"model {spec.name}: its task is {spec.task}, but detection was asked for")
    return spec.detection


def _candidates(
    outputs: "dict[Role, NDArray[np.float32]]", activation: Activation, rule: "Detection"
) -> tuple[NDArray[np.int64], NDArray[np.float32], np.float32]:
    """Per position the best class that is not background, and its ranking value; and the least value to keep."""
    logits, objectness = outputs["logits"][0], outputs.get("objectness")
    eligible = logits
    if rule.background is not None:
        eligible = logits.copy()
        eligible[:, rule.background] = -np.inf
    classes = np.argmax(eligible, axis=1)
    positions = np.arange(len(logits))
    if objectness is None and activation != "softmax":
        return classes, logits[positions, classes], raw_threshold(rule.score_threshold, activation)
    scores = activate(logits, activation)[positions, classes]
    if objectness is not None:
        present = objectness[0, :, 0]
        scores = scores * (sigmoid(present) if activation == "sigmoid" else present)
        if rule.objectness == "geometric_mean":
            scores = np.sqrt(positive(scores))
    return classes, scores, np.float32(rule.score_threshold)


def _label_indices(classes: NDArray[np.int64], background: int | None) -> NDArray[np.int64]:
    return classes if background is None else classes - (classes > background)


def suppress(
    boxes: NDArray[np.float32], classes: NDArray[np.int64], iou_threshold: float, most: int
) -> NDArray[np.int64]:
    """Greedy class-wise non-maximum suppression.

    Args:
        boxes: float32 [K, 4], best first.
        classes: [K]; boxes of different classes never suppress each other.
        iou_threshold: a box whose IoU with a kept, better one of its class is greater is dropped.
        most: stops when this many are kept.

    Returns:
        indices of the kept boxes, rising, int64.
    """
    limit = np.float32(iou_threshold)
    alive = np.ones(len(boxes), dtype=np.bool_)
    selected: list[int] = []
    for index in range(len(boxes)):
        if not alive[index]:
            continue
        selected.append(index)
        if len(selected) == most:
            break
        later = slice(index + 1, None)
        alive[later] &= ~(
            (classes[later] == classes[index]) & (iou_matrix(boxes[index : index + 1], boxes[later])[0] > limit)
        )
    return np.array(selected, dtype=np.int64)


def iou_matrix(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of [K, 4] with [M, 4] boxes, float32 [K, M]; 0 where the union is empty."""
    a, b = boxes[:, None], others[None]
    with np.errstate(over="ignore", invalid="ignore"):
        width = positive(np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0]))
        height = positive(np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1]))
        common = width * height
        union = (_area(a) + _area(b)) - common
        covered = union > 0
        return np.where(covered, common / np.where(covered, union, np.float32(1)), np.float32(0))


def _area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


DETECTION = TaskRules(
    check_spec=check_spec,
    expected_shapes=expected_shapes,
    decode=decode_outputs,
    position_count=grid_positions,
    per_position=True,
    has_boxes=True,
)
