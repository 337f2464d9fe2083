"""What does not depend on the image is computed once: grids of points, masks, weights that are computed from weights.

Converters fold some of it, each by its own rules: a TorchScript lite file computed a detector's grid in float64, and
int8 programs gave each of its pieces a scale.
"""

import operator
from typing import Any

import torch
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg

from samesight.conversion.preparation.graph import add_tensor, tensor_of

LARGEST_BYTES = 64 << 20
"""A constant that is larger stays an expression, or every file would carry it."""


def fold_constants(module: GraphModule) -> int:
    """Replace operators of constants alone by their values; the number of tensors that took their places."""
    values: dict[Node, Any] = {}
    for node in module.graph.nodes:
        if node.op == "get_attr":
            attribute = tensor_of(module, node) if _is_tensor(module, node) else None
            if attribute is not None:
                values[node] = attribute
        elif node.op == "call_function" and all(source in values for source in node.all_input_nodes):
            value = _evaluate(node, values)
            if value is not None:
                values[node] = value
    count = 0
    for node, value in values.items():
        read_by_others = any(user not in values for user in node.users)
        if node.op == "call_function" and isinstance(value, torch.Tensor) and read_by_others:
            node.replace_all_uses_with(add_tensor(module, f"constant_{node.name}", value, node))
            count += 1
    module.graph.eliminate_dead_code()
    return count


def _is_tensor(module: GraphModule, node: Node) -> bool:
    value: Any = module
    for part in str(node.target).split("."):
        value = getattr(value, part, None)
    return isinstance(value, torch.Tensor)


def _evaluate(node: Node, values: dict[Node, Any]) -> Any:
    """The value of an operator of constants; None for one that is random, too large, or no tensor's."""
    target: Any = node.target
    if torch.Tag.nondeterministic_seeded in getattr(target, "tags", ()):
        return None
    if not isinstance(target, torch._ops.OpOverload) and target is not operator.getitem:
        return None
    args: Any = map_arg(node.args, values.__getitem__)
    kwargs: Any = map_arg(dict(node.kwargs), values.__getitem__)
    with torch.no_grad():
        value: Any = target(*args, **kwargs)
    tensors = [value] if isinstance(value, torch.Tensor) else value if isinstance(value, list | tuple) else []
    small = tensors and all(isinstance(each, torch.Tensor) and each.nbytes <= LARGEST_BYTES for each in tensors)
    return value if small else None
