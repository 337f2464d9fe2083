"""Activations."""

import torch
from torch import Tensor
from torch.nn import functional


def relu(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return x.relu()


def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6)."""
    return x.clamp(0, 6)


def clamped_relu(x: Tensor, alpha: float, beta: float) -> Tensor:
    """min(x, beta) for x ≥ 0, min(alpha · x, beta) below."""
    return torch.where(x >= 0, x, alpha * x).clamp(max=beta)


def elu(x: Tensor, alpha: float) -> Tensor:
    """`x` above 0, alpha · (e^x - 1) below."""
    return functional.elu(x, alpha)


def gelu(x: Tensor, mode: str) -> Tensor:
    """The Gaussian error linear unit, exact or in one of its two approximations."""
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    return functional.gelu(x, approximate="tanh" if mode == "TANH_APPROXIMATION" else "none")


def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    """`x` for x ≥ 0, alpha · x below."""
    return torch.where(x >= 0, x, alpha * x)


def linear_activation(x: Tensor, alpha: float, beta: float) -> Tensor:
    """`alpha · x + beta`."""
    return alpha * x + beta


def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    """`x` above 0, alpha of its channel (the second axis) · x below."""
    return functional.prelu(x, alpha)


def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    """`alpha · tanh(beta · x)`."""
    return alpha * torch.tanh(beta * x)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^-x)."""
    return x.sigmoid()


def sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    """min(max(alpha · x + beta, 0), 1)."""
    return (x * alpha).add_(beta).clamp_(0, 1)


def silu(x: Tensor) -> Tensor:
    """`x · sigmoid(x)`."""
    return functional.silu(x)


def softmax(x: Tensor, axis: int) -> Tensor:
    """e^x over its sum along an axis."""
    return x.softmax(axis)


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x)."""
    return torch.logaddexp(x, torch.zeros_like(x))


def softplus_parametric(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """`alpha · log(1 + e^(beta · x))` with alpha and beta of the channel (the second axis)."""
    shape = (1, -1, *(1,) * (x.dim() - 2))
    return alpha.reshape(shape) * softplus(beta.reshape(shape) * x)


def softsign(x: Tensor) -> Tensor:
    """`x / (1 + |x|)`."""
    return functional.softsign(x)


def thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    """`x` for x ≥ alpha, else 0."""
    return torch.where(x >= alpha, x, 0.0)
