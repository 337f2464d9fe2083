"""1x1 convolutions with a stride (the shortcuts of residual networks), for LiteRT's GPU accelerator.

LiteRT 2.3.0 on a GPU gives other values for them where their weights are int8, in integer files as in dynamic ones, and
says nothing. As a 2x2 convolution whose other three weights are zero they are right on every unit, and the same number
on a CPU. tests/conversion/formats/test_strided_pointwise.py says when LiteRT is mended.
"""

import torch
from torch import nn
from torch.fx import GraphModule, Node

from samesight.conversion.formats.larger_kernels import copy_with_shapes, enlarge, finish, weighted_convolutions
from samesight.conversion.preparation.graph import argument, tensor_of

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
    network = copy_with_shapes(network, example)
    for node, constant in _found(network, quantized):
        kernel, padding = EVEN if _is_even(node.all_input_nodes[0]) else ANY
        enlarge(network, node, constant, kernel, "widened")
        node.args = (*node.args[:4], [padding, padding], *node.args[5:])
    finish(network)
    return network


def _found(module: GraphModule, quantized: bool = False) -> list[tuple[Node, Node]]:
    """The convolutions, each with the constant that holds its weights; with `quantized` those of integers alone."""
    result = []
    for node, constant in weighted_convolutions(module):
        if quantized and node.args[1] is constant:
            continue
        strides = argument(node, 3, "stride", [1, 1])
        plain = all(side == 0 for side in argument(node, 4, "padding", [0, 0]))
        shape = tuple(tensor_of(module, constant).shape)
        if shape[2:] == (1, 1) and shape[1] > 1 and max(strides) > 1 and plain:
            result.append((node, constant))
    return result


def _is_even(image: Node) -> bool:
    return all(side % 2 == 0 for side in image.meta["tensor_meta"].shape[2:])
