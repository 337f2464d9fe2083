"""Agreement of answers: how many of a candidate's are the server model's, summed over images."""

from collections.abc import Sequence
from dataclasses import dataclass

from samesight.contract.answers import Answer
from samesight.contract.tasks import Task
from samesight.conversion.tasks import TASKS


@dataclass
class Agreement:
    """Counts of answers that agree by the rule of the task (see `TaskParity.agree`).

    Attributes:
        task: decides which answers agree.
        iou: least overlap of two boxes of the same label that agree.
        same: answers that agree.
        all: all answers; an answer of one side alone counts half.
        overlap: sum of the IoU of the boxes that agree.
        score: sum of the absolute score differences of the answers that agree.
    """

    task: Task
    iou: float
    same: float = 0.0
    all: float = 0.0
    overlap: float = 0.0
    score: float = 0.0

    def add(self, server: Sequence[Answer], candidate: Sequence[Answer]) -> None:
        """Count one image."""
        counts = TASKS[self.task].agree(server, candidate, self.iou)
        self.same += len(counts.pairs)
        self.all += counts.all
        self.overlap += sum(counts.overlaps)
        self.score += sum(abs(expected.score - actual.score) for expected, actual in counts.pairs)

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
