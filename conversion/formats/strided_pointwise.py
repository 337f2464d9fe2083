"""1x1 convolutions with a stride (the shortcuts of residual networks), for LiteRT's GPU accelerator.

LiteRT 2.3.0 on a GPU gives other values for them where their weights are int8, in integer files as in dynamic ones, and
says nothing. As a 2x2 convolution whose other three weights are zero they are right on every unit, and the same number
on a CPU. tests/conversion/formats/test_strided_pointwise.py says when LiteRT is mended.
"""

import copy
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torch.fx.passes.shape_prop import ShapeProp

from samesight.conversion.preparation.graph import add_tensor, argument, aten, is_tensor, nodes_of, tensor_of

# Left, right, top, bottom of the kernel, and the padding of the convolution. An odd side asks for 3x3.
EVEN, ANY = ((0, 1, 0, 1), 0), ((1, 1, 1, 1), 1)


def has_strided_pointwise(network: nn.Module) -> bool:
    """Whether there is anything to widen."""
    return isinstance(network, GraphModule) and bool(_found(network))


def widen_strided_pointwise(network: nn.Module, example: torch.Tensor, quantized: bool = False) -> nn.Module:
    """A copy of a graph with such convolutions widened; any other module as it is.

    Args:
        network: takes one image.
        example: such an image, float32 [1, C, H, W].
        quantized: the graph is a quantized one, whose float weights stay as they are.
    """
    if not isinstance(network, GraphModule) or not _found(network, quantized):
        return network
    network = copy.deepcopy(network)
    # Quantization leaves nodes without their shapes.
    with torch.no_grad():
        ShapeProp(network).propagate(example)
    for node, constant in _found(network, quantized):
        kernel, padding = EVEN if _is_even(node.all_input_nodes[0]) else ANY
        weight = nn.functional.pad(tensor_of(network, constant), kernel)
        wide = add_tensor(network, f"{constant.target}_widened_{node.name}", weight, constant)
        for user in list(constant.users):
            if leads_to(user, node):
                user.replace_input_with(constant, wide)
        node.args = (*node.args[:4], [padding, padding], *node.args[5:])
        for user in between(wide, node):
            user.meta.pop("val", None)
    for node in network.graph.nodes:
        node.meta.pop("tensor_meta", None)
    network.graph.eliminate_dead_code()
    network.recompile()
    return network


def _found(module: GraphModule, quantized: bool = False) -> list[tuple[Node, Node]]:
    """The convolutions, each with the constant that holds its weights; with `quantized` those of integers alone."""
    result = []
    for node in nodes_of(module, [aten.conv2d.default]):
        constant: Any = node.args[1]
        if quantized and is_tensor(constant):
            continue
        while isinstance(constant, Node) and constant.op == "call_function":
            constant = constant.args[0]
        if not is_tensor(constant):
            continue
        strides = argument(node, 3, "stride", [1, 1])
        plain = all(side == 0 for side in argument(node, 4, "padding", [0, 0]))
        shape = tuple(tensor_of(module, constant).shape)
        if shape[2:] == (1, 1) and shape[1] > 1 and max(strides) > 1 and plain:
            result.append((node, constant))
    return result


def between(constant: Node, node: Node) -> list[Node]:
    """The nodes on the way from a constant to the convolution: it is quantized and dequantized there."""
    result, current = [], node.args[1]
    while isinstance(current, Node) and current is not constant:
        result.append(current)
        current = current.args[0]
    return result


def leads_to(user: Node, node: Node) -> bool:
    """Whether this user of the weights is on the way to the convolution: others may share them."""
    while user is not node and len(user.users) == 1:
        user = next(iter(user.users))
    return user is node


def _is_even(image: Node) -> bool:
    return all(side % 2 == 0 for side in image.meta["tensor_meta"].shape[2:])
