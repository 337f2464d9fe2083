"""Detection in a report: boxes, precision over recall."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import Answer
from samesight.contract.gates import gate_for
from samesight.contract.spec import BoxCoding, ModelSpec
from samesight.contract.verdicts import Verdict
from samesight.conversion.report.charts import Plot, nice_ticks
from samesight.conversion.report.panels import Box, BoxKind, Panel, Shown
from samesight.conversion.report.tasks.interface import Answers, Curve, Size, SplitData, SplitDrawings, TaskDrawing
from samesight.conversion.report.text import Fact, plural
from samesight.conversion.tasks.average_precision import RECALL_LEVELS, Matches, match_example, precision_at_recall
from samesight.conversion.tasks.matching import match_answers
from samesight.datasets.example import LabelledImage

MOST_BOXES = 40
CODINGS = {
    "distances": "distances from grid points",
    "corners": "corners",
    "center_size": "centre and size",
    "anchor_deltas": "deltas of anchors",
}
UNITS = {"pixels": "pixels", "fraction": "fractions", "stride": "cells", "anchor": "anchors"}


def facts(spec: ModelSpec) -> list[Fact]:
    """Thresholds, suppression and coding of the boxes."""
    rule = spec.detection
    if rule is None:
        return []
    suppression = (
        f"class-wise suppression at IoU {rule.iou_threshold:g}" if rule.suppression == "class_wise" else "none"
    )
    detail = f"{suppression}, at most {rule.max_detections}; {_coding(rule.boxes)}"
    return [Fact("Boxes", f"score ≥ {rule.score_threshold:g}", detail)]


def _coding(coding: BoxCoding) -> str:
    strides = f", stride {', '.join(map(str, coding.strides))}" if coding.strides else ""
    grids = f", on {plural(len(coding.grids), 'grid')}" if coding.grids else ""
    unit = "" if coding.coding == "anchor_deltas" else f" in {UNITS[coding.unit]}"
    return f"{CODINGS[coding.coding]}{unit}{strides}{grids}"


def panel(shown: Shown, server_answers: Sequence[Answer], answers: Sequence[Answer], size: Size) -> Panel:
    """The boxes, each marked as the same, extra or missing compared with the server model's."""
    columns, _ = match_answers(server_answers, answers, gate_for(shown.precision, "cpu").iou)
    matched = set(columns)
    boxes = [
        _answer_box(answer, "same" if column in matched else "extra", size)
        for column, answer in enumerate(answers[:MOST_BOXES])
    ]
    boxes += [
        _answer_box(answer, "missing", size)
        for answer, column in zip(server_answers[:MOST_BOXES], columns[:MOST_BOXES], strict=True)
        if column is None
    ]
    missing = columns.count(None)
    extra = len(answers) - (len(server_answers) - missing)
    differences = [f"{missing} missing"] if missing else []
    differences += [f"{extra} extra"] if extra else []
    note = ", ".join(differences) or ("same " + plural(len(answers), "box", "boxes") if answers else "nothing found")
    more = max(0, len(answers) - MOST_BOXES)
    return Panel(shown.number, shown.name, not differences, note, boxes=tuple(boxes), more=more)


def truth(example: LabelledImage, spec: ModelSpec, size: Size) -> tuple[str, tuple[Box, ...]]:
    """The true boxes."""
    labels = [spec.labels[label] for label in example.labels.tolist()]
    pairs = zip(example.boxes.tolist(), labels, strict=True)
    return "", tuple(_box(tuple(box), label, "", "truth", size) for box, label in pairs)


def _answer_box(answer: Answer, kind: BoxKind, size: Size) -> Box:
    assert answer.box is not None
    return _box(answer.box, answer.label, f"{answer.score:.2f}", kind, size)


def _box(
    corners: tuple[float, ...],
    label: str,
    score: str,
    kind: BoxKind,
    size: Size,
) -> Box:
    """The label is above the box, or inside it at the image's upper edge, and does not cross the right edge."""
    x1, y1, x2, y2 = corners
    percent = max(size) / 100
    at_right = x1 > 0.6 * size[0]
    if kind == "missing":  # Below, because the candidate's box often covers it.
        text_y = y2 + 5.6 * percent if y2 < size[1] - 7 * percent else y2 - 1.4 * percent
    else:
        text_y = y1 - 1.2 * percent if y1 > 8 * percent else y1 + 5.6 * percent
    return Box(
        *(round(x1, 2), round(y1, 2), round(x2 - x1, 2), round(y2 - y1, 2)),
        *(label, score, kind),
        text_x=round(min(x2, size[0] - percent) if at_right else max(x1, percent), 2),
        text_y=round(text_y, 2),
        anchor="end" if at_right else "start",
    )


def split_drawings(data: SplitData) -> SplitDrawings:
    """Precision over recall of the server model, and of each precision the artifact that loses most."""
    models = [("server model", "server", data.server_answers, 1)]
    worst = _worst_per_precision(data.verdicts, data.shown)
    models += [(shown.name, shown.precision, shown.record.test, shown.record.step) for shown in worst if shown.record]
    precisions = [
        precision_at_recall(split_matches(predictions, data.examples[::step], data.spec))
        for _, _, predictions, step in models
    ]
    plot = recall_plot(min(float(values.min()) for values in precisions))
    pairs = zip(models, precisions, strict=True)
    return SplitDrawings(
        plot=plot, curves=tuple(recall_curve(title, kind, values, plot) for (title, kind, *_), values in pairs)
    )


def _worst_per_precision(verdicts: Sequence[Verdict], shown: Sequence[Shown]) -> list[Shown]:
    """Per precision, the artifact with the largest loss among those that ran, in the order of their first artifacts."""
    worst: dict[str, tuple[float, Shown]] = {}
    for verdict, artifact in zip(verdicts, shown, strict=True):
        loss = verdict.metric.drop if verdict.metric else 0.0
        if artifact.ran and verdict.metric and (verdict.precision not in worst or loss > worst[verdict.precision][0]):
            worst[verdict.precision] = loss, artifact
    return [artifact for _, artifact in worst.values()]


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


def split_matches(predictions: Answers, examples: Sequence[LabelledImage], spec: ModelSpec) -> list[Matches]:
    """Every test image's detections against its truth at IoU 0.5."""
    return [
        match_example(boxes, example, len(spec.labels)) for boxes, example in zip(predictions, examples, strict=True)
    ]


DETECTION = TaskDrawing(
    facts=facts,
    first_shots=6,
    panel=panel,
    truth=truth,
    split=split_drawings,
    legend=True,
    answering="; “answering” counts only positions whose score reaches the threshold",
    agreement=(
        "Share of boxes with a counterpart of the same label and enough overlap (IoU) in the server "
        "model\N{RIGHT SINGLE QUOTATION MARK}s answers, counted both ways"
    ),
)
