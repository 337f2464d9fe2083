"""Concatenations with constants, as the class token of a vision transformer, written as a padding and a sum.

In int8, ExecuTorch 1.5.1 makes a file of one that does not run (error 0x1). The sum takes in a constant that is added
behind it, the position embedding, so that as many operators as before are left.
"""

from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

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


def rewrite_constant_parts(module: GraphModule) -> int:
    """cat([c, x]) as pad(x) + pad(c): the same values, for each is added to a zero."""
    count = 0
    for node in nodes_of(module, [aten.cat.default]):
        parts: Any = node.args[0]
        computed = [part for part in parts if not _is_constant(part)]
        if len(computed) != 1 or len(parts) == 1:
            continue
        axis = int(argument(node, 1, "dim", 0)) % len(shape_of(node))
        position = parts.index(computed[0])
        before = sum(shape_of(part)[axis] for part in parts[:position])
        after = sum(shape_of(part)[axis] for part in parts[position + 1 :])
        widths = [0, 0] * (len(shape_of(node)) - 1 - axis) + [before, after]
        image = computed[0]
        blank = torch.zeros(shape_of(image), dtype=image.meta["val"].dtype)
        constant = torch.cat([blank if part is image else _constant(module, part) for part in parts], axis)
        padded = add_call(module, aten.constant_pad_nd.default, [image, widths, 0.0], node, node)
        added = _take_in(module, node, constant)
        name = add_tensor(module, "constant_parts", constant if added is None else added[1], node)
        total = add_call(module, aten.add.Tensor, [padded, name], node, node)
        if added is not None:
            replace(added[0], total)
        replace(node, total)
        count += 1
    return count


def _take_in(module: GraphModule, node: Node, constant: Tensor) -> tuple[Node, Tensor] | None:
    """The sum behind a concatenation, and both constants in one; None where there is none."""
    users = list(node.users)
    if len(users) != 1 or users[0].target is not aten.add.Tensor or users[0].kwargs:
        return None
    sides: list[Any] = [side for side in users[0].args if side is not node]
    if len(sides) != 1 or not _is_constant(sides[0]) or shape_of(users[0]) != shape_of(node):
        return None
    return users[0], constant + _constant(module, sides[0])


def _is_constant(node: Any) -> bool:
    """Whether a value is a tensor of the network, or one that is only spread over a larger shape."""
    if is_tensor(node):
        return True
    return isinstance(node, Node) and node.target is aten.expand.default and is_tensor(node.args[0])


def _constant(module: GraphModule, node: Node) -> Tensor:
    source: Any = node if is_tensor(node) else node.args[0]
    return tensor_of(module, source).expand(shape_of(node))
