import struct
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samesight.contract.activation import activate, exp, raw_threshold, sigmoid, softmax

LOGITS = st.floats(-200, 200, width=32)


def bits64(value):
    return struct.pack(">d", value).hex()


def bits32(value):
    return struct.pack(">f", value).hex()


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (0.0, "3ff0000000000000"),
        (-0.001, "3feff7cfe56f1a9e"),
        (-0.5, "3fe368b2fc6f960a"),
        (-1.0, "3fd78b56362cef38"),
        (-10.0, "3f07cd79b5647c9a"),
        (-100.0, "36ea8c1f14e2af5d"),
        (-699.5, "00dc89c2e339b392"),
        (-700.5, "0000000000000000"),
        (-1e300, "0000000000000000"),
    ],
)
def test_exp_has_the_bits_of_the_contract(x, expected):
    assert bits64(exp(np.array([x]))[0]) == expected


def exp_by_the_text(x):
    if x < -700:
        return 0.0
    k = np.floor(x * 1.44269504088896338700 + 0.5)
    r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10
    factorial = [1]
    for n in range(1, 14):
        factorial.append(factorial[-1] * n)
    p = 1.0 / float(factorial[13])
    for n in range(12, -1, -1):
        p = p * r + 1.0 / float(factorial[n])
    return float(p * 2.0 ** int(k))


@given(st.lists(st.floats(-710, 0), min_size=1, max_size=40))
def test_exp_follows_the_text_and_is_within_two_ulp(xs):
    found = exp(np.array(xs))
    with localcontext() as context:
        context.prec = 40
        for x, value in zip(xs, found.tolist(), strict=True):
            assert value == exp_by_the_text(x)
            if x >= -700:
                assert abs(Decimal(value) - Decimal(x).exp()) <= 2 * Decimal(float(np.spacing(value)))


def test_known_scores():
    found = sigmoid(np.array([-20.0, -1.0, 0.0, 0.25, 3.0, 17.0], np.float32))
    assert [bits32(v) for v in found] == ["310da433", "3e89b2b1", "3f000000", "3f0feacd", "3f73dbe6", "3f7fffff"]
    found = softmax(np.array([1, 2, 3, -4], np.float32))
    assert [bits32(v) for v in found] == ["3db84555", "3e7a7335", "3f2a32cd", "3a1eecfb"]


@given(st.lists(LOGITS, min_size=1, max_size=30))
def test_softmax_sums_one_after_the_other(values):
    logits = np.array(values, np.float32)
    greatest = max(float(v) for v in logits)
    powers = [exp_by_the_text(float(v) - greatest) for v in logits]
    total = 0.0
    for power in powers:
        total = total + power
    found = softmax(logits[None])[0]
    assert found.dtype == np.float32
    assert found.tolist() == [float(np.float32(power / total)) for power in powers]
    assert abs(found.astype(float).sum() - 1) < 1e-5


@given(LOGITS)
def test_sigmoid_follows_the_text(value):
    x = float(np.float32(value))
    e = exp_by_the_text(-abs(x))
    expected = 1.0 / (1.0 + e) if x >= 0 else e / (1.0 + e)
    assert float(sigmoid(np.array([x], np.float32))[0]) == float(np.float32(expected))


@given(st.lists(LOGITS, min_size=2, max_size=20))
def test_scores_never_contradict_the_order_of_logits(values):
    logits = np.sort(np.array(values, np.float32))
    for activation in ("none", "sigmoid", "softmax"):
        assert (np.diff(activate(logits, activation)) >= 0).all()


def test_extreme_logits_stay_finite():
    largest = np.finfo(np.float32).max
    logits = np.array([-largest, 0, largest], np.float32)
    assert sigmoid(logits).tolist() == [0, 0.5, 1]
    assert softmax(logits).tolist() == [0, 0, 1]
    assert softmax(np.full(3, -largest, np.float32)).tolist() == [np.float32(1 / 3)] * 3


def test_thresholds():
    assert raw_threshold(0.4, "none") == raw_threshold(0.4, "softmax") == np.float32(0.4)
    assert bits32(raw_threshold(0.4, "sigmoid")) == "becf991f"
    assert raw_threshold(0.5, "sigmoid") == 0
    assert raw_threshold(0.0, "sigmoid") == -np.inf and raw_threshold(1.0, "sigmoid") == np.inf


def test_no_usual_threshold_depends_on_the_last_bits_of_log():
    """Any library's log within 4 units in the last place gives the same float32 for the thresholds people write."""
    for thousandth in range(1, 1000):
        t = thousandth / 1000
        with localcontext() as context:
            context.prec = 40
            exact = (Decimal(t) / (1 - Decimal(t))).ln()
        if t == 0.5:
            continue
        near = float(exact)
        margin = 4 * float(np.spacing(abs(near)))
        assert len({np.float32(near - margin), np.float32(near + margin), raw_threshold(t, "sigmoid")}) == 1
