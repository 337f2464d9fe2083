"""Convolutions of one input whose results are added become one convolution.

RepVGG, MobileOne, FastViT, RepViT and GhostNetV3 are trained with parallel branches and made to be deployed as one
layer (Ding et al. 2021, "RepVGG: Making VGG-style ConvNets Great Again"). No converter does so: on a phone each
branch costs time and memory. BatchNorm must be fused before.

A BatchNorm beside a convolution of all channels stays by itself: as a part of the kernel it is far larger than the
rest, with which it would share a scale in int8 (Chu et al. 2022, "Make RepVGG Greater Again: A Quantization-aware
Approach"). RepVGG-A0 trained on digits has 27.6 dB in int8 with all branches, 32.7 so, and 22.8 as one layer.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import (
    add_call,
    add_tensor,
    argument,
    aten,
    is_tensor,
    nodes_of,
    replace,
    shape_of,
    tensor_of,
)

CONVOLUTION = aten.conv2d.default


@dataclass(frozen=True)
class Branch:
    """A convolution that only the sum reads; weight [O, I / groups, kH, kW] and bias [O], float64."""

    image: Node
    weight: Tensor
    bias: Tensor
    stride: list[int]
    padding: list[int]
    groups: int


def merge_parallel_convolutions(module: GraphModule) -> int:
    """Merge wherever the one layer has no more weights than its parts, in place. Returns how many sums are gone."""
    count = 0
    for node in nodes_of(module, [aten.add.Tensor]):
        layers = [layer for layer in node.args if isinstance(layer, Node) and list(layer.users) == [node]]
        if node.kwargs or len(node.args) != 2 or len(set(layers)) != 2:
            continue
        first, second = (_branch(module, layer) for layer in layers)
        merged = first and second and _merged(first, second)
        if not merged:
            continue
        like: Any = layers[0].meta["val"].dtype
        # The name of the larger kernel: it is the branch that people know the block by.
        weights: list[Any] = [layer.args[1] for layer in layers]
        name = str(max(weights, key=lambda weight: shape_of(weight)[2:]).target).removesuffix("_merged")
        weight = add_tensor(module, f"{name}_merged", merged.weight.to(like), node)
        bias = add_tensor(module, f"{name}_merged_bias", merged.bias.to(like), node)
        args = [merged.image, weight, bias, merged.stride, merged.padding, [1, 1], merged.groups]
        new = add_call(module, CONVOLUTION, args, node, layers[0])
        if shape_of(new) != shape_of(node):
            module.graph.erase_node(new)  # an addition that spreads one over the other
            continue
        replace(node, new)
        for layer in layers:
            module.graph.erase_node(layer)
        count += 1
    return count


def _branch(module: GraphModule, node: Node) -> Branch | None:
    if (
        node.target is not CONVOLUTION
        or not is_tensor(node.args[1])
        or list(argument(node, 5, "dilation", [1, 1])) != [1, 1]
    ):
        return None
    bias_node: Any = argument(node, 2, "bias")
    if bias_node is not None and not is_tensor(bias_node):
        return None
    image, weight_node = node.args[:2]
    assert isinstance(image, Node) and isinstance(weight_node, Node)
    weight = tensor_of(module, weight_node).double()
    bias = weight.new_zeros(len(weight)) if bias_node is None else tensor_of(module, bias_node).double()
    stride, padding = list(argument(node, 3, "stride", [1, 1])), list(argument(node, 4, "padding", [0, 0]))
    return Branch(image, weight, bias, stride, padding, int(argument(node, 6, "groups", 1)))


def _merged(first: Branch, second: Branch) -> Branch | None:
    """One convolution in place of two; None where it would be another or a larger one."""
    parts = (first, second)
    if first.image is not second.image or first.stride != second.stride or first.groups != second.groups:
        return None
    if first.weight.shape[:2] != second.weight.shape[:2]:
        return None
    padding = [max(sides) for sides in zip(first.padding, second.padding, strict=True)]
    corners = [[most - own for most, own in zip(padding, part.padding, strict=True)] for part in parts]
    rows, columns = (
        max(corner[axis] + part.weight.shape[2 + axis] for corner, part in zip(corners, parts, strict=True))
        for axis in (0, 1)
    )
    weight = first.weight.new_zeros(*first.weight.shape[:2], rows, columns)
    if weight.numel() > sum(part.weight.numel() for part in parts):
        return None
    for part, (top, left) in zip(parts, corners, strict=True):
        height, width = part.weight.shape[2:]
        weight[:, :, top : top + height, left : left + width] += part.weight
    return Branch(first.image, weight, first.bias + second.bias, first.stride, padding, first.groups)
