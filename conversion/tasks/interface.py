"""The task-dependent parts of judging artifacts: the row type of the table `TASKS`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import Answer
from samesight.contract.golden import GoldenCase
from samesight.contract.spec import ModelSpec, Role
from samesight.conversion.qparams import Float32
from samesight.datasets.example import LabelledImage

Float64 = npt.NDArray[np.float64]
ImageAnswers = Sequence[Answer]
Answers = Sequence[ImageAnswers]
# The metric of samples of the images: how often each image is in each sample [samples, images] -> [samples].
WeightedMetric = Callable[[Float64], Float64]


@dataclass(frozen=True)
class AgreementCounts:
    """The answers that agree on one image.

    Attributes:
        pairs: the server model's answers that the candidate gives too, with the candidate's.
        all: number of answers; an answer of one side alone counts half.
        overlaps: IoU of each pair; empty for a task without boxes.
    """

    pairs: list[tuple[Answer, Answer]]
    all: float
    overlaps: list[float]


@dataclass(frozen=True)
class AnswerFault:
    """A fault after the network, in words.

    `expected` are the right answers changed as the fault would change them; `interpreted` are the answers of the code
    under test, read as they must be if it has this fault. Both agree where the fault explains the difference.
    """

    name: str
    expected: Answers
    interpreted: Answers


@dataclass(frozen=True)
class TaskParity:
    """One row of `TASKS`.

    Attributes:
        metric_name: in `parity.json` and `server.json`.
        metric_title: in texts for people.
        ranking_spec: the spec under which the metric is measured, which may keep answers too weak to be shown.
        metric: of answers given under `ranking_spec` to labelled images, for any samples of these.
        stored_answers: those of an image's answers that `server.json` holds.
        shown_answers: those of the answers under `ranking_spec` that the model's own spec would give.
        agree: which answers of one image are the same; the float is the IoU of the same box.
        ties: how many of the answers on which both sides differ (as `AgreementCounts.all` counts them) the server model
            itself gave by a margin below a noise of its logits, in their unit.
        answering: bool [N], the positions of the outputs whose score reaches the threshold; None for a task without.
        answer_faults: the faults after the network that this task alone has.
        distance: how far expected and given answers to an image are apart, 0..1 (`tasks/distance.py`).
    """

    metric_name: str
    metric_title: str
    ranking_spec: Callable[[ModelSpec], ModelSpec]
    metric: Callable[[Answers, Sequence[LabelledImage], ModelSpec], WeightedMetric]
    stored_answers: Callable[[ImageAnswers], ImageAnswers]
    shown_answers: Callable[[ImageAnswers, ModelSpec], list[Answer]]
    agree: Callable[[ImageAnswers, ImageAnswers, float], AgreementCounts]
    ties: Callable[[GoldenCase, ImageAnswers, ModelSpec, float, float], float]
    answering: Callable[[dict[Role, Float32], ModelSpec], npt.NDArray[np.bool_]] | None
    answer_faults: Callable[[Sequence[GoldenCase], Answers, ModelSpec], Iterator[AnswerFault]]
    distance: Callable[[ImageAnswers, ImageAnswers, ModelSpec], float]
