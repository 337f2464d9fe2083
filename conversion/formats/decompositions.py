"""Operators that a converter does not know, as functions of others that it knows."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram


def core_ml() -> dict[Any, Callable[..., Any]]:
    """What coremltools 9.0 does not know, and what Core ML computes otherwise."""
    import torch

    aten = torch.ops.aten
    return {
        aten.rms_norm.default: rms_norm,
        aten.celu.default: celu,
        aten.log_sigmoid.default: log_sigmoid,
        aten.reciprocal.default: reciprocal,
        aten.max_pool2d.default: dilated_max_pool,
        aten.addcmul.default: add_product,
        aten.addcdiv.default: add_quotient,
    }


def core_ai() -> dict[Any, Callable[..., Any]]:
    """What coreai-torch 0.4.3 does not know."""
    import torch

    aten = torch.ops.aten
    return {
        aten.elu.default: elu,
        aten.selu.default: selu,
        aten.celu.default: celu,
        aten.var.correction: variance,
        aten.std.correction: deviation,
    }


def decompose(program: "ExportedProgram", table: dict[Any, Callable[..., Any]]) -> "ExportedProgram":
    """The program with the operators of `table` as others; itself where it has none of them."""
    if not any(node.target in table for node in program.graph.nodes):
        return program
    return program.run_decompositions(table)


def rms_norm(
    x: "Tensor", normalized_shape: Sequence[int], weight: "Tensor | None" = None, eps: float | None = None
) -> "Tensor":
    """As torch.nn.functional.rms_norm."""
    import torch

    axes = list(range(-len(normalized_shape), 0))
    scaled = x * torch.rsqrt((x * x).mean(axes, keepdim=True) + (torch.finfo(x.dtype).eps if eps is None else eps))
    return scaled if weight is None else scaled * weight


def elu(x: "Tensor", alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> "Tensor":
    """As aten.elu: both branches as a sum, of which one adds zero."""
    import torch

    decay = torch.exp(torch.relu(-x) * -input_scale)
    return torch.relu(x) * scale + (decay - 1.0) * (alpha * scale)


def selu(x: "Tensor") -> "Tensor":
    """As torch.nn.functional.selu."""
    from samesight.conversion.preparation.activations import SELU_ALPHA, SELU_SCALE

    return elu(x, SELU_ALPHA, SELU_SCALE)


def celu(x: "Tensor", alpha: float = 1.0) -> "Tensor":
    """As torch.nn.functional.celu."""
    return elu(x, alpha, 1.0, 1.0 / alpha)


def log_sigmoid(x: "Tensor") -> "Tensor":
    """As torch.nn.functional.logsigmoid."""
    import torch

    return -torch.nn.functional.softplus(-x)


def reciprocal(x: "Tensor") -> "Tensor":
    """One divided by x: Core ML's `inverse` adds 0.0001 to x first (coremltools' documents of the operator)."""
    import torch

    return torch.div(torch.ones_like(x), x)


def add_product(x: "Tensor", first: "Tensor", second: "Tensor", *, value: float = 1) -> "Tensor":
    """As torch.addcmul."""
    product = first * second
    return x + (product if value == 1 else product * value)


def add_quotient(x: "Tensor", first: "Tensor", second: "Tensor", *, value: float = 1) -> "Tensor":
    """As torch.addcdiv."""
    quotient = first / second
    return x + (quotient if value == 1 else quotient * value)


def variance(
    x: "Tensor", dim: Sequence[int] | None = None, *, correction: float | None = None, keepdim: bool = False
) -> "Tensor":
    """As torch.var."""
    axes = list(range(x.ndim)) if dim is None else list(dim)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    centred = x - x.mean(axes, keepdim=True)
    total = (centred * centred).sum(axes, keepdim=keepdim)
    return total * (1.0 / max(1e-30, count - (1.0 if correction is None else correction)))


def deviation(
    x: "Tensor", dim: Sequence[int] | None = None, *, correction: float | None = None, keepdim: bool = False
) -> "Tensor":
    """As torch.std."""
    return variance(x, dim, correction=correction, keepdim=keepdim).sqrt()


def dilated_max_pool(
    x: "Tensor",
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    ceil_mode: bool = False,
) -> Any:
    """As torch.nn.functional.max_pool2d: the largest of the map's shifted copies. A pool without dilation stays."""
    import torch

    kernel, steps, apart, border = (
        list(pair) * (3 - len(pair)) for pair in (kernel_size, stride or kernel_size, dilation, padding)
    )
    if apart == [1, 1] or ceil_mode:
        return NotImplemented
    if any(border):
        x = torch.nn.functional.pad(x, (border[1], border[1], border[0], border[0]), value=-3.4e38)
    spans = [x.shape[2 + axis] - apart[axis] * (kernel[axis] - 1) for axis in (0, 1)]
    copies = [
        x[:, :, row : row + spans[0] : steps[0], column : column + spans[1] : steps[1]]
        for row in range(0, apart[0] * kernel[0], apart[0])
        for column in range(0, apart[1] * kernel[1], apart[1])
    ]
    largest = copies[0]
    for each in copies[1:]:
        largest = torch.maximum(largest, each)
    return largest
