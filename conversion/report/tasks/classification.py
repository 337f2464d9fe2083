"""Classification in a report: ranked labels, confusion matrices."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from samesight.contract.answers import Answer
from samesight.contract.spec import ModelSpec
from samesight.conversion.report.panels import Box, Line, Panel, Shown
from samesight.conversion.report.tasks.interface import (
    Cell,
    Confusion,
    Mistake,
    Size,
    SplitData,
    SplitDrawings,
    TaskDrawing,
)
from samesight.datasets.example import LabelledImage

LABELS = 3
MATRIX_CLASSES = 24
CONFUSIONS = 12


def panel(shown: Shown, server_answers: Sequence[Answer], answers: Sequence[Answer], size: Size) -> Panel:
    """The best labels with their scores."""
    same = [answer.index for answer in server_answers[:1]] == [answer.index for answer in answers[:1]]
    lines = tuple(Line(a.label, f"{a.score:.3f}", min(max(a.score, 0.0), 1.0)) for a in answers[:LABELS])
    note = "nothing found" if not server_answers and not answers else "same answer" if same else "another answer"
    return Panel(shown.number, shown.name, same, note, lines)


def truth(example: LabelledImage, spec: ModelSpec, size: Size) -> tuple[str, tuple[Box, ...]]:
    """The true label."""
    return spec.labels[example.label], ()


def split_drawings(data: SplitData) -> SplitDrawings:
    """Confusion matrices of the server model and the artifact in focus."""
    step = data.focus.record.step if data.focus.record else 1
    truths, count = [example.label for example in data.examples[::step]], len(data.spec.labels)
    server_answers = data.server_answers[::step]
    artifact_answers = data.focus.record.test if data.focus.record else []
    models = (("server model", server_answers), (data.focus.name, artifact_answers))
    return SplitDrawings(
        confusions=tuple(confusion(title, predictions, truths, count) for title, predictions in models),
        mistakes=tuple(mistakes(server_answers, artifact_answers, truths, data.spec.labels))
        if count > MATRIX_CLASSES
        else (),
    )


def confusion(title: str, predictions: Sequence[Sequence[Answer]], truths: Sequence[int], classes: int) -> Confusion:
    """Counts [true class, answered class] of first answers; cells only up to `MATRIX_CLASSES` classes."""
    counts = np.zeros((classes, classes), np.int64)
    for answers, truth in zip(predictions, truths, strict=True):
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
    counts = [
        Counter((truth, a[0].index) for a, truth in zip(predictions, truths, strict=True) if a and a[0].index != truth)
        for predictions in (server, artifact)
    ]
    pairs = sorted(counts[0] | counts[1], key=lambda pair: (-(counts[0][pair] + counts[1][pair]), pair))
    return [Mistake(labels[t], labels[a], counts[0][(t, a)], counts[1][(t, a)]) for t, a in pairs[:CONFUSIONS]]


CLASSIFICATION = TaskDrawing(
    facts=lambda spec: [],
    first_shots=12,
    panel=panel,
    truth=truth,
    split=split_drawings,
    legend=False,
    answering="",
    agreement="Share of images whose first label is the server model\N{RIGHT SINGLE QUOTATION MARK}s",
)
