"""A contract in another language against Python's: equal bytes, answers and refusals on random cases."""

import json

import numpy as np
import pytest

from support.random_cases import (
    CASES_OF_ONE_IMAGE,
    answer_cases,
    expected_answers,
    expected_pixels,
    pixel_cases,
    pixel_line,
    sentence_or,
    stored_pixels,
    tensor_of,
)

PIXEL_CASES, ANSWER_CASES = 5_000, 600
SCORE_TOLERANCE = 1e-6


def differing(cases, expected, found):
    """The cases whose line is another one, each with both lines."""
    assert len(cases) == len(expected) == len(found)
    return [(case, e, f) for case, e, f in zip(cases, expected, found, strict=True) if e != f]


@pytest.fixture(scope="module")
def run(parity, tmp_path_factory):
    def run_on(command, cases):
        return parity(command, map(json.dumps, cases), tmp_path_factory.mktemp(command))

    return run_on


def test_every_byte_of_thousands_of_random_images_is_pythons(run, kept_lines):
    cases = pixel_cases(PIXEL_CASES, seed=1)
    assert {(c["width"], c["height"]) > (1, 1) for c in cases} == {True, False}
    assert max(c["width"] for c in cases) > 3500 and max(c["height"] for c in cases) > 2500
    expected = kept_lines("pixels", lambda: expected_pixels(cases))
    assert differing(cases, expected, run("pixels", cases)) == []


def test_one_wrong_byte_is_found(run):
    """The comparison above would notice: one byte of one of 100 expected tensors is changed by one level."""
    cases = pixel_cases(100, seed=2)
    expected = expected_pixels(cases)
    chosen = 41
    pixels, camera = stored_pixels(cases[chosen - chosen % CASES_OF_ONE_IMAGE])
    tensor, frame, packed = tensor_of(cases[chosen], pixels)
    assert pixel_line((tensor, frame, packed), camera) == expected[chosen]
    wrong = tensor.copy()
    wrong.flat[wrong.size // 2] ^= 1
    expected[chosen] = pixel_line((wrong, frame, packed), camera)
    assert [case for case, _, _ in differing(cases, expected, run("pixels", cases))] == [cases[chosen]]


def split(line):
    """Answers of one line without their scores, and the scores."""
    rows = [row.split(" ") for row in line.split(";") if row]
    scores = np.array([int(row[2], 16) for row in rows], np.uint32).view(np.float32)
    return [row[:2] + row[3:] for row in rows], scores


def unequal_answers(cases, expected, found):
    """The cases whose labels, order or boxes differ in a bit, or a score by more than the tolerance."""
    result = []
    for case, e, f in differing(cases, expected, found):
        (rows, scores), (other_rows, other_scores) = split(e), split(f)
        if rows != other_rows or np.abs(scores - other_scores).max() > SCORE_TOLERANCE:
            result.append((case, e, f))
    return result


def test_answers_of_random_outputs_are_pythons(run, kept_lines):
    cases = answer_cases(ANSWER_CASES, seed=3)
    expected = kept_lines("answers", lambda: [expected_answers(case) for case in cases])
    assert sum(bool(line) for line in expected) > ANSWER_CASES // 2
    found = run("answers", cases)
    assert unequal_answers(cases, expected, found) == []


def test_a_moved_box_or_score_is_found(run):
    cases = answer_cases(40, seed=4)
    expected = [expected_answers(case) for case in cases]
    chosen = next(i for i, line in enumerate(expected) if len(line.split(";")) > 1 and len(line.split(" ")) > 6)
    words = expected[chosen].split(" ")
    found = run("answers", cases)
    for place, step in ((3, 1), (2, 0x1000), (1, None)):
        changed = list(words)
        changed[place] = "7" if step is None else f"{int(words[place], 16) ^ step:08x}"
        lines = [*expected[:chosen], " ".join(changed), *expected[chosen + 1 :]]
        assert [case for case, _, _ in unequal_answers(cases, lines, found)] == [cases[chosen]]


def test_contradicting_outputs_are_refused_in_pythons_words(run):
    good = [case for case in answer_cases(80, seed=5) if case["spec"]["task"] == "detection"]
    cases = []
    for number, case in enumerate(good):
        changed = json.loads(json.dumps(case))
        role = list(case["outputs"])[number % len(case["outputs"])]
        shape = changed["outputs"][role]["shape"]
        shape[number % 3] += 1
        cases.append(changed)
    expected = [sentence_or(expected_answers, case) for case in cases]
    assert all("correct" in sentence for sentence in expected)
    assert differing(cases, expected, run("answers", cases)) == []
