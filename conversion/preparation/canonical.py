"""Brings operators to one spelling, whatever the source, so that later passes need to know only that one."""

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule, Node

from samesight.contract.errors import SamesightError
from samesight.conversion.preparation.graph import (
    add_call,
    add_tensor,
    argument,
    aten,
    is_tensor,
    module_of,
    nodes_of,
    replace,
    shape_of,
)

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
    """Copies, detachments and evaluation-mode dropout do nothing: remove them."""
    count = 0
    for node in nodes_of(
        module, [aten.clone.default, aten.detach.default, aten.alias.default, aten.lift_fresh_copy.default]
    ):
        source = node.args[0]
        if isinstance(source, Node):
            node.replace_all_uses_with(source)
            module.graph.erase_node(node)
            count += 1
    return count


def name_reshapes(module: GraphModule) -> int:
    """Views as reshapes: passes and converters change the strides of their inputs, which a view refuses."""
    nodes = nodes_of(module, [aten.view.default, aten._unsafe_view.default])
    for node in nodes:
        node.target = aten.reshape.default
    return len(nodes)


def name_parts(module: GraphModule) -> int:
    """Chunks, splits and unbound slices as slices: each has one result, which every format can take and quantize."""
    count = 0
    for node in nodes_of(module, PARTS):
        target: Any = node.target
        image: Any = node.args[0]
        position, name = PARTS[target]
        axis = int(argument(node, position, name, 0)) % len(shape_of(image))
        values = node.meta["val"]
        unbound = target is aten.unbind.int
        starts = [0]
        for value in values:
            starts.append(starts[-1] + (1 if unbound else int(value.shape[axis])))
        for user in list(node.users):
            number = int(user.args[1])  # type: ignore[arg-type]
            start, end = starts[number], starts[number + 1]
            part = add_call(module, aten.slice.Tensor, [image, axis, start, end], user, user)
            if unbound:
                part = add_call(module, aten.reshape.default, [part, list(shape_of(user))], user, user)
            replace(user, part)
            count += 1
        module.graph.erase_node(node)
    return count


PARTS: dict[Any, tuple[int, str]] = {
    aten.chunk.default: (2, "dim"),
    aten.split.Tensor: (2, "dim"),
    aten.split_with_sizes.default: (2, "dim"),
    aten.unsafe_split.Tensor: (2, "dim"),
    aten.unbind.int: (1, "dim"),
}


def name_paddings(module: GraphModule) -> int:
    """Paddings by their own operators, and those by a negative number, which cut, as slices."""
    count = 0
    for node in nodes_of(module, [aten.pad.default, aten.constant_pad_nd.default]):
        image: Any = node.args[0]
        pad_widths: Any = node.args[1]
        widths = [int(width) for width in pad_widths]
        mode = argument(node, 2, "mode", "constant") if node.target is aten.pad.default else "constant"
        value = argument(node, 3 if node.target is aten.pad.default else 2, "value", 0.0)
        if node.target is aten.constant_pad_nd.default and min(widths) >= 0:
            continue
        rank = len(shape_of(image))
        for number, (before, after) in enumerate(zip(widths[::2], widths[1::2], strict=True)):
            axis = rank - 1 - number
            if before < 0 or after < 0:
                start, end = max(0, -before), shape_of(image)[axis] - max(0, -after)
                image = add_call(module, aten.slice.Tensor, [image, axis, start, end], node, node)
        widths = [max(0, width) for width in widths]
        if any(widths):
            target, options = {
                "constant": (aten.constant_pad_nd.default, [0.0 if value is None else value]),
                "reflect": (aten.reflection_pad2d.default, []),
                "replicate": (aten.replication_pad2d.default, []),
                "circular": (None, []),
            }[mode]
            if target is None:
                image = _wrapped(module, image, widths, node)
            elif mode == "constant" or len(widths) == 4:
                image = add_call(module, target, [image, widths, *options], node, node)
            else:
                continue
        replace(node, image)
        count += 1
    return count


