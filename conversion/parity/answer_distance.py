"""How far the answers that somebody's code gave are from expected ones, image by image, whatever their rounding."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import Answer
from samesight.contract.spec import ModelSpec
from samesight.conversion.tasks import TASKS
from samesight.conversion.tasks.interface import Answers

Float64 = npt.NDArray[np.float64]
MOST_DIGITS = 6
FEWEST_DIGITS = 2
"""Scores that are all 0 or 1 are saturated, not rounded."""


def distances_of(expected: Answers, given: Answers, spec: ModelSpec) -> Float64:
    """Per image how far answers are apart, once the expected ones are rounded as the given ones are."""
    distance, rounded = TASKS[spec.task].distance, rounding_of(given)
    return np.array([distance(rounded(a), b, spec) for a, b in zip(expected, given, strict=True)], np.float64)


def rounding_of(given: Answers) -> Callable[[Sequence[Answer]], Sequence[Answer]]:
    """Rounds as somebody's answers are rounded: scores to so many digits, boxes to whole pixels, or nothing."""
    digits = max((_digits(answer.score) for image in given for answer in image), default=MOST_DIGITS)
    digits = max(digits, FEWEST_DIGITS)
    boxes = [answer.box for image in given for answer in image if answer.box]
    whole = bool(boxes) and all(side == round(side) for box in boxes for side in box)
    if digits >= MOST_DIGITS and not whole:
        return lambda image: image

    def rounded(image: Sequence[Answer]) -> Sequence[Answer]:
        return [
            replace(
                answer,
                score=round(answer.score, digits) if digits < MOST_DIGITS else answer.score,
                box=_whole(answer.box) if whole and answer.box else answer.box,
            )
            for answer in image
        ]

    return rounded


def _digits(score: float) -> int:
    return next((digits for digits in range(MOST_DIGITS) if round(score, digits) == score), MOST_DIGITS)


def _whole(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = map(float, map(round, box))
    return x1, y1, x2, y2
