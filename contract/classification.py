"""Classification: logits become ranked classes."""

import numpy as np
from numpy.typing import NDArray

from samesight.contract.activation import Activation, activate


def rank(logits: NDArray[np.float32], activation: Activation, top_k: int) -> list[tuple[int, float]]:
    """The best `top_k` classes as (index, score), best first.

    Ranked by raw logit, ties by lower index: scores tie where logits do not (a confident softmax rounds to 1).

    Args:
        logits: float32 [C], finite.
        activation: turns logits into scores.
        top_k: at least 1; no more than C come back.
    """
    scores = activate(logits, activation)
    order = np.argsort(-logits, kind="stable")[:top_k]
    return [(int(index), float(scores[index])) for index in order]
