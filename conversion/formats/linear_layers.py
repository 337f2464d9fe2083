"""Linear layers as convolutions of one pixel, with the same weights and values."""

from typing import Any

from torch.fx import GraphModule

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


def rewrite_linear_layers(module: GraphModule) -> int:
    """Each row of a linear layer's input becomes a pixel, and its values channels."""
    count = 0
    for node in nodes_of(module, [aten.linear.default]):
        rows: Any = node.args[0]
        weight: Any = node.args[1]
        bias = argument(node, 2, "bias")
        if not is_tensor(weight) or 0 in shape_of(rows):
            continue
        kernel = tensor_of(module, weight)
        outputs, inputs = kernel.shape
        pixels = 1
        for side in shape_of(rows)[:-1]:
            pixels *= side
        value = rows
        if pixels == 1:
            value = add_call(module, aten.reshape.default, [value, [1, inputs, 1, 1]], node, node)
        else:
            value = add_call(module, aten.reshape.default, [value, [1, pixels, 1, inputs]], node, node)
            value = add_call(module, aten.permute.default, [value, [0, 3, 1, 2]], node, node)
        point = add_tensor(module, f"{weight.target}_pixel", kernel.reshape(outputs, inputs, 1, 1), node)
        value = add_call(module, aten.conv2d.default, [value, point, bias], node, node)
        if pixels > 1:
            value = add_call(module, aten.permute.default, [value, [0, 2, 3, 1]], node, node)
        value = add_call(module, aten.reshape.default, [value, list(shape_of(node))], node, node)
        replace(node, value)
        count += 1
    return count
