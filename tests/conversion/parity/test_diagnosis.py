"""What a person's server code returned: reading it, judging it and naming the fault, without running a server."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from samesight.contract.answers import answers
from samesight.contract.bundle import open_bundle
from samesight.contract.errors import SamesightError
from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Stretch
from samesight.conversion.normalisation import network_values, pixels_for
from samesight.conversion.parity.diagnosis import SAME_DB, SAME_SCORE
from samesight.conversion.parity.faults import VALUE_FAULTS
from samesight.conversion.parity.image_faults import IMAGE_FAULTS
from samesight.conversion.parity.server_check import (
    as_answers,
    as_input,
    compare,
    print_comparison,
    reference_runner,
)
from samesight.conversion.parity.server_process import serve

RETURNS = {
    "sys.exit(3)": "failed on golden/000.png: SystemExit: 3",
    "raise ValueError('first\\nsecond')": "failed on golden/000.png: ValueError: first; mend it",
    "return [], 'a cat'": "returned for golden/000.png what is no list of answers or no array of numbers",
    "return {(1, 2): 3}": "returned for golden/000.png what is no list of answers",
}


@pytest.mark.parametrize("body", RETURNS)
def test_a_function_that_fails_is_named_with_the_image(tmp_path, monkeypatch, body):
    module = f"failing_server_{list(RETURNS).index(body)}"
    (tmp_path / f"{module}.py").write_text(f"import sys\ndef answer(path):\n    {body}")
    (tmp_path / "000.png").touch()
    monkeypatch.setattr("sys.path", ["."])
    with pytest.raises(SamesightError) as refused:
        serve(f"{module}:answer", tmp_path, tmp_path)
    assert f"{module}:answer: {RETURNS[body]}" in str(refused.value) and "\n" not in str(refused.value)


class Returned:
    """A demo bundle, and what right code returns for its golden images."""

    def __init__(self, folder):
        self.bundle = open_bundle(folder)
        self.spec, self.cases = self.bundle.spec, self.bundle.golden_cases()
        self.answers = [list(case.answers) for case in self.cases]
        self.levels = [case.tensor for case in self.cases]
        self.values = [network_values(case.tensor, self.spec.input) for case in self.cases]
        self.ways = [preprocess(case.picture, self.spec.input)[1] for case in self.cases]
        self.run = reference_runner(self.bundle)

    def compared(self, given, tensors=()):
        return compare(self.bundle, self.cases, "my_server:answer", given, list(tensors))

    def changed(self, change):
        """The right answers, each changed by `change(answer, way)`."""
        return [[change(a, way) for a in image] for image, way in zip(self.answers, self.ways, strict=True)]

    def answered(self, inputs):
        """The answers for other network inputs."""
        found = [self.run(pixels_for(values, self.spec.input)) for values in inputs]
        return [answers(outputs, self.spec, way) for outputs, way in zip(found, self.ways, strict=True)]


@pytest.fixture(scope="module")
def digits(demo):
    return Returned(demo / "digits")


@pytest.fixture(scope="module")
def scenes(demo):
    return Returned(demo / "scenes")


def test_what_is_bit_equal_is_exact(digits):
    for tensors in (digits.levels, digits.values):
        told = print_comparison(digits.compared(digits.answers, tensors))
        assert "exact" in told and "200" not in told and "see alike" in told


def test_answers_alone_that_agree_ask_for_the_tensor(digits):
    assert "return the network's input" in print_comparison(digits.compared(digits.answers))


def test_levels_are_the_same_from_45_db_on(digits):
    near = [t.copy() for t in digits.levels]
    for tensor in near:
        tensor[::10] ^= 1
    told = digits.compared(digits.answers, near)
    assert told.passed and 45 < told.tensor_db < 60 and told.largest_difference == 1
    reverse = digits.compared(digits.answers, [np.ascontiguousarray(t[:, :, ::-1]) for t in digits.levels])
    assert not reverse.passed and "BGR" in reverse.likely_cause


def test_levels_do_not_hide_a_missing_normalisation(digits):
    raw = VALUE_FAULTS["the pixels are scaled to 0..1 and not normalised"]
    given = digits.answered([raw(tensor, digits.spec.input) for tensor in digits.levels])
    assert "not normalised" in digits.compared(given, digits.levels).likely_cause


@pytest.mark.parametrize("name", ["BGR", "without antialias"])
def test_score_gate_lies_between_right_code_and_faults(digits, name):
    make = next(make for fault, make in IMAGE_FAULTS.items() if name in fault)
    wrong = [network_values(make(case.picture, digits.spec.input), digits.spec.input) for case in digits.cases]
    told = digits.compared(digits.answered(wrong))
    assert told.agreement == 1.0 and told.score_difference > 1.5 * SAME_SCORE
    assert not told.passed and name in told.likely_cause
    # Scores with two digits are right.
    assert digits.compared(digits.changed(lambda a, _: replace(a, score=round(a.score, 2)))).passed


PAIRS = {
    "EXIF) is ignored and the image is stretched": lambda p: (Picture(p.pixels), {"framing": Stretch()}),
    "reverse order (BGR for RGB) and the image is mirrored": lambda p: (Picture(p.upright()[:, ::-1, ::-1]), {}),
}


@pytest.mark.parametrize(("number", "returned"), [(0, "levels"), (1, "values"), (0, "answers alone")])
def test_two_faults_at_once_are_both_named(scenes, number, returned):
    cause = list(PAIRS)[number]
    levels, values = two_faults(scenes, cause)
    told = scenes.compared(scenes.answered(values), {"levels": levels, "values": values}.get(returned, ()))
    assert not told.passed and all(words in told.likely_cause for words in cause.split(" and ")), told.likely_cause


def two_faults(returned, cause):
    """The network's inputs with both faults, as levels and as values."""
    given, levels = returned.spec.input, []
    for case in returned.cases:
        picture, change = PAIRS[cause](case.picture)
        levels.append(preprocess(picture, given.model_copy(update=change))[0])
    return levels, [network_values(tensor, given) for tensor in levels]


