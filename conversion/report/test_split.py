"""What the test split shows: confusion matrices, precision over recall, and images on which answers differ."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import Answer
from samesight.contract.spec import ModelSpec
from samesight.contract.verdicts import Verdict
from samesight.conversion.parity.metrics import RECALL_LEVELS, Matches, match_image
from samesight.conversion.parity.run import TestSplit
from samesight.conversion.report.charts import Plot, nice_ticks
from samesight.conversion.report.gallery import Shot, Shown, difference_shots

MATRIX_CLASSES = 24
CONFUSIONS = 12


@dataclass(frozen=True)
class Cell:
    """One count of a confusion matrix; `weight` 0..1 of the largest in its row."""

    count: int
    weight: float
    right: bool


@dataclass(frozen=True)
class Confusion:
    """What one model answered per true class; `cells` is empty where there are too many classes to show."""

    title: str
    right: int
    images: int
    cells: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Mistake:
    """One confusion and how often each model makes it."""

    truth: str
    answer: str
    server: int
    artifact: int


@dataclass(frozen=True)
class Curve:
    """Precision over recall of one model: an SVG path, and the metric, which is its mean."""

    title: str
    kind: str
    path: str
    mean: str


@dataclass(frozen=True)
class SplitFigures:
    """What the test split shows of the server model and the artifact in focus; empty parts do not apply."""

    name: str
    images: int
    confusions: tuple[Confusion, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    plot: Plot | None = None
    curves: tuple[Curve, ...] = ()
    differences: tuple[Shot, ...] = ()
    differing: int = 0


def split_figures(
    split: TestSplit, shown: Sequence[Shown], focus: int | None, verdicts: Sequence[Verdict], spec: ModelSpec
) -> SplitFigures:
    """The figures of the server model beside the artifact number `focus`; without one there is nothing to compare."""
    examples, served = list(split.examples), split.server.answers(spec.labels)
    record = shown[focus].record if focus is not None else None
    if focus is None or record is None or not examples:
        return SplitFigures(split.name, len(examples))
    artifact = shown[focus]
    differences, differing = difference_shots(examples, served, artifact, spec)
    confusions: tuple[Confusion, ...] = ()
    listed: list[Mistake] = []
    plot: Plot | None = None
    curves: list[Curve] = []
    if spec.task == "classification":
        truths, count = [example.label for example in examples], len(spec.labels)
        models = (("server model", served), (artifact.name, record.test))
        confusions = tuple(confusion(title, given, truths, count) for title, given in models)
        listed = mistakes(served, record.test, truths, spec.labels) if count > MATRIX_CLASSES else []
    else:
        drawn = [("server model", "server", served)]
        drawn += [(s.name, s.precision, s.record.test) for s in _worst_of_each(verdicts, shown) if s.record]
        found = [precision_at_recall(split_matches(given, examples, spec)) for _, _, given in drawn]
        plot = recall_plot(min(float(precisions.min()) for precisions in found))
        curves = [recall_curve(title, kind, p, plot) for (title, kind, _), p in zip(drawn, found, strict=True)]
    return SplitFigures(
        name=split.name,
        images=len(examples),
        confusions=confusions,
        mistakes=tuple(listed),
        plot=plot,
        curves=tuple(curves),
        differences=tuple(differences),
        differing=differing,
    )


def _worst_of_each(verdicts: Sequence[Verdict], shown: Sequence[Shown]) -> list[Shown]:
    """Of each precision the artifact that loses most among those that ran, in the order of their first artifacts."""
    worst: dict[str, tuple[float, Shown]] = {}
    for verdict, artifact in zip(verdicts, shown, strict=True):
        loss = verdict.metric.drop if verdict.metric else 0.0
        if artifact.ran and (verdict.precision not in worst or loss > worst[verdict.precision][0]):
            worst[verdict.precision] = loss, artifact
    return [artifact for _, artifact in worst.values()]


def confusion(title: str, given: Sequence[Sequence[Answer]], truths: Sequence[int], classes: int) -> Confusion:
    """Counts [true class, answered class] of first answers; cells only up to `MATRIX_CLASSES` classes."""
    counts = np.zeros((classes, classes), np.int64)
    for answers, truth in zip(given, truths, strict=True):
        if answers:
            counts[truth, answers[0].index] += 1
    cells: tuple[tuple[Cell, ...], ...] = ()
    if classes <= MATRIX_CLASSES:
        most = np.maximum(counts.max(axis=1), 1)
        cells = tuple(
            tuple(Cell(int(counts[t, a]), float(counts[t, a] / most[t]), t == a) for a in range(classes))
            for t in range(classes)
        )
    return Confusion(title, int(np.trace(counts)), len(truths), cells)


def mistakes(
    server: Sequence[Sequence[Answer]],
    artifact: Sequence[Sequence[Answer]],
    truths: Sequence[int],
    labels: Sequence[str],
) -> list[Mistake]:
    """The most frequent confusions of both models together, most frequent first."""
    found = [
        Counter((truth, a[0].index) for a, truth in zip(given, truths, strict=True) if a and a[0].index != truth)
        for given in (server, artifact)
    ]
    pairs = sorted(found[0] | found[1], key=lambda pair: (-(found[0][pair] + found[1][pair]), pair))
    return [Mistake(labels[t], labels[a], found[0][(t, a)], found[1][(t, a)]) for t, a in pairs[:CONFUSIONS]]


def recall_plot(lowest: float, width: float = 480.0, height: float = 290.0) -> Plot:
    """The frame of precision over recall; precision begins at the tenth below the `lowest` that is drawn."""
    left, top, right, bottom = 52.0, 16.0, width - 14, height - 44
    low = max(0.0, math.floor(10 * lowest - 1e-9) / 10 - 0.1)
    return Plot(
        *(width, height, left, top, right, bottom),
        tuple((left + (right - left) * tick, f"{tick:g}") for tick in nice_ticks(0.0, 1.0)),
        tuple((bottom - (bottom - top) * (tick - low) / (1 - low), f"{tick:g}") for tick in nice_ticks(low, 1.0)),
        y_low=low,
    )


def recall_curve(title: str, kind: str, precisions: npt.NDArray[np.float64], plot: Plot) -> Curve:
    """Draw `precision_at_recall`."""
    across, up = plot.right - plot.left, (plot.bottom - plot.top) / (1 - plot.y_low)
    steps = [
        f"{plot.left + across * recall:.1f},{plot.bottom - up * (precision - plot.y_low):.1f}"
        for recall, precision in zip(RECALL_LEVELS, precisions, strict=True)
    ]
    return Curve(title, kind, "M" + "L".join(steps), f"{precisions.mean():.4f}")


def split_matches(given: Sequence[Sequence[Answer]], examples: Sequence[Any], spec: ModelSpec) -> list[Matches]:
    """Every test image's detections against its truth at IoU 0.5."""
    return [
        match_image(found, example.boxes, example.labels, len(spec.labels))
        for found, example in zip(given, examples, strict=True)
    ]


def precision_at_recall(matches: Sequence[Matches]) -> npt.NDArray[np.float64]:
    """Interpolated precision at COCO's 101 recall levels, mean over classes that occur: float64 [101].

    Its mean is `metrics.average_precision` of the same matches.
    """
    labels, scores, hits = (
        np.concatenate([getattr(match, field) for match in matches]) for field in ("labels", "scores", "hits")
    )
    truths = np.sum([match.truths for match in matches], axis=0)
    order = np.argsort(-scores, kind="stable")
    labels, hits = labels[order], hits[order]
    curves = [_interpolated(hits[labels == c], int(truths[c])) for c in np.flatnonzero(truths)]
    return np.mean(curves, axis=0) if curves else np.zeros(len(RECALL_LEVELS))


def _interpolated(hits: npt.NDArray[np.bool_], truths: int) -> npt.NDArray[np.float64]:
    if not len(hits):
        return np.zeros(len(RECALL_LEVELS))
    true = np.cumsum(hits)
    best = np.maximum.accumulate((true / np.arange(1, len(hits) + 1))[::-1])[::-1]
    at = np.searchsorted(true / truths, RECALL_LEVELS, side="left")
    return np.where(at < len(best), best[np.minimum(at, len(best) - 1)], 0.0)
