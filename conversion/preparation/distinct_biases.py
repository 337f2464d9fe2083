"""A bias whose elements are all equal gets one element that differs in its last bit.

Why: for the int8 `.tflite` the converter stores an all-equal bias as one number, quantizes it with the first channel's
scale and spreads it over all channels, which each have a scale of their own. The usual prior of a focal loss (all -4.6)
came out up to 43 steps wrong. Zero is the same at every scale and is left alone.
"""

import torch
from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import add_tensor, argument, aten, nodes_of, tensor_of

WITH_BIAS = (aten.conv1d.default, aten.conv2d.default, aten.conv_transpose2d.input, aten.linear.default)


def unequal(bias: torch.Tensor) -> torch.Tensor:
    """The bias with its last element one step of its dtype nearer to zero, if all are equal and not zero."""
    if bias.numel() < 2 or bias[0] == 0 or bool((bias != bias[0]).any()):
        return bias
    changed = bias.clone()
    changed[-1] = torch.nextafter(changed[-1], torch.zeros_like(changed[-1]))
    return changed


def make_biases_unequal(module: GraphModule) -> int:
    """Apply `unequal` to every layer. Returns how many biases changed."""
    count = 0
    for node in nodes_of(module, WITH_BIAS):
        bias = argument(node, 2, "bias")
        if not isinstance(bias, Node) or bias.op != "get_attr":
            continue
        value = tensor_of(module, bias)
        changed = unequal(value)
        if changed is not value:
            node.replace_input_with(bias, add_tensor(module, f"{bias.target}_unequal", changed, node))
            count += 1
    return count
