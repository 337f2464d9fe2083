"""The cost of an exported program, from its graph of ATen operators."""

from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Node

from samesight.conversion.cost.cost import Cost, Merged, Step, peak
from samesight.conversion.preparation.graph import argument, aten, operator_name

if TYPE_CHECKING:
    from torch.export import ExportedProgram

CONVOLUTIONS = (
    aten.conv1d.default,
    aten.conv2d.default,
    aten.conv3d.default,
    aten.conv1d.padding,
    aten.conv2d.padding,
    aten.conv3d.padding,
)
TRANSPOSED = (aten.conv_transpose1d.default, aten.conv_transpose2d.input, aten.conv_transpose3d.input)
# Their results are other names of what they read; RESHAPES' only where it lies in memory without gaps.
RESHAPES = (aten.reshape.default, aten.flatten.using_ints, aten.contiguous.default)
VIEWS = (
    aten.view.default,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.alias.default,
    aten.detach.default,
    aten.dropout.default,
    aten.permute.default,
    aten.transpose.int,
    aten.expand.default,
    aten.slice.Tensor,
    aten.select.int,
    aten.unbind.int,
    aten.chunk.default,
    aten.split.Tensor,
    aten.split_with_sizes.default,
)


def program_cost(program: "ExportedProgram") -> Cost:
    """Count in the graph; every shape is known there.

    Views (`reshape`, `permute`, `slice` …) count as other names of what they read.
    """
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    calls = [node for node in nodes if not operator_name(node).startswith("<built-in")]
    parameters, weights = _tensors(program)
    return Cost(
        macs=sum(map(_macs, calls)),
        parameters=sum(tensor.numel() for tensor in parameters),
        weight_bytes=sum(tensor.numel() * tensor.element_size() for tensor in weights),
        activation_bytes=_peak(program, nodes),
        operators=dict(sorted(Counter(map(operator_name, calls)).items())),
    )


def _tensors(program: "ExportedProgram") -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The parameters, and all tensors of the program (with buffers and constants), that its graph reads."""
    signature = program.graph_signature
    read = {node.name for node in program.graph.nodes if node.op == "placeholder" and node.users}
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    found: dict[int, tuple[torch.Tensor, bool]] = {}
    for node, name in names.items():
        tensor: Any = program.state_dict.get(name, program.constants.get(name))
        if node in read and isinstance(tensor, torch.Tensor):
            found[id(tensor)] = (tensor, node in signature.inputs_to_parameters)
    return [tensor for tensor, learned in found.values() if learned], [tensor for tensor, _ in found.values()]


def _macs(node: Node) -> int:
    """Multiply-accumulates of one operator; 0 of those that multiply nothing with weights or matrices."""

    def shape(index: int, name: str) -> tuple[int, ...]:
        value = argument(node, index, name)
        return tuple(int(side) for side in value.meta["val"].shape)

    target, value = node.target, node.meta["val"]
    made = value.numel() if isinstance(value, torch.Tensor) else 0
    if target in CONVOLUTIONS:
        return made * prod(shape(1, "weight")[1:])
    if target in TRANSPOSED:
        return prod(shape(0, "input")) * prod(shape(1, "weight")[1:])
    if target is aten.convolution.default:
        return (prod(shape(0, "input")) if argument(node, 6, "transposed") else made) * prod(shape(1, "weight")[1:])
    if target is aten.linear.default:
        return made * shape(1, "weight")[-1]
    if target in (aten.mm.default, aten.bmm.default, aten.matmul.default):
        return made * shape(0, "self")[-1]
    if target in (aten.addmm.default, aten.baddbmm.default):
        return made * shape(1, "mat1")[-1]
    if target is aten.scaled_dot_product_attention.default:
        query, key = shape(0, "query"), shape(1, "key")
        return prod(query) * key[-2] + made * key[-2]
    return 0


def _peak(program: "ExportedProgram", nodes: list[Node]) -> int:
    held = set(program.graph_signature.user_inputs)
    images = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in held]
    computed, merged = {*images, *nodes}, Merged()
    size: dict[Any, int] = {}
    for node in (*images, *nodes):
        value = node.meta.get("val")
        tensors = value if isinstance(value, (list, tuple)) else [value]
        size[node] = sum(t.numel() * t.element_size() for t in tensors if isinstance(t, torch.Tensor))
        source = node.args[0] if node.args else None
        if source in computed and _is_view(node, source):
            merged.merge(source, node)
    steps = [
        Step([merged(each) for each in node.all_input_nodes if each in computed], [merged(node)]) for node in nodes
    ]
    outputs = [each for each in next(iter(reversed(program.graph.nodes))).all_input_nodes if each in computed]
    return peak(steps, map(merged, images), map(merged, outputs), size)


def _is_view(node: Node, source: Any) -> bool:
    whole = node.target in RESHAPES and source.meta["val"].is_contiguous()
    return whole or node.target in VIEWS or operator_name(node).startswith("<built-in")
