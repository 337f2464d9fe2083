"""Normalisations; images are [N, C, *D]."""

from torch import Tensor
from torch.nn import functional

from samesight.conversion.runners.coreml.dtypes import Ints


def batch_norm(
    x: Tensor, mean: Tensor, variance: Tensor, epsilon: float, gamma: Tensor | None = None, beta: Tensor | None = None
) -> Tensor:
    """`gamma · (x - mean) / sqrt(variance + epsilon) + beta`, per channel."""
    return functional.batch_norm(x, mean, variance, gamma, beta, False, 0.0, epsilon)


def instance_norm(x: Tensor, epsilon: float, gamma: Tensor | None = None, beta: Tensor | None = None) -> Tensor:
    """Each channel of each image normalised by its own mean and variance."""
    axes = tuple(range(2, x.dim()))
    shape = (1, -1, *(1,) * len(axes))
    made = _standardise(x, axes, epsilon)
    if gamma is not None:
        made = made * gamma.reshape(shape)
    return made if beta is None else made + beta.reshape(shape)


def layer_norm(
    x: Tensor, axes: Ints, epsilon: float, gamma: Tensor | None = None, beta: Tensor | None = None
) -> Tensor:
    """Normalised over `axes`; gamma and beta have the shape of these axes."""
    positive = sorted(axis % x.dim() for axis in axes)
    shape = [x.shape[axis] if axis in positive else 1 for axis in range(x.dim())]
    made = _standardise(x, tuple(positive), epsilon)
    if gamma is not None:
        made = made * gamma.reshape(shape)
    return made if beta is None else made + beta.reshape(shape)


def l2_norm(x: Tensor, epsilon: float) -> Tensor:
    """`x / sqrt(sum of squares over the last three axes + epsilon)`."""
    return x / (x.square().sum((-3, -2, -1), keepdim=True) + epsilon).sqrt()


def local_response_norm(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """`x / (k + alpha / size · s) ^ beta`, s: the sum of squares over `size` neighbours in the third axis from the end.

    That is the channel of a map [N, C, H, W]. Of lines [N, C, D] it is N: Apple's own test (coremltools,
    TestNormalizationLocalResponseNorm) expects values in which no channel knows its neighbours.
    """
    before, after = size // 2, (size - 1) // 2
    squares = functional.pad(x.square().movedim(-3, -1), (before, after)).unfold(-1, size, 1).sum(-1).movedim(-1, -3)
    return x / (k + alpha / size * squares) ** beta


def _standardise(x: Tensor, axes: Ints, epsilon: float) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True) + epsilon).sqrt()
