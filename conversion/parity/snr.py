"""Figures of one candidate against the server model: signal-to-noise ratio per raw output, agreement of answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import Answer
from samesight.contract.detection import iou_matrix
from samesight.contract.verdicts import RoleFigures
from samesight.conversion.qparams import Float32

SILENCE_DB = -200.0


def decibel(signal: float, noise: float) -> float:
    """10 log10(signal / noise), bounded below by -200 dB; no signal, or noise that is no number, is -200 dB."""
    if not (np.isfinite(noise) and signal > 0.0):
        return SILENCE_DB
    return max(SILENCE_DB, 10.0 * float(np.log10(signal / noise)))


def role_figures(
    role: str,
    reference: Sequence[Float32],
    candidate: Sequence[Float32],
    answering: Sequence[npt.NDArray[np.bool_]] | None = None,
) -> RoleFigures:
    """Ratios of one output over all cases.

    Args:
        role: what the output is.
        reference: the server model's output per case, float32 [1, C] or [1, N, C].
        candidate: the same of the candidate; a wrong shape counts as pure noise.
        answering: per case bool [N], the positions whose score reaches the threshold.
    """
    channels = reference[0].shape[-1]
    expected = [array.astype(np.float64).reshape(-1, channels) for array in reference]
    if any(a.shape != b.shape for a, b in zip(reference, candidate, strict=True)):
        return RoleFigures(role=role, exact=False, snr_db=SILENCE_DB, worst_db=SILENCE_DB, largest_error=1e38)
    errors = [
        (array.astype(np.float64).reshape(-1, channels) - wanted)
        for array, wanted in zip(candidate, expected, strict=True)
    ]
    everything = np.concatenate(expected)
    signal = float(np.mean((everything - everything.mean(axis=0)) ** 2))
    pooled = np.concatenate(errors)
    largest = float(np.max(np.abs(pooled), initial=0.0))
    exact = largest == 0.0
    figures = RoleFigures(
        role=role,
        exact=exact,
        snr_db=None if exact else decibel(signal, float(np.mean(pooled**2))),
        worst_db=None if exact else min(decibel(signal, float(np.mean(e**2))) for e in errors if np.any(e)),
        largest_error=largest if np.isfinite(largest) else 1e38,
    )
    if answering is None or exact:
        return figures
    chosen = [np.flatnonzero(mask) for mask in answering]
    wanted = np.concatenate([array[rows] for array, rows in zip(expected, chosen, strict=True)])
    noise = np.concatenate([array[rows] for array, rows in zip(errors, chosen, strict=True)])
    if not np.any(noise):
        return figures
    energy = float(np.mean((wanted - wanted.mean(axis=0)) ** 2))
    return figures.model_copy(update={"answering_db": decibel(energy, float(np.mean(noise**2)))})


@dataclass
class Agreement:
    """Counts of answers that are the same, summed over images.

    A classification's answer is its first label. Detections agree one to one: same label, IoU at least `iou`; what is
    left over on either side disagrees.
    """

    iou: float
    same: float = 0.0
    all: float = 0.0
    overlap: float = 0.0
    score: float = 0.0

    def add(self, server: Sequence[Answer], candidate: Sequence[Answer]) -> None:
        """Count one image."""
        if any(answer.box is not None for answer in (*server, *candidate)):
            self._add_boxes(server, candidate)
        elif server or candidate:
            self.all += 1
            if server and candidate and server[0].index == candidate[0].index and server[0].label == candidate[0].label:
                self.same += 1
                self.score += abs(server[0].score - candidate[0].score)

    def _add_boxes(self, server: Sequence[Answer], candidate: Sequence[Answer]) -> None:
        self.all += (len(server) + len(candidate)) / 2
        overlap = _overlap(boxes_of(server), boxes_of(candidate))
        free = np.ones(len(candidate), bool)
        for row, answer in enumerate(server):
            same = np.array([other.label == answer.label for other in candidate], bool)
            values = np.where(free & same, overlap[row], -1.0)
            best = int(np.argmax(values)) if len(values) else -1
            if best >= 0 and values[best] >= self.iou:
                free[best] = False
                self.same += 1
                self.overlap += float(values[best])
                self.score += abs(answer.score - candidate[best].score)

    @property
    def share(self) -> float | None:
        """Same answers among all, 0..1; None when there was no answer at all."""
        return self.same / self.all if self.all else None

    @property
    def mean_iou(self) -> float | None:
        """Mean IoU of the boxes that agree."""
        return self.overlap / self.same if self.same and self.overlap else None

    @property
    def score_difference(self) -> float | None:
        """Mean absolute difference of the scores of answers that agree."""
        return self.score / self.same if self.same else None


def _overlap(server: Float32, candidate: Float32) -> npt.NDArray[np.float64]:
    """IoU of every pair [K, L]; 1 for boxes that are the same to a hundredth of a pixel, if without area too."""
    same = np.all(np.abs(server[:, None] - candidate[None]) <= 0.01, axis=2)
    return np.where(same, 1.0, iou_matrix(server, candidate))


def boxes_of(answers: Sequence[Answer]) -> Float32:
    """Boxes float32 [K, 4]."""
    return np.array([answer.box for answer in answers], np.float32).reshape(-1, 4)
