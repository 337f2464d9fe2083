import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samesight.contract.activation import activate
from samesight.contract.classification import rank

ACTIVATIONS = st.sampled_from(["none", "softmax", "sigmoid"])
# Few values, so that ties are common.
LOGITS = st.lists(st.sampled_from([-3.0, -0.0, 0.0, 1.5, 40.0, 41.0, 500.0]), min_size=1, max_size=12)


@given(LOGITS, ACTIVATIONS, st.integers(1, 15))
def test_ranking_follows_the_text(values, activation, top_k):
    logits = np.array(values, np.float32)
    expected = sorted(range(len(values)), key=lambda index: (-values[index], index))[:top_k]
    scores = activate(logits, activation)
    assert rank(logits, activation, top_k) == [(index, float(scores[index])) for index in expected]


def test_logits_decide_where_scores_tie():
    logits = np.array([40.0, 60.0, 50.0], np.float32)
    ranked = rank(logits, "sigmoid", 3)
    assert [index for index, _ in ranked] == [1, 2, 0]
    assert {score for _, score in ranked} == {1.0}


def test_neighbouring_floats_are_no_tie():
    low = np.float32(1.0)
    assert [i for i, _ in rank(np.array([low, np.nextafter(low, np.float32(2))]), "softmax", 2)] == [1, 0]


@pytest.mark.parametrize("top_k", [1, 3, 10])
def test_top_k_is_a_limit(top_k):
    assert len(rank(np.arange(5, dtype=np.float32), "none", top_k)) == min(top_k, 5)
