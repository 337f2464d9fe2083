"""Convolutions with a stride whose padding TFLite has by name, so that no PAD stands before them.

TFLite knows a convolution's padding as SAME or VALID alone, and a 3x3 convolution with stride 2 and padding 1 on an
even side is neither: the converter puts a PAD before it. Of 16-bit activations the NPUs of Snapdragons take no PAD,
and between 8 and 16 bits the converter makes one that its own checks refuse. With zeros as another row and column the
kernel's padding is SAME, and the result is the same.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.fx import GraphModule, Node

from samesight.conversion.formats.larger_kernels import copy_with_shapes, enlarge, finish, weighted_convolutions
from samesight.conversion.preparation.graph import argument, tensor_of


def with_same_padding(network: GraphModule, example: torch.Tensor) -> GraphModule:
    """A copy of a quantized graph, whose kernels are enlarged where their padding is SAME then.

    Args:
        network: takes one image.
        example: such an image, float32 [1, C, H, W].
    """
    network = copy_with_shapes(network, example)
    for node, constant, (height, width) in list(_enlargeable(network)):
        rows, columns = tensor_of(network, constant).shape[2:]
        enlarge(network, node, constant, (0, width - columns, 0, height - rows), "enlarged")
    finish(network)
    return network


def _enlargeable(module: GraphModule) -> Iterator[tuple[Node, Node, tuple[int, int]]]:
    """The convolutions, the constant that holds the weights of each, and the height and width of the larger kernel."""
    for node, constant in weighted_convolutions(module):
        strides, padding = argument(node, 3, "stride", [1, 1]), argument(node, 4, "padding", [0, 0])
        dilated = max(argument(node, 5, "dilation", [1, 1])) > 1
        if dilated or max(padding) == 0:
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
