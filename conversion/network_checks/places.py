"""Where in the network stand the operators that a known fault names: files of converters do not say it themselves."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Node

from samesight.conversion.known_faults.patterns.litert import LARGE_SUM
from samesight.conversion.preparation.graph import argument, aten, module_of, operator_name

if TYPE_CHECKING:
    from torch.export import ExportedProgram

MAPS = 4
"""The most axes that LiteRT's GPU accelerator takes: «Tensor dimensions must be less than 5»."""
NAMED = 16


def values_of(node: Node) -> list[torch.Tensor]:
    """What a node computes, and what it reads that is computed too."""
    found: list[Any] = [each.meta.get("val") for each in (node, *node.all_input_nodes) if each.op == "call_function"]
    tensors = [part for value in found for part in (value if isinstance(value, list | tuple) else [value])]
    return [tensor for tensor in tensors if isinstance(tensor, torch.Tensor)]


def _long_sum(node: Node) -> bool:
    if node.target not in (aten.mean.dim, aten.mean.default, aten.sum.dim_IntList, aten.sum.default):
        return False
    source = node.all_input_nodes[0].meta["val"]
    return bool(source.numel() // max(node.meta["val"].numel(), 1) >= LARGE_SUM)


def _pool_of_another_kind(node: Node) -> bool:
    if node.target is aten.max_pool2d.default:
        return any(number != 1 for number in argument(node, 4, "dilation", [1]))
    return node.target is aten.avg_pool2d.default and not argument(node, 5, "count_include_pad", True)


def _is(*targets: Any) -> Callable[[Node], bool]:
    return lambda node: node.target in targets


PLACES: dict[str, Callable[[Node], bool]] = {
    "litert-gpu-rank-5": lambda node: any(value.dim() > MAPS for value in values_of(node)),
    "litert-gpu-large-sum": _long_sum,
    "litert-gpu-gather": _is(aten.gather.default, aten.index_select.default, aten.embedding.default),
    "litert-gpu-gather-nd": _is(
        aten.index.Tensor,
        aten.index_select.default,
        aten.gather.default,
        aten.im2col.default,
        aten.upsample_bicubic2d.vec,
    ),
    "litert-gpu-reduce-window": _pool_of_another_kind,
    "litert-gpu-select": _is(aten.where.self, aten.where.ScalarOther, aten.where.ScalarSelf),
    "litert-gpu-broadcast-to": _is(aten.expand.default, aten.group_norm.default),
    "litert-gpu-arg-max": _is(aten.argmax.default, aten.argmin.default),
    "litert-gpu-align-corners": lambda node: (
        node.target is aten.upsample_bilinear2d.vec and bool(argument(node, 2, "align_corners"))
    ),
}
"""By known fault: whether an operator of the prepared program becomes one that the fault is about."""


def places_of(program: "ExportedProgram") -> dict[str, tuple[str, ...]]:
    """By known fault: the first operators that it may be about, as `aten.mean.dim in head.pool (Pool)`.

    Whether an artifact has the fault, its file decides.
    """
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    found = {}
    for fault, matches in PLACES.items():
        names = [f"{operator_name(node)} in {module_of(node)}" for node in nodes if matches(node)]
        if names:
            found[fault] = tuple(names[:NAMED])
    return found