def _wrapped(module: GraphModule, image: Node, widths: list[int], node: Node) -> Node:
    """Circular padding: what is cut from one end is joined to the other."""
    for number, (before, after) in enumerate(zip(widths[::2], widths[1::2], strict=True)):
        axis = len(shape_of(image)) - 1 - number
        size = shape_of(image)[axis]
        parts = [image]
        if before:
            parts.insert(0, add_call(module, aten.slice.Tensor, [image, axis, size - before, size], node, node))
        if after:
            parts.append(add_call(module, aten.slice.Tensor, [image, axis, 0, after], node, node))
        if len(parts) > 1:
            image = add_call(module, aten.cat.default, [parts, axis], node, node)
    return image


def name_arithmetic(module: GraphModule) -> int:
    """Operators that a converter takes wrongly or refuses, by others of the same value.

    litert_torch 0.10.0 computes another value for `number - x`, and takes a norm only where it is not quantized.
    """
    count = 0
    for node in nodes_of(module, [aten.linalg_vector_norm.default]):
        axes = argument(node, 2, "dim")
        if argument(node, 1, "ord", 2) != 2 or axes is None or argument(node, 4, "dtype") is not None:
            continue
        # Of the absolute value, or TFLite's converter makes an L2_NORMALIZATION, whose int8 kernel refuses the scale.
        magnitude = add_call(module, aten.abs.default, [node.args[0]], node, node)
        squares = add_call(module, aten.pow.Tensor_Scalar, [magnitude, 2], node, node)
        sums = add_call(module, aten.sum.dim_IntList, [squares, axes, bool(argument(node, 3, "keepdim"))], node, node)
        replace(node, add_call(module, aten.sqrt.default, [sums], node, node))
        count += 1
    for node in nodes_of(module, [aten.rsub.Scalar, aten.rsub.Tensor]):
        image, other = node.args[:2]
        scale = -float(argument(node, 2, "alpha", 1))
        negated = add_call(module, aten.mul.Tensor, [image, scale], node, node)
        replace(node, add_call(module, aten.add.Tensor, [negated, other], node, node))
        count += 1
    for node in nodes_of(module, CHOICES):
        condition, chosen, other = CHOICES[node.target](node)
        sides = []
        for side in (chosen, other):
            if not isinstance(side, Node):
                constant = torch.full([1] * len(shape_of(node)), float(side), dtype=node.meta["val"].dtype)
                side = add_tensor(module, "choice", constant, node)
            sides.append(side)
        replace(node, add_call(module, aten.where.self, [condition, *sides], node, node))
        count += 1
    for node in nodes_of(module, [aten.max.dim, aten.min.dim]):
        values = first_of(node)
        if values is not None:
            target = aten.amax.default if node.target is aten.max.dim else aten.amin.default
            args = [node.args[0], [node.args[1]], bool(argument(node, 2, "keepdim", False))]
            replace(values, add_call(module, target, args, values, values))
            count += 1
    return count


CHOICES: dict[Any, Callable[[Node], tuple[Any, Any, Any]]] = {
    aten.where.ScalarSelf: lambda node: (node.args[0], node.args[1], node.args[2]),
    aten.where.ScalarOther: lambda node: (node.args[0], node.args[1], node.args[2]),
    aten.masked_fill.Scalar: lambda node: (node.args[1], node.args[2], node.args[0]),
    aten.masked_fill.Tensor: lambda node: (node.args[1], node.args[2], node.args[0]),
}
"""Condition, value where it holds, and value where it does not."""


def first_of(node: Node) -> Node | None:
    """The `getitem(node, 0)` of an operator with several results, if that is the only one in use."""
    users = list(node.users)
    if len(users) == 1 and users[0].target is operator.getitem and users[0].args[1] == 0:
        return users[0]
    return None


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
