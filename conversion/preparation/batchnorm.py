"""BatchNorm becomes part of the convolution or linear layer before it, or a 1x1 depthwise convolution of its own.

Why: converters that fold it themselves fold shared ones twice, leave some unfused, or quantize around them.
"""

from typing import Any

import torch
from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import (
    add_call,
    add_tensor,
    argument,
    aten,
    first_of,
    is_tensor,
    nodes_of,
    shape_of,
    tensor_of,
)

BATCH_NORM = aten._native_batch_norm_legit_no_training.default
FOLDABLE = (aten.conv2d.default, aten.conv_transpose2d.input, aten.conv1d.default, aten.linear.default)


def affine_of(module: GraphModule, node: Node) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and offset per channel of an evaluation-mode BatchNorm, in float64."""
    arguments: Any = node.args
    _, weight, bias, mean, variance, _, epsilon = arguments
    running_mean, running_variance = (tensor_of(module, tensor).double() for tensor in (mean, variance))
    factor = torch.rsqrt(running_variance + epsilon)
    if isinstance(weight, Node):
        factor = factor * tensor_of(module, weight).double()
    offset = -running_mean * factor
    if isinstance(bias, Node):
        offset = offset + tensor_of(module, bias).double()
    return factor, offset


def by_output_channel(factor: torch.Tensor, layer: Node, weight: torch.Tensor) -> torch.Tensor:
    """The factor in the shape that multiplies the layer's weight per output channel."""
    if layer.target is not aten.conv_transpose2d.input:
        return factor.reshape(-1, *[1] * (weight.dim() - 1))
    groups = argument(layer, 6, "groups", 1)
    per_group = factor.reshape(groups, weight.shape[1])
    return per_group.repeat_interleave(weight.shape[0] // groups, 0)[:, :, None, None]


def fold(module: GraphModule, layer: Node, factor: torch.Tensor, offset: torch.Tensor) -> None:
    """Multiply a layer's weight and bias by `factor` and add `offset`, rounding to float32 once."""
    weight_node, bias_node = layer.args[1], argument(layer, 2, "bias")
    if not isinstance(weight_node, Node):
        raise TypeError("a layer's weight is a node")
    weight = tensor_of(module, weight_node)
    folded = (weight.double() * by_output_channel(factor, layer, weight)).to(weight.dtype)
    old_bias = tensor_of(module, bias_node).double() if isinstance(bias_node, Node) else torch.zeros_like(offset)
    bias = (old_bias * factor + offset).to(weight.dtype)
    new_weight = add_tensor(module, f"{weight_node.target}_fused", folded, layer)
    new_bias = add_tensor(module, f"{weight_node.target}_fused_bias", bias, layer)
    layer.args = (layer.args[0], new_weight, new_bias, *layer.args[3:])
    layer.kwargs = {key: value for key, value in layer.kwargs.items() if key not in ("weight", "bias")}


def fuse_batch_norms(module: GraphModule) -> int:
    """Fuse every BatchNorm (parameters must be unshared before). Returns how many there were."""
    count = 0
    for node in nodes_of(module, [BATCH_NORM]):
        result, layer = first_of(node), node.args[0]
        if result is None or not isinstance(layer, Node):
            continue
        factor, offset = affine_of(module, node)
        if layer.target in FOLDABLE and len(layer.users) == 1 and is_tensor(layer.args[1]):
            fold(module, layer, factor, offset)
            result.replace_all_uses_with(layer)
        elif len(shape_of(layer)) == 4:
            channels, like = len(factor), layer.meta["val"].dtype
            weight = add_tensor(module, "batch_norm_weight", factor.reshape(-1, 1, 1, 1).to(like), node)
            bias = add_tensor(module, "batch_norm_bias", offset.to(like), node)
            args = [layer, weight, bias, [1, 1], [0, 0], [1, 1], channels]
            result.replace_all_uses_with(add_call(module, aten.conv2d.default, args, node, result))
        else:
            weight = add_tensor(module, "batch_norm_weight", factor.to(layer.meta["val"].dtype), node)
            bias = add_tensor(module, "batch_norm_bias", offset.to(layer.meta["val"].dtype), node)
            scaled = add_call(module, aten.mul.Tensor, [layer, weight], node, result)
            result.replace_all_uses_with(add_call(module, aten.add.Tensor, [scaled, bias], node, result))
        module.graph.erase_node(result)
        module.graph.erase_node(node)
        count += 1
    return count
