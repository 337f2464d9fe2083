"""Task metrics per image, so that two models can be compared on the same images with a paired bootstrap.

Top-1 is a mean over images. mAP50 is COCO's: 101-point interpolated precision at IoU 0.5, mean over classes that occur,
with the matching rules of COCO's evaluation (no crowds, no areas); a test holds it against torchmetrics.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from contract.answers import Answer
from contract.detection import iou_matrix
from contract.spec import ModelSpec
from conversion.comparison import boxes_of

Float64 = npt.NDArray[np.float64]
RECALL_LEVELS = np.linspace(0.0, 1.0, 101)
BOOTSTRAP_SAMPLES = 1000
MAXIMUM_DETECTIONS = 100
METRIC_THRESHOLD = 0.05


@dataclass(frozen=True)
class Matches:
    """One image's detections against its truth, sorted by falling score: class, score, hit; and truths per class."""

    labels: npt.NDArray[np.int64]
    scores: Float64
    hits: npt.NDArray[np.bool_]
    truths: npt.NDArray[np.int64]


def metric_spec(spec: ModelSpec) -> ModelSpec:
    """The spec under which a metric is measured: a detection keeps weak boxes too, which mAP ranks."""
    if spec.detection is None:
        return spec
    update = {
        "score_threshold": min(METRIC_THRESHOLD, spec.detection.score_threshold),
        "max_detections": max(MAXIMUM_DETECTIONS, spec.detection.max_detections),
    }
    return spec.model_copy(update={"detection": spec.detection.model_copy(update=update)})


def top1_hits(answers: Sequence[Sequence[Answer]], labels: Sequence[int]) -> list[float]:
    """1.0 where the first answer is the true class, else 0.0; one per image."""
    return [float(bool(a) and a[0].index == label) for a, label in zip(answers, labels, strict=True)]


def match_image(
    answers: Sequence[Answer],
    boxes: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    classes: int,
    iou: float = 0.5,
) -> Matches:
    """Match one image's detections as COCO does: by falling score, each takes the free true box it covers best.

    Args:
        answers: the detections, boxes in pixels.
        boxes: the true boxes, float32 [K, 4] in the same pixels.
        labels: their classes, int64 [K].
        classes: how many classes there are.
        iou: what a hit needs at least.
    """
    ranked = sorted(answers, key=lambda answer: -answer.score)[:MAXIMUM_DETECTIONS]
    overlap = iou_matrix(boxes_of(ranked), boxes)
    free = np.ones(len(labels), bool)
    hits = np.zeros(len(ranked), bool)
    for row, answer in enumerate(ranked):
        candidates = np.where(free & (labels == answer.index), overlap[row], -1.0)
        best = int(np.argmax(candidates)) if len(candidates) else -1
        if best >= 0 and candidates[best] >= iou:
            hits[row], free[best] = True, False
    return Matches(
        np.array([answer.index for answer in ranked], np.int64),
        np.array([answer.score for answer in ranked], np.float64),
        hits,
        np.bincount(labels, minlength=classes),
    )


def average_precision(matches: Sequence[Matches]) -> float:
    """Mean AP at the matches' IoU over all classes that have a truth; 0.0 when nothing is there to be found."""
    labels = np.concatenate([match.labels for match in matches]) if matches else np.zeros(0, np.int64)
    scores = np.concatenate([match.scores for match in matches]) if matches else np.zeros(0)
    hits = np.concatenate([match.hits for match in matches]) if matches else np.zeros(0, bool)
    truths = np.sum([match.truths for match in matches], axis=0) if matches else np.zeros(0, np.int64)
    order = np.argsort(-scores, kind="stable")
    labels, hits = labels[order], hits[order]
    present = np.flatnonzero(truths)
    return (
        float(np.mean([_class_precision(hits[labels == c], int(truths[c])) for c in present])) if len(present) else 0.0
    )


def _class_precision(hits: npt.NDArray[np.bool_], truths: int) -> float:
    if not len(hits):
        return 0.0
    true = np.cumsum(hits)
    recall = true / truths
    precision = np.maximum.accumulate((true / np.arange(1, len(hits) + 1))[::-1])[::-1]
    at = np.searchsorted(recall, RECALL_LEVELS, side="left")
    return float(np.where(at < len(precision), precision[np.minimum(at, len(precision) - 1)], 0.0).mean())


T = TypeVar("T")


def resampled(values: Sequence[T], metric: Callable[[list[T]], float], seed: int = 0) -> Float64:
    """The metric on 1000 samples of the images, drawn with replacement; the same seed draws the same images.

    The difference of two models' samples gives the paired percentile interval.
    Source: B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    random = np.random.default_rng(seed)
    chosen = random.integers(len(values), size=(BOOTSTRAP_SAMPLES, len(values)))
    return np.array([metric([values[i] for i in row]) for row in chosen])


def interval(server: Float64, artifact: Float64) -> tuple[float, float]:
    """95 % interval of what the artifact loses, from two results of `resampled`."""
    low, high = np.percentile(server - artifact, [2.5, 97.5])
    return float(low), float(high)


def mean(values: Sequence[float] | Float64) -> float:
    """Arithmetic mean, 0.0 of nothing."""
    return float(np.mean(values)) if len(values) else 0.0
