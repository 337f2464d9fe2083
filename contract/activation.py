"""Activations in float64 with an exponential of our own, so that every language gives the same bits."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Activation = Literal["none", "softmax", "sigmoid"]

_LOG2_E = 1.44269504088896338700
# ln 2 in two parts; the first ends in zeros, so that k · _LN2_HIGH is exact (fdlibm's e_exp.c).
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_TAYLOR = tuple(1.0 / math.factorial(n) for n in range(14))
_UNDERFLOW = -700.0


def exp(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The exponential of x for x <= 5, within 2 units in the last place; 0 below -700.

    Only additions, multiplications and a power of two, none of them fused: a library's exp differs by a bit from
    system to system, and with it a score, an order or an answer.
    """
    bounded = np.maximum(x, _UNDERFLOW)
    k = np.floor(bounded * _LOG2_E + 0.5)
    r = (bounded - k * _LN2_HIGH) - k * _LN2_LOW
    power = np.full_like(r, _TAYLOR[13])
    for coefficient in reversed(_TAYLOR[:13]):
        power = power * r + coefficient
    return np.where(x < _UNDERFLOW, 0.0, np.ldexp(power, k.astype(np.int32)))


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / (1 + exp(-x)), computed as e / (1 + e) with e = exp(x) for negative x; any shape."""
    x = logits.astype(np.float64)
    e = exp(-np.abs(x))
    return (np.where(x < 0.0, e, 1.0) / (1.0 + e)).astype(np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """exp(x - greatest) / sum over the last axis, the sum taken from the first class to the last."""
    x = logits.astype(np.float64)
    e = exp(x - x.max(axis=-1, keepdims=True))
    total = np.cumsum(e, axis=-1)[..., -1:]  # numpy's sum adds pairwise; cumsum one after the other.
    return (e / total).astype(np.float32)


def activate(logits: NDArray[np.float32], activation: Activation) -> NDArray[np.float32]:
    """Scores of logits [..., C], float32."""
    if activation == "softmax":
        return softmax(logits)
    return sigmoid(logits) if activation == "sigmoid" else logits


def raw_threshold(score: float, activation: Activation) -> np.float32:
    """The least raw value whose candidate is kept for a score threshold in 0..1.

    Under sigmoid float32(log(t / (1 - t))), -inf for 0 and inf for 1; else float32(t).
    """
    if activation != "sigmoid":
        return np.float32(score)
    if score in (0.0, 1.0):
        return np.float32(-np.inf if score == 0.0 else np.inf)
    return np.float32(math.log(score / (1.0 - score)))
