"""Chunks, splits and paddings as slices and concatenations, which every format takes."""

from typing import Any

from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import add_call, argument, aten, nodes_of, replace, shape_of


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
