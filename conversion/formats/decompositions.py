"""Operators that a converter does not know, as functions of others that it knows."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram


def core_ml() -> dict[Any, Callable[..., Any]]:
    """What coremltools 9.0 does not know."""
    import torch

    aten = torch.ops.aten
    return {aten.rms_norm.default: rms_norm, aten.celu.default: celu}


def core_ai() -> dict[Any, Callable[..., Any]]:
    """What coreai-torch 0.4.3 does not know."""
    import torch

    aten = torch.ops.aten
    return {aten.elu.default: elu, aten.selu.default: selu, aten.celu.default: celu}


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
