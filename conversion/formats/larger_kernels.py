"""Convolutions whose kernels are enlarged by zeros: the same values, in a form that a runtime takes."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torch.fx.passes.shape_prop import ShapeProp

from samesight.conversion.preparation.graph import add_tensor, aten, is_tensor, nodes_of, tensor_of


def copy_with_shapes(network: GraphModule, example: torch.Tensor) -> GraphModule:
    """A copy whose nodes know their shapes (`tensor_meta`), which quantization leaves out.

    Args:
        network: takes one image.
        example: such an image, float32 [1, C, H, W].
    """
    network = copy.deepcopy(network)
    with torch.no_grad():
        ShapeProp(network).propagate(example)
    return network


def weighted_convolutions(module: GraphModule) -> Iterator[tuple[Node, Node]]:
    """The convolutions, each with the constant that holds its weights."""
    for node in nodes_of(module, [aten.conv2d.default]):
        constant: Any = node.args[1]
        while isinstance(constant, Node) and constant.op == "call_function":
            constant = constant.args[0]
        if is_tensor(constant):
            yield node, constant


def enlarge(module: GraphModule, node: Node, constant: Node, margins: tuple[int, int, int, int], word: str) -> None:
    """Give a convolution weights with zeros at the left, right, top and bottom; others that share them keep theirs.

    `word` is what the new constant is called by.
    """
    weight = nn.functional.pad(tensor_of(module, constant), margins)
    larger = add_tensor(module, f"{constant.target}_{word}_{node.name}", weight, constant)
    for user in list(constant.users):
        if _leads_to(user, node):
            user.replace_input_with(constant, larger)
    for user in _between(larger, node):
        user.meta.pop("val", None)


def finish(module: GraphModule) -> None:
    """Forget the shapes, and what nothing uses any more."""
    for node in module.graph.nodes:
        node.meta.pop("tensor_meta", None)
    module.graph.eliminate_dead_code()
    module.recompile()


def _between(constant: Node, node: Node) -> list[Node]:
    """The nodes on the way from a constant to the convolution: it is quantized and dequantized there."""
    result, current = [], node.args[1]
    while isinstance(current, Node) and current is not constant:
        result.append(current)
        current = current.args[0]
    return result


def _leads_to(user: Node, node: Node) -> bool:
    """Whether this user of the weights is on the way to the convolution: others may share them."""
    while user is not node and len(user.users) == 1:
        user = next(iter(user.users))
    return user is node
