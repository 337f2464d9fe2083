"""Cross-layer equalization: channels that use little of their tensor's range are scaled up, and down again behind it.

Between layers with nothing but ReLU, pooling, resizing and sums, a channel times s in the layers before it and divided
by s in those behind it leaves the network what it was (M. Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", ICCV 2019). An activation has one scale for all channels, so small channels gain what
they are scaled by; weights have a scale per output channel, so that only the columns of dense layers behind can lose.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import argument, aten, shape_of
from samesight.conversion.preparation.normalisation import NORMALISE
from samesight.conversion.quantization.quantizer import fused_activation

HOMOGENEOUS = (
    aten.relu.default,
    aten.leaky_relu.default,
    aten.hardtanh.default,
    aten.max_pool2d.default,
    aten.avg_pool2d.default,
    aten.adaptive_avg_pool2d.default,
    aten.upsample_bilinear2d.vec,
    aten.upsample_nearest2d.vec,
    aten.mean.dim,
)
"""What a channel times s comes out of as before, times s; hardtanh where it clips at 0 and above all values."""

MOST = 16.0
LEAST_GAIN = 1.05
OTHER_IMAGES = 1.5
"""Between the largest values that a channel has in two sets of images, beside the other channels."""
ROOM = 1.1
"""A clip of ReLU6 stays this much above the largest value of a channel that is scaled up."""


@dataclass(frozen=True)
class Group:
    """Values whose channels have to have the same factors, the layers that make them and those that read them."""

    values: list[Node]
    sources: list[Node]
    readers: list[Node]


def find_groups(module: GraphModule) -> list[Group]:
    """All groups whose factors can be put into layers before and behind them."""
    parents: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        while parents.setdefault(node, node) is not node:
            node = parents[node]
        return node

    calls = [node for node in module.graph.nodes if node.op == "call_function"]
    for node in calls:
        for source in _joined(node):
            parents[root(node)] = root(source)
    members: dict[Node, list[Node]] = {}
    for node in calls:
        members.setdefault(root(node), []).append(node)
    groups = (_group(values) for values in members.values())
    return [group for group in groups if group is not None]


def _joined(node: Node) -> list[Node]:
    """The inputs whose channels are those of the node's value."""
    sources = [source for source in node.args if isinstance(source, Node)]
    if node.target is aten.add.Tensor:
        alike = len(sources) == 2 and shape_of(sources[0]) == shape_of(sources[1])
        return sources if alike and argument(node, 2, "alpha", 1) == 1 else []
    if node.target is aten.hardtanh.default and argument(node, 1, "min_val", -1) != 0:
        return []
    if node.target is aten.mean.dim and len(shape_of(node)) != 4:
        return []
    return sources[:1] if node.target in HOMOGENEOUS else []


def _group(values: list[Node]) -> Group | None:
    inside = set(values)
    sources: list[Node] = []
    readers: list[Node] = []
    for node in values:
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor) or value.dim() != 4:
            return None
        joined = _joined(node)
        if not joined or not set(joined) <= inside:
            if not _is_layer(node):
                return None
            sources.append(node)
        for user in node.users:
            if user in inside and node in _joined(user):
                continue
            if not (_is_layer(user) and user.args[0] is node and _depth(user) in (1, shape_of(node)[1])):
                return None
            readers.append(user)
    return Group(values, sources, list(dict.fromkeys(readers))) if sources and readers else None


def _is_layer(node: Node) -> bool:
    weight = node.args[1] if len(node.args) > 1 else None
    return (
        node.target is aten.conv2d.default
        and isinstance(weight, Node)
        and weight.op == "get_attr"
        and len(weight.users) == 1
        and not str(weight.target).startswith(NORMALISE)
    )


def _depth(layer: Node) -> int:
    return int(argument(layer, 6, "groups", 1))


class _Largest(torch.fx.Interpreter):
    """Runs the program and keeps the largest magnitude of each channel of some values."""

    def __init__(self, module: GraphModule, wanted: Iterable[Node]) -> None:
        super().__init__(module)
        self.wanted, self.found = set(wanted), dict[Node, Tensor]()

    def run_node(self, n: Node) -> Any:
        value = super().run_node(n)
        if n in self.wanted:
            largest = value.abs().amax((0, 2, 3))
            self.found[n] = torch.maximum(self.found[n], largest) if n in self.found else largest
        return value


def equalizing_factors(module: GraphModule, chunks: Iterable[Tensor], strength: float) -> dict[str, Tensor]:
    """What to multiply parameters by, by their names in a prepared program, each in a shape that broadcasts.

    `chunks` are float32 [n,C,H,W] values 0..255. `strength` is 0 for nothing and 1 for equal ranges; a group with only
    depthwise layers behind it has nothing to lose and is always equalized.
    """
    factors: dict[str, Tensor] = {}

    def multiply(parameter: Any, by: Tensor) -> None:
        if isinstance(parameter, Node) and parameter.op == "get_attr":
            name = str(parameter.target)
            factors[name] = factors[name] * by if name in factors else by

    for group, scale in _scales(module, chunks, strength):
        for layer in group.sources:
            multiply(layer.args[1], scale.reshape(-1, 1, 1, 1))
            multiply(argument(layer, 2, "bias"), scale)
        for layer in group.readers:
            multiply(layer.args[1], 1 / scale.reshape((1, -1, 1, 1) if _depth(layer) == 1 else (-1, 1, 1, 1)))
    return factors


def factor_bounds(module: GraphModule, chunks: Iterable[Tensor], strength: float) -> dict[str, Tensor]:
    """The least and the largest factor that each channel of a value may have where other images calibrate.

    The arguments are as above. Returns float [2,C] by the value's node.
    """
    bounds: dict[str, Tensor] = {}
    for group, scale in _scales(module, chunks, strength):
        slack = OTHER_IMAGES ** (strength if _has_dense_reader(group) else 1.0)
        both = torch.stack([(scale / slack).clamp(min=1.0), scale * slack])
        bounds |= {value.name: both for value in group.values}
    return bounds


def _scales(module: GraphModule, chunks: Iterable[Tensor], strength: float) -> Iterator[tuple[Group, Tensor]]:
    """The groups that gain, and the factor of each channel."""
    groups = find_groups(module)
    run = _Largest(module, (value for group in groups for value in group.values))
    with torch.no_grad():
        for chunk in chunks:
            run.run(chunk)
    for group in groups:
        scale = _scale(group, run.found, strength)
        if float(scale.max()) >= LEAST_GAIN:
            yield group, scale


def _has_dense_reader(group: Group) -> bool:
    return any(_depth(layer) == 1 for layer in group.readers)


def _scale(group: Group, largest: dict[Node, Tensor], strength: float) -> Tensor:
    """The factor of each channel, at least 1."""
    stored = [value for value in group.values if fused_activation(value) is None]
    shares = [largest[value] / largest[value].max().clamp(min=1e-9) for value in stored]
    used = torch.stack(shares).amax(0).clamp(min=1 / MOST**2)
    scale = torch.clamp(used ** -(strength if _has_dense_reader(group) else 1.0), 1.0, MOST)
    for value in group.values:
        if value.target is aten.hardtanh.default:
            room = float(argument(value, 2, "max_val", 1)) / (ROOM * largest[value].clamp(min=1e-6))
            scale = torch.minimum(scale, room.clamp(min=1.0))
    return scale
