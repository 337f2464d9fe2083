"""Classification: an answer is its first label; top-1 accuracy."""

from collections.abc import Iterator, Sequence

import numpy as np

from samesight.contract.answers import Answer
from samesight.contract.golden import GoldenCase
from samesight.contract.spec import ModelSpec
from samesight.conversion.tasks.decoding_faults import activation_faults
from samesight.conversion.tasks.distance import class_distance
from samesight.conversion.tasks.interface import (
    AgreementCounts,
    AnswerFault,
    Answers,
    Float64,
    ImageAnswers,
    TaskParity,
    WeightedMetric,
)
from samesight.datasets.example import LabelledImage


def top1_hits(predictions: Answers, labels: Sequence[int]) -> list[float]:
    """1.0 where the first answer is the true class, else 0.0; one per image."""
    return [float(bool(a) and a[0].index == label) for a, label in zip(predictions, labels, strict=True)]


def top1(predictions: Answers, examples: Sequence[LabelledImage], spec: ModelSpec) -> WeightedMetric:
    """The share of images whose first answer is right, 0..1."""
    hits = np.array(top1_hits(predictions, [example.label for example in examples]), np.float64)

    def weighted(weights: Float64) -> Float64:
        return np.asarray(weights @ hits / max(1, len(hits)), np.float64)

    return weighted


def agree(server: ImageAnswers, candidate: ImageAnswers, iou: float) -> AgreementCounts:
    """Whether the first label is the same."""
    if not server and not candidate:
        return AgreementCounts([], 0.0, [])
    same = bool(server and candidate) and (server[0].index, server[0].label) == (candidate[0].index, candidate[0].label)
    return AgreementCounts([(server[0], candidate[0])] if same else [], 1.0, [])


def ties(case: GoldenCase, candidate: ImageAnswers, spec: ModelSpec, noise: float, iou: float) -> float:
    """1.0 where another class is first whose logit is within `noise` of the server's first, else 0.0."""
    if not case.answers or not candidate or candidate[0].index == case.answers[0].index:
        return 0.0
    logits = case.outputs["logits"].reshape(-1)
    return float(logits[case.answers[0].index] - logits[candidate[0].index] <= noise)


def answer_faults(cases: Sequence[GoldenCase], predictions: Answers, spec: ModelSpec) -> Iterator[AnswerFault]:
    """A threshold that the contract does not have, another order, and scores with another activation or none."""
    expected = [case.answers for case in cases]
    lowest = min((answer.score for image in predictions for answer in image), default=0.0)
    if 0.0 < lowest < 1.0:
        threshold = threshold_below(lowest)
        above_threshold = [[answer for answer in image if answer.score >= threshold] for image in expected]
        name = f"another score threshold is used (the lowest score given is {lowest:.2g}; the contract has none)"
        yield AnswerFault(name, above_threshold, predictions)
    ordered = [sorted(image, key=lambda answer: -answer.score) for image in predictions]
    yield AnswerFault("the answers are not in the order of their scores, best first", expected, ordered)
    yield from activation_faults(cases, predictions, spec)


def threshold_below(lowest: float) -> float:
    """A threshold just below the lowest score, because scores differ by the order of float operations."""
    return lowest - min(1e-4, lowest / 2)


def _all_answers(answers: ImageAnswers, spec: ModelSpec) -> list[Answer]:
    return list(answers)


CLASSIFICATION = TaskParity(
    metric_name="top1",
    metric_title="top-1",
    ranking_spec=lambda spec: spec,
    metric=top1,
    stored_answers=lambda image_answers: image_answers[:1],
    shown_answers=_all_answers,
    agree=agree,
    ties=ties,
    answering=None,
    answer_faults=answer_faults,
    distance=lambda expected, given, spec: class_distance(expected, given),
)
