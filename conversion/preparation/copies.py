"""Copies along an axis, written as concatenations or left to broadcasting.

litert_torch 0.10.0 moves channels to the end without turning the axes of `repeat` and `expand`: it copies along the
wrong axis, which a later operator refuses or nobody notices.
"""

from typing import Any

import torch
from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import add_call, argument, aten, nodes_of, replace, shape_of

BROADCASTING = (
    aten.add.Tensor,
    aten.sub.Tensor,
    aten.mul.Tensor,
    aten.div.Tensor,
    aten.maximum.default,
    aten.minimum.default,
)


def rewrite_copies(module: GraphModule) -> int:
    """Repeats and expansions as concatenations; an expansion that broadcasting does anyway is dropped."""
    count = 0
    for node in nodes_of(module, [aten.expand.default]):
        if all(_broadcasts(user, node) for user in node.users):
            image: Any = node.args[0]
            replace(node, image)
            count += 1
    for node in nodes_of(module, [aten.repeat.default, aten.expand.default, aten.repeat_interleave.self_int]):
        image = node.args[0]
        shape = shape_of(node)
        source = image
        if node.target is aten.repeat_interleave.self_int:
            axis = argument(node, 2, "dim")
            if axis is None:
                continue
            source = _interleaved(module, image, int(argument(node, 1, "repeats")), int(axis) % len(shape), node)
        else:
            missing = len(shape) - len(shape_of(image))
            if missing:
                source = add_call(
                    module, aten.reshape.default, [source, [1] * missing + list(shape_of(image))], node, node
                )
            for axis in range(len(shape)):
                times = shape[axis] // max(1, shape_of(source)[axis])
                if times > 1:
                    source = add_call(module, aten.cat.default, [[source] * times, axis], node, node)
        replace(node, source)
        count += 1
    return count


def _broadcasts(user: Node, expanded: Node) -> bool:
    """Whether an operator has the same result with the value as it was before it was expanded."""
    if user.target not in BROADCASTING:
        return False
    image: Any = expanded.args[0]
    shapes = [
        shape_of(image) if side is expanded else shape_of(side) for side in user.args[:2] if isinstance(side, Node)
    ]
    return tuple(torch.broadcast_shapes(*shapes)) == shape_of(user)


def _interleaved(module: GraphModule, image: Node, times: int, axis: int, node: Node) -> Node:
    """Each slice `times` times in a row."""
    parts = [
        add_call(module, aten.slice.Tensor, [image, axis, index, index + 1], node, node)
        for index in range(shape_of(image)[axis])
    ]
    return add_call(module, aten.cat.default, [[part for part in parts for _ in range(times)], axis], node, node)
