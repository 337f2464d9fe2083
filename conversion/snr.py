"""Signal-to-noise ratios in dB. The signal is the reference's energy about its mean, so a constant scores 0 or less."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from samesight.contract.verdicts import RoleFigures
from samesight.conversion.qparams import Float32

SILENCE_DB = -200.0
LARGEST_ERROR = 1e38


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise): infinite without noise; -200 without signal, or where the noise is not finite."""
    if noise == 0.0:
        return math.inf
    if not (math.isfinite(noise) and signal > 0.0):
        return SILENCE_DB
    return max(SILENCE_DB, 10.0 * math.log10(signal / noise))


def ratios(expected: Float32, actual: Float32) -> tuple[float, float]:
    """Ratios of all values of one output over several cases, [cases, ...].

    The signal of the first is the energy about the mean of each value, that of the second the energy about zero: an
    output that hardly changes has none about its mean. Another shape is pure noise.
    """
    if expected.shape != actual.shape:
        return SILENCE_DB, SILENCE_DB
    noise = float(np.square(expected.astype(np.float64) - actual).sum())
    about_mean = float(np.square(expected - expected.mean(0), dtype=np.float64).sum())
    return decibels(about_mean, noise), decibels(float(np.square(expected, dtype=np.float64).sum()), noise)


def role_figures(
    role: str,
    reference: Sequence[Float32],
    candidate: Sequence[Float32],
    answering: Sequence[npt.NDArray[np.bool_]] | None = None,
) -> RoleFigures:
    """Ratios of one output over all cases.

    Args:
        role: what the output is.
        reference: the server model's output per case, float32 [1, C] or [1, N, C].
        candidate: the same of the candidate; a wrong shape counts as pure noise.
        answering: per case bool [N], the positions whose score reaches the threshold.
    """
    channels = reference[0].shape[-1]
    expected = [array.astype(np.float64).reshape(-1, channels) for array in reference]
    if any(a.shape != b.shape for a, b in zip(reference, candidate, strict=True)):
        return RoleFigures(role=role, exact=False, snr_db=SILENCE_DB, worst_db=SILENCE_DB, largest_error=LARGEST_ERROR)
    errors = [
        array.astype(np.float64).reshape(-1, channels) - values
        for array, values in zip(candidate, expected, strict=True)
    ]
    everything = np.concatenate(expected)
    signal = float(np.mean((everything - everything.mean(axis=0)) ** 2))
    pooled = np.concatenate(errors)
    largest = float(np.max(np.abs(pooled), initial=0.0))
    exact = largest == 0.0
    figures = RoleFigures(
        role=role,
        exact=exact,
        snr_db=None if exact else decibels(signal, float(np.mean(pooled**2))),
        worst_db=None if exact else min(decibels(signal, float(np.mean(e**2))) for e in errors if np.any(e)),
        largest_error=largest if np.isfinite(largest) else LARGEST_ERROR,
    )
    if answering is None or exact:
        return figures
    positions_by_case = [np.flatnonzero(mask) for mask in answering]
    values = np.concatenate([array[positions] for array, positions in zip(expected, positions_by_case, strict=True)])
    noise = np.concatenate([array[positions] for array, positions in zip(errors, positions_by_case, strict=True)])
    if not np.any(noise):
        return figures
    energy = float(np.mean((values - values.mean(axis=0)) ** 2))
    return figures.model_copy(update={"answering_db": decibels(energy, float(np.mean(noise**2)))})
