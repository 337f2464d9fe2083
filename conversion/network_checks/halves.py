"""Where half precision fails: the prepared program run on calibration images in float32 and, beside it, in halves.

GPUs and NPUs compute float networks in IEEE 754's binary16: numbers up to 65504 with 11 bits. What passes that is
infinite there, silently, and NaN soon after. Here every value is computed in float32 and rounded to a half; so the
sums inside of one operator are exact. GPUs add many of them in halves; that is covered by the sum of the terms'
magnitudes, which bounds every partial sum, whatever the order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf, isnan, prod
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Node
from torch.fx.node import map_arg

from samesight.contract.gates import GATES
from samesight.contract.manifest import Unit
from samesight.contract.verdicts import FaultWarning
from samesight.conversion.preparation.graph import argument, aten, module_of, operator_name, tensor_of
from samesight.conversion.preparation.prepare import pixels_of
from samesight.conversion.qparams import UInt8
from samesight.conversion.snr import decibels

if TYPE_CHECKING:
    from samesight.conversion.preparation.prepare import Prepared

LARGEST = 65504.0
"""The largest half (IEEE 754-2019, table 3.5)."""
STEPS = 2.0**11
"""Where one number is this many times another, a half that holds the first has no bit left for the second."""
NAMED = 3
UNITS: tuple[Unit, ...] = ("gpu", "npu")
STANDARD = "https://doi.org/10.1109/IEEESTD.2019.8766229"
SUMS = "https://github.com/google-ai-edge/LiteRT/issues/9249"


@dataclass
class Value:
    """What was seen of one operator's result over all images.

    `largest` magnitude of its elements; `sum` the largest sum of the magnitudes that one of them is made of, 0 where it
    is made of none; `broken` whether rounding to halves made it infinite or NaN.
    """

    node: Node
    largest: float = 0.0
    sum: float = 0.0
    broken: bool = False


@dataclass
class Output:
    """What an output was on all images, in float32, and the energy of the halves' error."""

    images: list[torch.Tensor] = field(default_factory=list)
    noise: float = 0.0

    def add(self, exact: torch.Tensor, halves: torch.Tensor) -> None:
        """Count one image."""
        self.images.append(exact.reshape(-1, exact.shape[-1]))
        error = float((halves.double() - exact.double()).square().sum())
        self.noise += inf if isnan(error) else error

    @property
    def decibels(self) -> float:
        """Signal to noise, as the gates have it."""
        values = torch.cat(self.images).double()
        return decibels(float((values - values.mean(0)).square().sum()), self.noise)

    @property
    def channels(self) -> torch.Tensor:
        """The largest magnitude of each channel."""
        return torch.cat(self.images).abs().amax(0)


def half_risks(prepared: "Prepared", images: UInt8) -> list[FaultWarning]:
    """Warnings about values, sums and outputs of a network in half precision; `images` are uint8 [n, H, W, C]."""
    values: dict[Node, Value] = {}
    outputs = [Output() for _ in prepared.spec.roles]
    with torch.no_grad():
        for image in images:
            _run(prepared, pixels_of(image[None]), values, outputs)
    seen = f"{len(images)} calibration image{'' if len(images) == 1 else 's'}"
    return list(_warnings(prepared, list(values.values()), outputs, seen))


def _warnings(prepared: "Prepared", values: list[Value], outputs: list[Output], seen: str) -> Iterator[FaultWarning]:
    passing = [value for value in values if value.largest > LARGEST]
    if passing:
        yield FaultWarning(
            id="half-overflow",
            title="values pass the largest half and become infinite",
            severity="wrong",
            units=UNITS,
            versions=f"values up to {max(each.largest for each in passing):.3g} on {seen}, the largest half is 65504",
            operators=_names(passing),
            count=len(passing),
            remedy="scale that module's input down and its output up, or run the GPU without loss of precision "
            "(enforce_f32)",
            source=STANDARD,
        )
    sums = [value for value in values if value.sum > LARGEST >= value.largest]
    if sums:
        yield FaultWarning(
            id="half-long-sum",
            title="sums pass the largest half where they are added in halves",
            severity="wrong",
            units=UNITS,
            versions=f"terms that add up to {max(each.sum for each in sums):.3g} on {seen}; LiteRT adds "
            "convolutions so (2.3.0, WebGPU), and means on Mali and Metal",
            operators=_names(sums),
            count=len(sums),
            remedy="average in two steps, scale the terms down, or run the GPU without loss of precision (enforce_f32)",
            source=SUMS,
        )
    least = GATES["fp16"].snr_db
    coarse = {role: output.decibels for role, output in zip(prepared.spec.roles, outputs, strict=True)}
    coarse = {role: ratio for role, ratio in coarse.items() if ratio < least}
    if coarse and not passing:
        broken = [value for value in values if value.broken]
        yield FaultWarning(
            id="half-coarse-output",
            title="outputs are too coarse in halves",
            severity="wrong",
            units=UNITS,
            versions=", ".join(f"{role} {ratio:.1f} dB" for role, ratio in coarse.items())
            + f" on {seen}, the gate is {least:g} dB",
            operators=_names(broken) or tuple(coarse),
            count=len(broken) or len(coarse),
            remedy="avoid small differences of large numbers and tiny divisors, or run the GPU without loss of "
            "precision (enforce_f32)",
            source=STANDARD,
        )
    mixed = {}
    for role, output in zip(prepared.spec.roles, outputs, strict=True):
        channels = output.channels[output.channels > 0]
        if len(channels) > 1 and float(channels.max() / channels.min()) >= STEPS:
            mixed[role] = float(channels.max() / channels.min())
    if mixed:
        yield FaultWarning(
            id="half-mixed-scale",
            title="channels of one output differ in scale by more than a half has steps",
            severity="wrong",
            units=UNITS,
            versions=", ".join(f"{role}: {ratio:.3g} times" for role, ratio in mixed.items()) + f" on {seen}",
            operators=tuple(mixed),
            count=len(mixed),
            remedy="give the small channels an output of their own, or a common scale",
            source=STANDARD,
        )