@pytest.mark.parametrize("name", IMAGE_FAULTS)
def test_one_fault_is_named_alone(scenes, name):
    levels = [IMAGE_FAULTS[name](case.picture, scenes.spec.input) for case in scenes.cases]
    told = scenes.compared(scenes.answers, levels)
    if told.tensor_db < SAME_DB:
        # On upright pictures of one size some faults are the same.
        assert told.likely_cause in IMAGE_FAULTS, told.likely_cause


def test_a_fault_before_the_network_and_one_after_it_are_both_named(digits):
    make = IMAGE_FAULTS["the image is turned by 90 degrees"]
    levels = [make(case.picture, digits.spec.input) for case in digits.cases]
    given = digits.answered([network_values(t, digits.spec.input) for t in levels])

    def shifted(images):
        return [
            [replace(a, label=str((a.index + 1) % 10), index=(a.index + 1) % 10) for a in image] for image in images
        ]

    before = digits.compared(shifted(given)).likely_cause
    assert "turned by 90" in before and "labels are one too high" in before
    percent = shifted(digits.changed(lambda a, _: replace(a, score=100 * a.score)))
    after = digits.compared(percent, digits.values).likely_cause
    assert "labels are one too high" in after and "scores are percent" in after


AFTER = {
    "labels are one too high": lambda a, way: replace(a, label=str((a.index + 1) % 10), index=(a.index + 1) % 10),
    "scores are percent": lambda a, way: replace(a, score=a.score * 100),
    "fractions 0..1 of the image": lambda a, way: replace(a, box=tuple(np.array(a.box) / (way.stored_size * 2))),
    "x, y, width, height": lambda a, way: replace(a, box=(*a.box[:2], a.box[2] - a.box[0], a.box[3] - a.box[1])),
    "x and y of the boxes are exchanged": lambda a, way: replace(a, box=tuple(np.array(a.box)[[1, 0, 3, 2]])),
    "fractions 0..1 of the image, not pixels and the boxes are centre x": lambda a, way: replace(
        a, box=centred(np.array(a.box) / (way.stored_size * 2))
    ),
}


def centred(box):
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


