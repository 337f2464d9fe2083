"""How far two lists of answers to one image are apart, 0 to 1: smooth, so that small faults show, and bounded.

Scores are compared as angles, arcsin(sqrt(score)), which have the same variance everywhere (M. S. Bartlett, "The square
root transformation in analysis of variance", 1936): 0.99 and 0.999 are as far apart as 0.5 and 0.57.
"""

import math

import numpy as np

from samesight.contract.answers import Answer
from samesight.conversion.tasks.interface import ImageAnswers
from samesight.conversion.tasks.matching import match_greedily, overlaps

LEAST_OVERLAP = 0.1
"""Boxes that overlap less are not the same object."""
NEAR_THRESHOLD = 0.2
"""Radians from the threshold from which on an answer of one side alone counts in full."""


def angle(score: float) -> float:
    """0 for a score of 0, pi / 2 for 1; scores outside of 0..1 go on with a logarithm."""
    if score < 0.0:
        return -math.log1p(-score)
    return math.asin(math.sqrt(score)) if score <= 1.0 else math.pi / 2 + math.log(score)


def class_distance(expected: ImageAnswers, given: ImageAnswers) -> float:
    """Squared distances of the scores of all labels, and by how much the first answer misses the expected one.

    A label that one side does not list has at most its lowest score there.
    """
    if not expected or not given:
        return float(bool(expected) != bool(given))
    here, there = ({answer.label: angle(answer.score) for answer in side} for side in (expected, given))
    least_here, least_there = min(here.values()), min(there.values())
    total = 0.0
    for label in here.keys() | there.keys():
        if label not in there:
            total += max(0.0, here[label] - least_there) ** 2
        elif label not in here:
            total += max(0.0, there[label] - least_here) ** 2
        else:
            total += (here[label] - there[label]) ** 2
    total += (max(here.values()) - here.get(given[0].label, least_here)) ** 2
    return min(1.0, total)


def box_distance(expected: ImageAnswers, given: ImageAnswers, threshold: float) -> float:
    """The mean over all boxes, matched one to one: 1 for another label, else what scores and overlap miss.

    A box of one side alone counts in full, and less where its score is near the threshold.
    """
    if not expected and not given:
        return 0.0
    overlap = overlaps(expected, given)
    same = np.array([[a.label == b.label for b in given] for a in expected], np.bool_).reshape(overlap.shape)
    # A box of the same label is preferred.
    columns = match_greedily(overlap * np.where(same, 1.0, 0.5), np.ones_like(same), LEAST_OVERLAP)
    costs = []
    for row, column in enumerate(columns):
        if column is None:
            costs.append(_alone(expected[row], threshold))
        elif not same[row, column]:
            costs.append(1.0)
        else:
            apart = angle(expected[row].score) - angle(given[column].score)
            costs.append(min(1.0, apart**2 + (1.0 - float(overlap[row, column])) ** 2))
    costs += [_alone(answer, threshold) for position, answer in enumerate(given) if position not in columns]
    return sum(costs) / len(costs)


def _alone(answer: Answer, threshold: float) -> float:
    # Right code gives none below the threshold either.
    return min(1.0, ((angle(answer.score) - angle(threshold)) / NEAR_THRESHOLD) ** 2)
