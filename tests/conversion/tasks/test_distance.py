"""The distance of two lists of answers: 0 for the same, 1 for nothing in common, smooth in between."""

import math

import pytest

from samesight.contract.answers import Answer
from samesight.conversion.parity.answer_distance import rounding_of
from samesight.conversion.tasks.distance import angle, box_distance, class_distance


def classes(**scores):
    return [Answer(label, 0, score) for label, score in scores.items()]


def boxes(*rows):
    return [Answer(label, 0, score, box) for label, score, box in rows]


def test_an_angle_is_steep_near_0_and_1_and_goes_on_outside():
    assert angle(0) == 0 and angle(1) == pytest.approx(math.pi / 2) and angle(0.5) == pytest.approx(math.pi / 4)
    values = [angle(score) for score in (-50, -1, 0, 0.01, 0.5, 0.99, 1, 2, 99)]
    assert values == sorted(values)
    assert angle(0.999) - angle(0.99) == pytest.approx(angle(0.57) - angle(0.5), abs=0.01)


def test_classes():
    right = classes(cat=0.9, dog=0.08, fox=0.02)
    assert class_distance(right, right) == class_distance([], []) == 0
    assert class_distance(right, []) == class_distance([], right) == 1
    assert class_distance(right, classes(fox=0.9, cat=0.08, dog=0.02)) > 0.9
    # One answer of three says less, but nothing against it.
    assert class_distance(right, classes(cat=0.9)) == 0
    small, larger = (class_distance(right, classes(cat=0.9 - d, dog=0.08 + d, fox=0.02)) for d in (0.01, 0.05))
    assert 0 < small < larger < 0.02
    # The same scores in another order are another answer.
    assert class_distance(right, right[::-1]) > 0.5


def test_boxes():
    right_dog = ("dog", 0.6, (20, 20, 30, 30))
    right = boxes(("cat", 0.9, (0, 0, 10, 10)), right_dog)
    assert box_distance(right, right[::-1], 0.4) == box_distance([], [], 0.4) == 0
    assert box_distance(right, [], 0.4) == 1
    assert box_distance(right, boxes(("dog", 0.9, (0, 0, 10, 10)), right_dog), 0.4) == 0.5
    moved = box_distance(right, boxes(("cat", 0.9, (1, 0, 11, 10)), right_dog), 0.4)
    assert 0 < moved == pytest.approx((1 - 9 / 11) ** 2 / 2, rel=1e-6)
    # A box at the threshold may be there or not; one far below it or above it may not.
    near, above, below = (
        box_distance(right, [*right, *boxes(("cat", s, (50, 50, 60, 60)))], 0.4) for s in (0.41, 0.9, 0.01)
    )
    assert near < 0.005 and above == below == pytest.approx(1 / 3)


def test_expected_answers_are_rounded_as_the_given_ones_are():
    expected = boxes(("cat", 0.87654, (0.2, 0.7, 10.4, 9.9)))
    (rounded,) = rounding_of([boxes(("cat", 0.88, (1.0, 2.0, 3.0, 4.0)))])(expected)
    assert rounded.score == 0.88 and rounded.box == (0, 1, 10, 10)
    (kept,) = rounding_of([boxes(("cat", 0.8812345678, (1.5, 2.0, 3.0, 4.0)))])(expected)
    assert kept == expected[0]