@pytest.mark.parametrize("tensor", [True, False], ids=["with tensor", "answers only"])
@pytest.mark.parametrize("cause", AFTER)
def test_faults_after_the_network_are_named(scenes, cause, tensor):
    told = scenes.compared(scenes.changed(AFTER[cause]), scenes.values if tensor else ())
    assert not told.passed and cause in told.likely_cause


def test_boxes_in_another_frame_are_named(scenes):
    def placed(to):
        found = []
        for case, way, image in zip(scenes.cases, scenes.ways, scenes.answers, strict=True):
            raw = to(way, answers(case.outputs, scenes.spec, SimpleNamespace(to_stored=lambda boxes: boxes)))
            found.append([replace(a, box=tuple(box)) for a, box in zip(image, raw.tolist(), strict=True)])
        return scenes.compared(found).likely_cause

    def inside(found):
        return np.array([a.box for a in found], np.float32).reshape(-1, 4)

    assert "not mapped back" in placed(lambda way, found: inside(found))
    assert "pixels of the upright image" in placed(lambda way, found: way.to_upright(inside(found)))
    assert "fractions 0..1 of the network's input" in placed(lambda way, found: inside(found) / 128)


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_another_threshold_is_named(scenes, threshold):
    rule = scenes.spec.detection.model_copy(update={"score_threshold": threshold})
    other = scenes.spec.model_copy(update={"detection": rule})
    given = [answers(case.outputs, other, way) for case, way in zip(scenes.cases, scenes.ways, strict=True)]
    assert "another score threshold" in scenes.compared(given, scenes.values).likely_cause


def test_another_order_and_raw_scores_are_named(digits):
    reverse = [image[::-1] for image in digits.answers]
    assert "not in the order of their scores" in digits.compared(reverse, digits.values).likely_cause
    raw = digits.spec.model_copy(update={"outputs": digits.spec.outputs.model_copy(update={"activation": "none"})})
    given = [answers(case.outputs, raw) for case in digits.cases]
    assert "without softmax" in digits.compared(given, digits.values).likely_cause


def test_an_image_fault_is_not_named_when_the_tensor_rules_it_out(digits):
    make = IMAGE_FAULTS["the channels are in reverse order (BGR for RGB)"]
    wrong = [network_values(make(case.picture, digits.spec.input), digits.spec.input) for case in digits.cases]
    for tensors, words in ((digits.values, "the fault lies after it"), (digits.levels, "lies in the normalisation")):
        told = digits.compared(digits.answered(wrong), tensors)
        assert not told.passed and told.likely_cause is None and words in print_comparison(told)


ANSWERS = {
    "no box": [{"label": "1", "score": 0.5}],
    "no score": [{"label": "1", "box": [0, 0, 1, 1]}],
    "score is no number": [{"label": "1", "score": float("nan"), "box": [0, 0, 1, 1]}],
    "endless box": [{"label": "1", "score": 0.5, "box": [0, 0, float("inf"), 1]}],
    "three sides": [{"label": "1", "score": 0.5, "box": [0, 0, 1]}],
    "nothing": None,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_that_cannot_be_read_are_shown(scenes, name):
    with pytest.raises(
        SamesightError, match=r"^m:f: returned .* for golden/007\.png; return a list of .*box"
    ) as refused:
        as_answers(ANSWERS[name], scenes.spec, "m:f", "007")
    assert str(ANSWERS[name])[:30] in str(refused.value)


def test_a_score_that_is_no_number_is_refused_in_classification(digits):
    with pytest.raises(SamesightError, match=r"nan.*golden/007"):
        as_answers([{"label": "1", "score": float("nan")}], digits.spec, "m:f", "007")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_tensor_that_is_not_finite_is_refused(digits, value):
    with pytest.raises(SamesightError, match=r"golden/007\.png that holds values that are not finite"):
        as_input(np.full((1, 3, 64, 64), value), digits.spec.input, "m:f", "007")


def test_levels_and_values_are_not_mixed(digits):
    with pytest.raises(SamesightError, match="uint8 and float"):
        digits.compared(digits.answers, [digits.levels[0], *digits.values[1:]])
