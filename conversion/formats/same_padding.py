"""Convolutions with a stride whose padding TFLite has by name, so that no PAD stands before them.

TFLite knows a convolution's padding as SAME or VALID alone, and a 3x3 convolution with stride 2 and padding 1 on an
even side is neither: the converter puts a PAD before it. Of 16-bit activations the NPUs of Snapdragons take no PAD,
and between 8 and 16 bits the converter makes one that its own checks refuse. With zeros as another row and column the
kernel's padding is SAME, and the result is the same.
"""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torch.fx.passes.shape_prop import ShapeProp

from samesight.conversion.formats.strided_pointwise import between, leads_to
from samesight.conversion.preparation.graph import add_tensor, argument, aten, is_tensor, nodes_of, tensor_of


def with_same_padding(network: GraphModule, example: torch.Tensor) -> GraphModule:
    """A copy of a quantized graph, whose kernels are enlarged where their padding is SAME then.

    Args:
        network: takes one image.
        example: such an image, float32 [1, C, H, W].
    """
    network = copy.deepcopy(network)
    # Quantization leaves nodes without their shapes.
    with torch.no_grad():
        ShapeProp(network).propagate(example)
    for node, constant, (height, width) in list(_enlargeable(network)):
        weight = tensor_of(network, constant)
        larger = nn.functional.pad(weight, (0, width - weight.shape[3], 0, height - weight.shape[2]))
        new = add_tensor(network, f"{constant.target}_enlarged_{node.name}", larger, constant)
        for user in list(constant.users):
            if leads_to(user, node):
                user.replace_input_with(constant, new)
        for user in between(new, node):
            user.meta.pop("val", None)
    for node in network.graph.nodes:
        node.meta.pop("tensor_meta", None)
    network.graph.eliminate_dead_code()
    network.recompile()
    return network


def _enlargeable(module: GraphModule) -> Iterator[tuple[Node, Node, tuple[int, int]]]:
    """The convolutions, the constant that holds the weights of each, and the height and width of the larger kernel."""
    for node in nodes_of(module, [aten.conv2d.default]):
        constant: Any = node.args[1]
        while isinstance(constant, Node) and constant.op == "call_function":
            constant = constant.args[0]
        strides, padding = argument(node, 3, "stride", [1, 1]), argument(node, 4, "padding", [0, 0])
        dilated = max(argument(node, 5, "dilation", [1, 1])) > 1
        if not is_tensor(constant) or dilated or max(padding) == 0:
            continue
        kernel = tuple(tensor_of(module, constant).shape[2:])
        inputs = node.all_input_nodes[0].meta["tensor_meta"].shape[2:]
        outputs = node.meta["tensor_meta"].shape[2:]
        sides = [
            same_kernel(*each) for each in zip(inputs, outputs, kernel, _both(strides), _both(padding), strict=True)
        ]
        if all(sides) and tuple(sides) != kernel:
            yield node, constant, (sides[0], sides[1])


def _both(values: Any) -> list[int]:
    return [int(value) for value in values] * (2 // len(values))


def same_kernel(side: int, out: int, kernel: int, stride: int, padding: int) -> int:
    """The smallest kernel, no smaller than `kernel`, whose SAME padding begins with `padding`; 0 where none does.

    Args:
        side: of the input.
        out: of the output.
        kernel: of the weights.
        stride: of the convolution.
        padding: before the first row, and behind the last.
    """
    if out != -(-side // stride):
        return 0
    # TFLite's kernels/padding.h: the smaller half of the total stands first.
    totals = {size: max((out - 1) * stride + size - side, 0) for size in range(kernel, kernel + stride + 1)}
    return next((size for size, total in totals.items() if total // 2 == padding), 0)
