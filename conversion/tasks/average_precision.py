"""COCO's average precision per image, so that two models can be compared on the same images with a paired bootstrap.

101-point interpolated precision at one IoU, mean over classes that occur, with the matching rules of COCO's evaluation,
crowds included, areas not; a test holds it against torchmetrics.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import Answer
from samesight.contract.detection import iou_matrix
from samesight.conversion.tasks.interface import Float64
from samesight.conversion.tasks.matching import boxes_of, match_greedily
from samesight.datasets.example import LabelledImage

RECALL_LEVELS = np.linspace(0.0, 1.0, 101)
MOST_DETECTIONS = 100


@dataclass(frozen=True)
class Matches:
    """One image's detections against its truth, sorted by falling score: class, score, hit; and truths per class."""

    labels: npt.NDArray[np.int64]
    scores: Float64
    hits: npt.NDArray[np.bool_]
    truths: npt.NDArray[np.int64]


def match_image(
    answers: Sequence[Answer],
    boxes: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    classes: int,
    iou: float = 0.5,
    crowd_boxes: npt.NDArray[np.float32] | None = None,
    crowd_labels: npt.NDArray[np.int64] | None = None,
) -> Matches:
    """Match one image's detections as COCO does: by falling score, each takes the free true box it covers best.

    A detection that takes none, and lies inside a crowd's region of its class with a share of its own area of at least
    `iou`, is neither right nor wrong: it is left out. Any number of detections may lie in one region.
    Source: pycocotools, `cocoeval.py`, `evaluateImg`, and `maskUtils.iou` with `iscrowd`.

    Args:
        answers: the detections, boxes in pixels.
        boxes: the true boxes, float32 [K, 4] in the same pixels.
        labels: their classes, int64 [K].
        classes: how many classes there are.
        iou: the least IoU of a hit.
        crowd_boxes: regions full of one class, float32 [M, 4].
        crowd_labels: their classes, int64 [M].
    """
    ranked = sorted(answers, key=lambda answer: -answer.score)[:MOST_DETECTIONS]
    indices = np.array([answer.index for answer in ranked], np.int64)
    columns = match_greedily(iou_matrix(boxes_of(ranked), boxes), indices[:, None] == labels[None], iou)
    hits = np.array([column is not None for column in columns], np.bool_)
    counted = np.ones(len(ranked), np.bool_)
    if crowd_boxes is not None and crowd_labels is not None and len(crowd_boxes):
        ignored = share_inside(boxes_of(ranked), crowd_boxes) >= iou
        counted = hits | ~(ignored & (indices[:, None] == crowd_labels[None])).any(axis=1)
    scores = np.array([answer.score for answer in ranked], np.float64)
    return Matches(indices[counted], scores[counted], hits[counted], np.bincount(labels, minlength=classes))


def match_example(answers: Sequence[Answer], example: LabelledImage, classes: int) -> Matches:
    """`match_image` with all that is known of an image, at IoU 0.5."""
    return match_image(
        answers,
        example.boxes,
        example.labels,
        classes,
        crowd_boxes=example.crowd_boxes,
        crowd_labels=example.crowd_labels,
    )


def share_inside(boxes: npt.NDArray[np.float32], regions: npt.NDArray[np.float32]) -> Float64:
    """How much of the area of each box [K, 4] lies in each region [M, 4]: float64 [K, M], 0 for a box without area."""
    one, other = boxes[:, None].astype(np.float64), regions[None].astype(np.float64)
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    inside = sides.clip(min=0).prod(axis=2)
    areas = (one[..., 2:] - one[..., :2]).clip(min=0).prod(axis=2)
    return np.divide(inside, areas, out=np.zeros_like(inside), where=areas > 0)


def average_precision(matches: Sequence[Matches]) -> float:
    """Mean AP at the matches' IoU over all classes that have a truth; 0.0 when nothing is there to be found."""
    return float(weighted_precision(matches, np.ones((1, len(matches))))[0])


def weighted_precision(matches: Sequence[Matches], weights: Float64) -> Float64:
    """`average_precision` of samples of the images, all at once.

    Args:
        matches: of each image.
        weights: how often each image is in each sample, [samples, images].

    Returns:
        [samples].
    """
    total, present = np.zeros(len(weights)), np.zeros(len(weights))
    for curves, occurs in class_curves(matches, weights):
        total += np.where(occurs, curves.mean(axis=1), 0.0)
        present += occurs
    return np.divide(total, present, out=np.zeros(len(weights)), where=present > 0)


def precision_at_recall(matches: Sequence[Matches]) -> Float64:
    """Interpolated precision at COCO's 101 recall levels, mean over classes that occur: float64 [101].

    Its mean is `average_precision` of the same matches.
    """
    curves = [curve[0] for curve, _ in class_curves(matches, np.ones((1, len(matches))))]
    return np.mean(curves, axis=0) if curves else np.zeros(len(RECALL_LEVELS))


def class_curves(matches: Sequence[Matches], weights: Float64) -> Iterator[tuple[Float64, npt.NDArray[np.bool_]]]:
    """Of each class that occurs, interpolated precision at the recall levels per sample, and where it occurs.

    Yields:
        float64 [samples, 101]; bool [samples].
    """
    if not matches:
        return
    labels = np.concatenate([match.labels for match in matches])
    hits = np.concatenate([match.hits for match in matches])
    images = np.repeat(np.arange(len(matches)), [len(match.labels) for match in matches])
    order = np.argsort(-np.concatenate([match.scores for match in matches]), kind="stable")
    labels, hits, images = labels[order], hits[order], images[order]
    truths = weights @ np.stack([match.truths for match in matches]).astype(np.float64)
    for label in np.flatnonzero(truths.any(axis=0)):
        of_class = labels == label
        yield _curves(weights[:, images[of_class]], hits[of_class], truths[:, label]), truths[:, label] > 0


def _curves(weights: Float64, hits: npt.NDArray[np.bool_], truths: Float64) -> Float64:
    """One class: detections by falling score with their weights [samples, K] -> [samples, 101]."""
    true = np.cumsum(weights * hits, axis=1)
    recall = true / np.maximum(truths, 1.0)[:, None]
    precision = true / np.maximum(np.cumsum(weights, axis=1), 1.0)
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.concatenate([highest, np.zeros((len(weights), 1))], axis=1)
    positions = np.stack([np.searchsorted(recalls, RECALL_LEVELS, side="left") for recalls in recall])
    return np.asarray(np.take_along_axis(padded, positions, axis=1), np.float64)
