"""Detection: boxes agree one to one, same label and IoU; mean average precision at IoU 0.5."""

from collections.abc import Sequence

from samesight.contract.answers import Answer
from samesight.contract.detection import reaches_threshold
from samesight.contract.golden import GoldenCase
from samesight.contract.spec import Detection, ModelSpec
from samesight.conversion.tasks.average_precision import MOST_DETECTIONS, match_example, weighted_precision
from samesight.conversion.tasks.detection_faults import answer_faults
from samesight.conversion.tasks.distance import box_distance
from samesight.conversion.tasks.interface import AgreementCounts, Answers, ImageAnswers, TaskParity, WeightedMetric
from samesight.conversion.tasks.matching import match_answers
from samesight.datasets.example import LabelledImage

METRIC_THRESHOLD = 0.05


def rule_of(spec: ModelSpec) -> Detection:
    """The spec's rule for boxes, which every detection has."""
    assert spec.detection is not None
    return spec.detection


def ranking_spec(spec: ModelSpec) -> ModelSpec:
    """COCO's protocol ranks all boxes, also those too unsure to be shown."""
    rule = rule_of(spec)
    update = {
        "score_threshold": min(METRIC_THRESHOLD, rule.score_threshold),
        "max_detections": max(MOST_DETECTIONS, rule.max_detections),
    }
    return spec.model_copy(update={"detection": rule.model_copy(update=update)})


def map50(predictions: Answers, examples: Sequence[LabelledImage], spec: ModelSpec) -> WeightedMetric:
    """COCO's mean average precision at IoU 0.5, 0..1."""
    matches = [
        match_example(boxes, example, len(spec.labels)) for boxes, example in zip(predictions, examples, strict=True)
    ]
    return lambda weights: weighted_precision(matches, weights)


def shown_answers(answers: ImageAnswers, spec: ModelSpec) -> list[Answer]:
    """The boxes that reach the model's own threshold."""
    return [answer for answer in answers if answer.score >= rule_of(spec).score_threshold]


def agree(server: ImageAnswers, candidate: ImageAnswers, iou: float) -> AgreementCounts:
    """Match boxes one to one; unmatched boxes of either side disagree."""
    columns, overlap = match_answers(server, candidate, iou)
    matched = [(row, column) for row, column in enumerate(columns) if column is not None]
    return AgreementCounts(
        pairs=[(server[row], candidate[column]) for row, column in matched],
        all=(len(server) + len(candidate)) / 2,
        overlaps=[float(overlap[row, column]) for row, column in matched],
    )


def ties(case: GoldenCase, candidate: ImageAnswers, spec: ModelSpec, noise: float, iou: float) -> float:
    """Half of the boxes of one side alone whose score is so near the threshold that `noise` moves it across."""
    threshold = rule_of(spec).score_threshold
    # A sigmoid's and a softmax's slope is 1/4 at most.
    margin = noise if spec.outputs.activation == "none" else noise / 4
    columns, _ = match_answers(case.answers, candidate, iou)
    alone = [answer for answer, column in zip(case.answers, columns, strict=True) if column is None]
    alone += [answer for position, answer in enumerate(candidate) if position not in columns]
    return 0.5 * sum(answer.score - threshold <= margin for answer in alone)


DETECTION = TaskParity(
    metric_name="map50",
    metric_title="mAP50",
    ranking_spec=ranking_spec,
    metric=map50,
    stored_answers=lambda image_answers: image_answers,
    shown_answers=shown_answers,
    agree=agree,
    ties=ties,
    answering=reaches_threshold,
    answer_faults=answer_faults,
    distance=lambda expected, given, spec: box_distance(expected, given, rule_of(spec).score_threshold),
)
