"""Brings operators to one spelling, whatever the source, so that later passes need to know only that one."""

from typing import Any

import torch
from torch.fx import GraphModule, Node

from samesight.contract.errors import SamesightError
from samesight.conversion.preparation.arithmetic import name_arithmetic
from samesight.conversion.preparation.graph import (
    add_call,
    argument,
    aten,
    is_tensor,
    module_of,
    nodes_of,
    replace,
    shape_of,
)
from samesight.conversion.preparation.parts import name_paddings, name_parts

TRAINING_ONLY: dict[Any, str] = {
    aten._native_batch_norm_legit_functional.default: "batch normalisation",
    aten._native_batch_norm_legit.default: "batch normalisation",
    aten.native_dropout.default: "dropout",
}


def refuse_training_mode(module: GraphModule, source: str) -> None:
    """A network exported in training mode normalises by the batch it sees and drops values at random.

    Raises:
        SamesightError: naming the module.
    """
    for node in nodes_of(module, TRAINING_ONLY):
        kind = TRAINING_ONLY[node.target]
        raise SamesightError(
            f"{source}: {kind} at {module_of(node)} is in training mode; "
            "call .eval() on the network before exporting it"
        )


def split_padding(kernel: list[int], dilation: list[int]) -> tuple[list[int], list[int]]:
    """How `padding="same"` divides over the two ends of each axis (PyTorch: the odd one goes to the end)."""
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [t // 2 for t in total], [t - t // 2 for t in total]


def name_convolutions(module: GraphModule) -> int:
    """`aten.convolution` and `conv2d` with a padding by name become plain `aten.conv2d` or `conv_transpose2d`."""
    count = 0
    for node in nodes_of(module, [aten.convolution.default]):
        if len(shape_of(node)) != 4:
            continue
        image, weight, bias, stride, padding, dilation, transposed, output_padding, groups = node.args
        options: list[Any]
        if transposed:
            target, options = aten.conv_transpose2d.input, [stride, padding, output_padding, groups, dilation]
        else:
            target, options = aten.conv2d.default, [stride, padding, dilation, groups]
        replace(node, add_call(module, target, [image, weight, bias, *options], node, node))
        count += 1
    for node in nodes_of(module, [aten.conv2d.padding]):
        image, weight = node.args[0], node.args[1]
        if not isinstance(weight, Node):
            continue
        bias = argument(node, 2, "bias")
        stride = argument(node, 3, "stride", [1, 1])
        padding_mode, dilation = argument(node, 4, "padding", "valid"), argument(node, 5, "dilation", [1, 1])
        groups = argument(node, 6, "groups", 1)
        pad_before, pad_after = [0, 0], [0, 0]
        if padding_mode == "same":
            pad_before, pad_after = split_padding(list(shape_of(weight)[2:]), list(dilation))
        if pad_before != pad_after:
            pad_widths = [pad_before[1], pad_after[1], pad_before[0], pad_after[0]]
            image, pad_before = (
                add_call(module, aten.constant_pad_nd.default, [image, pad_widths, 0.0], node, node),
                [0, 0],
            )
        options = [stride, pad_before, dilation, groups]
        replace(node, add_call(module, aten.conv2d.default, [image, weight, bias, *options], node, node))
        count += 1
    return count


def name_linear_layers(module: GraphModule) -> int:
    """`addmm(bias, x, permute(weight))` becomes `aten.linear`, which quantizers know."""
    count = 0
    for node in nodes_of(module, [aten.addmm.default]):
        bias, image, permuted = node.args[:3]
        if node.kwargs or not is_tensor(bias) or not isinstance(permuted, Node):
            continue
        if permuted.target not in (aten.permute.default, aten.t.default, aten.transpose.int):
            continue
        if not is_tensor(permuted.args[0]) or len(shape_of(permuted)) != 2:
            continue
        replace(node, add_call(module, aten.linear.default, [image, permuted.args[0], bias], node, node))
        count += 1
    return count


def drop_idle_operators(module: GraphModule) -> int:
    """Copies, detachments, casts to the same dtype and a multiplication by one do nothing: remove them."""
    count = 0
    for node in nodes_of(
        module, [aten.clone.default, aten.detach.default, aten.alias.default, aten.lift_fresh_copy.default]
    ):
        source = node.args[0]
        if isinstance(source, Node):
            node.replace_all_uses_with(source)
            module.graph.erase_node(node)
            count += 1
    for node in nodes_of(module, [aten._assert_tensor_metadata.default]):
        module.graph.erase_node(node)
    for node in nodes_of(module, [aten.to.dtype, aten.to.dtype_layout, aten._to_copy.default]):
        source = node.args[0]
        if isinstance(source, Node) and source.meta["val"].dtype == node.meta["val"].dtype:
            replace(node, source)
            count += 1
    for node in nodes_of(module, IDLE_NUMBERS):
        target: Any = node.target
        source, other = node.args[:2]
        if other != IDLE_NUMBERS[target] or not isinstance(source, Node) or node.kwargs:
            continue
        if shape_of(source) == shape_of(node) and source.meta["val"].dtype == node.meta["val"].dtype:
            replace(node, source)
            count += 1
    return count


IDLE_NUMBERS = {aten.add.Tensor: 0, aten.sub.Tensor: 0, aten.mul.Tensor: 1, aten.div.Tensor: 1}
"""Arithmetic that changes nothing with this number: converters drop it after they have chosen scales."""


def name_reshapes(module: GraphModule) -> int:
    """Views as reshapes: passes and converters change the strides of their inputs, which a view refuses."""
    nodes = nodes_of(module, [aten.view.default, aten._unsafe_view.default])
    for node in nodes:
        node.target = aten.reshape.default
    return len(nodes)


def canonical(program: torch.export.ExportedProgram, source: str) -> GraphModule:
    """The program as a functional fx graph: in-place operators resolved, one spelling per operator."""
    module = program.run_decompositions({}).module(check_guards=False)
    if not isinstance(module, GraphModule):
        raise TypeError("an exported program's module is a GraphModule")
    refuse_training_mode(module, source)
    name_convolutions(module)
    name_linear_layers(module)
    drop_idle_operators(module)
    name_reshapes(module)
    name_parts(module)
    name_paddings(module)
    name_arithmetic(module)
    return module
