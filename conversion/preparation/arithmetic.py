"""Arithmetic, norms, comparisons and choices that a converter takes wrongly or refuses, by others of the same value."""

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import (
    add_call,
    add_tensor,
    argument,
    aten,
    first_of,
    nodes_of,
    replace,
    shape_of,
)


def name_arithmetic(module: GraphModule) -> int:
    """All rewrites of this module; the number of operators that were replaced."""
    return sum(
        rewrite(module) for rewrite in (name_norms, name_differences, name_comparisons, name_choices, name_maxima)
    )


def name_norms(module: GraphModule) -> int:
    """The Euclidean norm as a sum of squares: litert_torch refuses the norm in int8.

    Of the absolute value, or TFLite's converter makes an L2_NORMALIZATION, whose int8 kernel refuses the scale.
    """
    count = 0
    for node in nodes_of(module, [aten.linalg_vector_norm.default]):
        axes = argument(node, 2, "dim")
        if argument(node, 1, "ord", 2) != 2 or axes is None or argument(node, 4, "dtype") is not None:
            continue
        magnitude = add_call(module, aten.abs.default, [node.args[0]], node, node)
        squares = add_call(module, aten.pow.Tensor_Scalar, [magnitude, 2], node, node)
        sums = add_call(module, aten.sum.dim_IntList, [squares, axes, bool(argument(node, 3, "keepdim"))], node, node)
        replace(node, add_call(module, aten.sqrt.default, [sums], node, node))
        count += 1
    return count


def name_differences(module: GraphModule) -> int:
    """`number - x` as `-x + number`: litert_torch 0.10.0 computes another value for it."""
    nodes = nodes_of(module, [aten.rsub.Scalar, aten.rsub.Tensor])
    for node in nodes:
        image, other = node.args[:2]
        scale = -float(argument(node, 2, "alpha", 1))
        negated = add_call(module, aten.mul.Tensor, [image, scale], node, node)
        replace(node, add_call(module, aten.add.Tensor, [negated, other], node, node))
    return len(nodes)


def name_comparisons(module: GraphModule) -> int:
    """Comparisons of the difference with zero: TFLite's quantizer brings both sides to one scale, a threshold too."""
    count = 0
    for node in nodes_of(module, COMPARISONS):
        target: Any = node.target
        image, other = node.args[:2]
        sides = [side for side in (image, other) if isinstance(side, Node)]
        if other == 0 or any(side.meta["val"].dtype != torch.float32 for side in sides):
            continue
        difference = add_call(module, aten.sub.Tensor, [image, other], node, node)
        replace(node, add_call(module, COMPARISONS[target], [difference, 0], node, node))
        count += 1
    return count


def name_choices(module: GraphModule) -> int:
    """Choices between a tensor and a number as choices between tensors: litert_torch refuses the others in int8."""
    nodes = nodes_of(module, CHOICES)
    for node in nodes:
        target: Any = node.target
        condition, *sides = CHOICES[target](node)
        for position, side in enumerate(sides):
            if not isinstance(side, Node):
                constant = torch.full([1] * len(shape_of(node)), float(side), dtype=node.meta["val"].dtype)
                sides[position] = add_tensor(module, "choice", constant, node)
        replace(node, add_call(module, aten.where.self, [condition, *sides], node, node))
    return len(nodes)


def name_maxima(module: GraphModule) -> int:
    """`max(axis)` of which only the values are read as `amax`, which has one result and can be quantized."""
    count = 0
    for node in nodes_of(module, [aten.max.dim, aten.min.dim]):
        values = first_of(node)
        if values is not None:
            target = aten.amax.default if node.target is aten.max.dim else aten.amin.default
            args = [node.args[0], [node.args[1]], bool(argument(node, 2, "keepdim", False))]
            replace(values, add_call(module, target, args, values, values))
            count += 1
    return count


COMPARISONS: dict[Any, Any] = {
    **{operator: operator for operator in (aten.gt.Scalar, aten.ge.Scalar, aten.lt.Scalar, aten.le.Scalar)},
    aten.gt.Tensor: aten.gt.Scalar,
    aten.ge.Tensor: aten.ge.Scalar,
    aten.lt.Tensor: aten.lt.Scalar,
    aten.le.Tensor: aten.le.Scalar,
}
"""Comparisons and what compares the difference with zero in the same way."""
CHOICES: dict[Any, Callable[[Node], tuple[Any, Any, Any]]] = {
    aten.where.ScalarSelf: lambda node: (node.args[0], node.args[1], node.args[2]),
    aten.where.ScalarOther: lambda node: (node.args[0], node.args[1], node.args[2]),
    aten.masked_fill.Scalar: lambda node: (node.args[1], node.args[2], node.args[0]),
    aten.masked_fill.Tensor: lambda node: (node.args[1], node.args[2], node.args[0]),
}
"""Condition, value where it holds, and value where it does not."""
