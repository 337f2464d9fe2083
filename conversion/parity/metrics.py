"""Task metrics per image, so that two models can be compared on the same images with a paired bootstrap.

Top-1 is a mean over images. mAP50 is COCO's: 101-point interpolated precision at IoU 0.5, mean over classes that occur,
with the matching rules of COCO's evaluation (no crowds, no areas); a test holds it against torchmetrics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import Answer
from samesight.contract.detection import iou_matrix
from samesight.contract.spec import ModelSpec
from samesight.conversion.parity.snr import boxes_of

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
    return float(weighted_precision(matches, np.ones((1, len(matches))))[0])


def weighted_precision(matches: Sequence[Matches], weights: Float64) -> Float64:
    """`average_precision` of samples of the images, all at once.

    Args:
        matches: of each image.
        weights: how often each image is in each sample, [samples, images].

    Returns:
        [samples].
    """
    samples = len(weights)
    if not matches:
        return np.zeros(samples)
    labels = np.concatenate([match.labels for match in matches])
    hits = np.concatenate([match.hits for match in matches])
    images = np.repeat(np.arange(len(matches)), [len(match.labels) for match in matches])
    order = np.argsort(-np.concatenate([match.scores for match in matches]), kind="stable")
    labels, hits, images = labels[order], hits[order], images[order]
    truths = weights @ np.stack([match.truths for match in matches]).astype(np.float64)
    total, present = np.zeros(samples), np.zeros(samples)
    for label in np.flatnonzero(truths.any(axis=0)):
        own = labels == label
        precision = _class_precision(weights[:, images[own]], hits[own], truths[:, label])
        there = truths[:, label] > 0
        total += np.where(there, precision, 0.0)
        present += there
    return np.divide(total, present, out=np.zeros(samples), where=present > 0)


def _class_precision(weights: Float64, hits: npt.NDArray[np.bool_], truths: Float64) -> Float64:
    """Interpolated precision of one class: detections by falling score with their weights [samples, K]."""
    true = np.cumsum(weights * hits, axis=1)
    recall = true / np.maximum(truths, 1.0)[:, None]
    precision = true / np.maximum(np.cumsum(weights, axis=1), 1.0)
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.concatenate([highest, np.zeros((len(weights), 1))], axis=1)
    at = np.stack([np.searchsorted(row, RECALL_LEVELS, side="left") for row in recall])
    return np.asarray(np.take_along_axis(padded, at, axis=1).mean(axis=1), np.float64)


def sample_weights(count: int, seed: int = 0) -> Float64:
    """How often each of `count` images is in each of 1000 samples drawn with replacement, [samples, images].

    The difference of two models' metrics on the same samples gives the paired percentile interval.
    Source: B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    random = np.random.default_rng(seed)
    return random.multinomial(count, np.full(count, 1.0 / count), size=BOOTSTRAP_SAMPLES).astype(np.float64)


def interval(server: Float64, artifact: Float64) -> tuple[float, float]:
    """95 % interval of what the artifact loses, from both models' metrics on the same samples."""
    low, high = np.percentile(server - artifact, [2.5, 97.5])
    return float(low), float(high)


def mean(values: Sequence[float] | Float64) -> float:
    """Arithmetic mean, 0.0 of nothing."""
    return float(np.mean(values)) if len(values) else 0.0


def task_metric(
    given: Sequence[Sequence[Answer]], examples: Sequence[Any], spec: ModelSpec
) -> tuple[float, npt.NDArray[np.float64]]:
    """Top-1 or mAP50 (0..1) of answers given under `metric_spec`, and the same on bootstrap samples of the images."""
    if spec.task == "classification":
        hits = top1_hits(given, [example.label for example in examples])
        return mean(hits), sample_weights(len(hits)) @ np.array(hits) / max(1, len(hits))
    matches = [
        match_image(found, example.boxes, example.labels, len(spec.labels))
        for found, example in zip(given, examples, strict=True)
    ]
    return average_precision(matches), weighted_precision(matches, sample_weights(len(matches)))