def _names(values: list[Value]) -> tuple[str, ...]:
    return tuple(f"{operator_name(value.node)} in {module_of(value.node)}" for value in values[:NAMED])


def rounded(value: Any) -> Any:
    """Tensors of floats as halves, in float32."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.half().to(value.dtype)
    return type(value)(map(rounded, value)) if isinstance(value, list | tuple) else value


def _run(prepared: "Prepared", image: torch.Tensor, values: dict[Node, Value], outputs: list[Output]) -> None:
    """One image [1, C, H, W] through the program, in float32 and in halves at once."""
    module = prepared.module
    exact: dict[Node, Any] = {}
    halves: dict[Node, Any] = {}
    readers = {node: len(node.users) for node in module.graph.nodes}
    for node in module.graph.nodes:
        if node.op == "output":
            for output, result in zip(outputs, node.args[0], strict=True):
                output.add(exact[result], halves[result])
        elif node.op == "placeholder":
            exact[node] = halves[node] = image
        elif node.op == "get_attr":
            exact[node] = tensor_of(module, node)
            halves[node] = rounded(exact[node])
        else:
            exact[node] = _call(node, exact)
            halves[node] = rounded(_call(node, halves))
            _look(values.setdefault(node, Value(node)), exact, halves[node])
        for read in node.all_input_nodes:
            readers[read] -= 1
            if not readers[read]:
                del exact[read], halves[read]


def _call(node: Node, values: dict[Node, Any]) -> Any:
    target: Any = node.target
    return target(*map_arg(node.args, values.__getitem__), **map_arg(node.kwargs, values.__getitem__))


def _look(value: Value, exact: dict[Node, Any], halves: Any) -> None:
    result = exact[value.node]
    if not isinstance(result, torch.Tensor) or not result.is_floating_point() or not result.numel():
        return
    finite = result.abs().nan_to_num(0.0, 0.0, 0.0)  # an attention's mask may be infinite, in halves as well
    value.largest = max(value.largest, float(finite.amax()))
    value.broken |= not bool(halves.isfinite().all())
    terms = TERMS.get(value.node.target)
    if terms:
        value.sum = max(value.sum, float(terms(value.node, exact).amax()))


def _magnitudes(node: Node, exact: dict[Node, Any]) -> torch.Tensor:
    """A linear operator on the magnitudes of what it reads: the sum of the magnitudes of all terms."""
    sizes = {each: exact[each].abs() for each in node.all_input_nodes}
    return torch.as_tensor(_call(node, sizes))


def _whole(node: Node, exact: dict[Node, Any]) -> torch.Tensor:
    """A mean times the number of its terms."""
    mean = _magnitudes(node, exact)
    return mean * (exact[node.all_input_nodes[0]].numel() / max(mean.numel(), 1))


def _window(node: Node, exact: dict[Node, Any]) -> torch.Tensor:
    """A pool's averages times the number of its window's elements."""
    kernel = argument(node, 1, "kernel_size")
    return _magnitudes(node, exact) * prod(kernel * 2 if len(kernel) == 1 else kernel)


def _squares(
    shape: Callable[[Node, tuple[int, ...]], tuple[int, ...]],
) -> Callable[[Node, dict[Node, Any]], torch.Tensor]:
    """A normalisation sums squares over the last axis of the view that `shape` gives of what it reads."""

    def total(node: Node, exact: dict[Node, Any]) -> torch.Tensor:
        read = exact[node.all_input_nodes[0]]
        rows = read.reshape(shape(node, tuple(read.shape)))
        return (rows - rows.mean(-1, keepdim=True)).square().sum(-1)

    return total


def _last_axes(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """[rows, elements] of a layer normalisation."""
    kept = len(shape) - len(argument(node, 1, "normalized_shape"))
    return (prod(shape[:kept]), -1)


def _groups(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """[groups, elements] of a group normalisation."""
    return (shape[0] * int(argument(node, 1, "num_groups")), -1)


TERMS: dict[Any, Callable[[Node, dict[Node, Any]], torch.Tensor]] = {
    aten.conv1d.default: _magnitudes,
    aten.conv2d.default: _magnitudes,
    aten.conv2d.padding: _magnitudes,
    aten.conv_transpose2d.input: _magnitudes,
    aten.linear.default: _magnitudes,
    aten.matmul.default: _magnitudes,
    aten.mm.default: _magnitudes,
    aten.bmm.default: _magnitudes,
    aten.addmm.default: _magnitudes,
    aten.sum.default: _magnitudes,
    aten.sum.dim_IntList: _magnitudes,
    aten.mean.default: _whole,
    aten.mean.dim: _whole,
    aten.avg_pool2d.default: _window,
    aten.layer_norm.default: _squares(_last_axes),
    aten.group_norm.default: _squares(_groups),
    aten.instance_norm.default: _squares(lambda node, shape: (shape[0] * shape[1], -1)),
}
