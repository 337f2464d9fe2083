"""What chance there is in a difference between two programs: the test images might have been others."""

import numpy as np

from samesight.conversion.formats.int8_comparison.case import Array, Figures

RESAMPLES = 2000
INTERVAL = (2.5, 97.5)
"""Percent."""


def difference(ours: Figures, theirs: Figures, seed: int = 0) -> tuple[float, float, float]:
    """How many dB ours has more, and the ends of the 95 % interval.

    Test images are drawn anew, the same for both (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993:
    percentile intervals of paired samples).
    """
    count = ours.noises.shape[1]
    drawn = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    low, high = np.percentile(_decibels(ours, drawn) - _decibels(theirs, drawn), INTERVAL)
    every = np.arange(count)[None]
    return float((_decibels(ours, every) - _decibels(theirs, every))[0]), float(low), float(high)


def _decibels(figures: Figures, drawn: Array) -> Array:
    """Of each row of image numbers, the ratio of the output that is nearest to noise."""
    noises = figures.noises[:, drawn].mean(-1)
    return 10 * np.log10(figures.signals[:, None] / np.maximum(noises, np.finfo(np.float64).tiny)).min(0)
