"""Quantized depthwise convolutions for ExecuTorch's Vulkan delegate, which takes whole texels of four channels only.

`executorch/backends/vulkan/patterns/quantized_convolution.py` of 1.5.1 asserts it («depthwise conv requires that OC is
divisible by 4»). Every program here begins with one that it refuses: the normalisation of three channels.
"""

import copy

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import forget_history

CONVOLUTION = torch.ops.aten.conv2d.default
TEXEL = 4


def with_dense_convolutions(folded: GraphModule, example: torch.Tensor) -> ExportedProgram:
    """The program with dense convolutions where the channels of depthwise ones fill no whole texels.

    A dense one has the same int8 weights on its diagonal and zeros elsewhere: the same sums, so the same values.
    `folded` is a quantized program with folded weights, and stays as it is.
    """
    module = copy.deepcopy(folded)
    for node in module.graph.nodes:
        if node.op == "call_function" and node.target is CONVOLUTION:
            _make_dense(module, node)
    module.recompile()
    with torch.no_grad():
        return forget_history(torch.export.export(module, (example,), strict=False))


def _make_dense(module: GraphModule, convolution: Node) -> None:
    groups = convolution.args[6] if len(convolution.args) > 6 else 1
    dequantized = convolution.args[1]
    assert isinstance(groups, int) and isinstance(dequantized, Node)
    constant = dequantized.args[0] if dequantized.args else None
    if groups == 1 or not (isinstance(constant, Node) and constant.op == "get_attr"):
        return
    weight = getattr(module, str(constant.target))
    if weight.dtype != torch.int8 or len(weight) != groups or groups % TEXEL == 0:
        return
    dense = torch.zeros(groups, groups, *weight.shape[2:], dtype=torch.int8)
    dense[range(groups), range(groups)] = weight[:, 0]
    name = f"{str(constant.target).replace('.', '_')}_dense"
    module.register_buffer(name, dense)
    with module.graph.inserting_before(dequantized):
        new = module.graph.get_attr(name)
    dequantized.replace_input_with(constant, new)
    convolution.args = (*convolution.args[:6], 1)
