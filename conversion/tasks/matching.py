"""Which boxes of two lists are the same object: one rule for the verdict, the metric and the report."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import Answer
from samesight.contract.detection import iou_matrix
from samesight.conversion.qparams import Float32

# Boxes that differ by at most this many pixels are the same, even without area.
SAME_PIXELS = 0.01


def match_greedily(
    overlap: npt.NDArray[np.floating], comparable: npt.NDArray[np.bool_], least: float
) -> list[int | None]:
    """One to one: each row in turn takes the free column that it overlaps most.

    Args:
        overlap: [K, L], the IoU of each pair.
        comparable: bool [K, L], the pairs of the same class.
        least: the IoU that a pair needs.

    Returns:
        The column of each row, None where there is none.
    """
    free = np.ones(overlap.shape[1], np.bool_)
    columns: list[int | None] = []
    for values, allowed in zip(overlap, comparable, strict=True):
        candidates = np.where(free & allowed, values, -1.0)
        best = int(np.argmax(candidates)) if len(candidates) else -1
        matched = best >= 0 and candidates[best] >= least
        columns.append(best if matched else None)
        if matched:
            free[best] = False
    return columns


def match_answers(
    server: Sequence[Answer], candidate: Sequence[Answer], iou: float
) -> tuple[list[int | None], npt.NDArray[np.float64]]:
    """Match a candidate's boxes with the server model's: same label, IoU at least `iou`.

    Returns:
        For each of the server's answers the position of the candidate's or None; and the IoU of every pair, which is
        1 for boxes that are the same, even without area.
    """
    overlap = overlaps(server, candidate)
    labels = np.array([[a.label == b.label for b in candidate] for a in server], np.bool_).reshape(overlap.shape)
    return match_greedily(overlap, labels, iou), overlap


def overlaps(server: Sequence[Answer], candidate: Sequence[Answer]) -> npt.NDArray[np.float64]:
    """The IoU of every pair of boxes, whatever their labels: 1 for boxes that are the same, even without area."""
    boxes, others = boxes_of(server), boxes_of(candidate)
    same = np.all(np.abs(boxes[:, None] - others[None]) <= SAME_PIXELS, axis=2)
    return np.where(same, 1.0, iou_matrix(boxes, others)).astype(np.float64)


def boxes_of(answers: Sequence[Answer]) -> Float32:
    """Boxes float32 [K, 4]."""
    return np.array([answer.box for answer in answers], np.float32).reshape(-1, 4)
