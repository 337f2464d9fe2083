"""What calibration images reach: the values of the float program, and ranges that cover all or most of them."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from samesight.conversion.qparams import QuantParams
from samesight.conversion.quantization.activation_qparams import LOWEST, qparams_over
from samesight.conversion.quantization.quantizer import LEAST_SCALE, activation_spec
from samesight.conversion.quantization.simulation import Constant, Simulation

MARGIN = 1.2
"""Outputs of one value per image and channel get this much more than all that was seen: what they clip is lost, and so
few values do not show their tails."""


@dataclass(eq=False)
class Group:
    """The names of all observed values that share one scale, and whether one is an output of one value per channel.

    `activation` is the id of the module that stands there.
    """

    activation: int
    names: list[str] = field(default_factory=list)
    output: bool = False


@dataclass(frozen=True, eq=False)
class Observed:
    """The float program's values for some images, which came in chunks.

    Attributes:
        histogram: the ranges, by name, of least squared rounding and clipping error, as PT2E's HistogramObserver finds
            them.
        fixed: ranges that follow from the spec.
        groups: of the other values.
        lows: float32 [chunks, groups], the least value of each chunk, or 0.
        highs: float32 [chunks, groups], the largest, or 0.
    """

    histogram: dict[str, QuantParams]
    fixed: dict[str, QuantParams]
    groups: list[Group]
    lows: Tensor
    highs: Tensor

    def full(self, wider: float = 1.0, without: Tensor | None = None) -> dict[str, QuantParams]:
        """The ranges of all values, `wider` times as wide; for outputs of one value per image and channel `MARGIN`.

        `without`: bool [chunks], those that are left out.
        """
        lows, highs = (ends if without is None else ends[~without] for ends in (self.lows, self.highs))
        ranges = dict(self.fixed)
        for group, low, high in zip(self.groups, lows.amin(0).tolist(), highs.amax(0).tolist(), strict=True):
            margin = MARGIN if group.output else wider
            ranges |= dict.fromkeys(group.names, range_over(margin * low, margin * high))
        return ranges


def groups_of(simulation: Simulation, fixed: dict[str, QuantParams]) -> list[Group]:
    """The activations whose range is not fixed."""
    groups: dict[int, Group] = {}
    outputs = _output_values(simulation)
    for name, activation in simulation.activations.items():
        group = groups.setdefault(id(activation), Group(id(activation)))
        group.names.append(name)
        group.output = group.output or name in outputs
    return [group for group in groups.values() if not set(group.names) & set(fixed)]


@contextmanager
def in_float_with(simulation: Simulation, standing: Mapping[int, nn.Module]) -> Iterator[None]:
    """Inside, nothing is quantized, and modules stand at the values of the activations with these ids."""
    kept = {site: simulation.module.get_submodule(site) for site in (*simulation.sites.values(), *simulation.constants)}
    simulation.quantize_constants(False)
    for site, module in kept.items():
        activation = module.activation if isinstance(module, Constant) else module
        simulation.module.set_submodule(site, standing.get(id(activation), nn.Identity()))
    try:
        yield
    finally:
        for site, module in kept.items():
            simulation.module.set_submodule(site, module)
        simulation.quantize_constants(True)


class Watch(nn.Module):
    """An observer that also keeps the least and the largest value since the last call of `take`.

    Infinite values, as masks of attention have them, count as 0.
    """

    def __init__(self, observer: nn.Module) -> None:
        super().__init__()
        self.observer, self.low, self.high = observer, 0.0, 0.0

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if x.numel():
            least, largest = float(x.min()), float(x.max())
            self.low = min(self.low, least if math.isfinite(least) else 0.0)
            self.high = max(self.high, largest if math.isfinite(largest) else 0.0)
        observed: Tensor = self.observer(x)
        return observed

    def take(self) -> tuple[float, float]:
        """The least and the largest value, or 0."""
        ends, self.low, self.high = (self.low, self.high), 0.0, 0.0
        return ends


def observe(simulation: Simulation, chunks: Iterable[Tensor], fixed: dict[str, QuantParams]) -> Observed:
    """The float program's values for images, float32 [n,C,H,W] 0..255, in the chunks that are given."""
    spec = activation_spec(training=False)
    kind = {"dtype": spec.dtype, "qscheme": spec.qscheme, "quant_min": spec.quant_min, "quant_max": spec.quant_max}
    groups = groups_of(simulation, fixed)
    watches = [Watch(spec.observer_or_fake_quant_ctr(**kind)) for _ in groups]
    standing = {group.activation: watch for group, watch in zip(groups, watches, strict=True)}
    ends = []
    with in_float_with(simulation, standing), torch.no_grad():
        for chunk in chunks:
            simulation.module(chunk)
            ends.append([watch.take() for watch in watches])
    histogram = dict(fixed)
    for group, watch in zip(groups, watches, strict=True):
        scale, zero_point = watch.observer.calculate_qparams()  # type: ignore[operator]
        histogram |= dict.fromkeys(group.names, QuantParams(float(scale), int(zero_point)))
    lows, highs = torch.tensor(ends).reshape(len(ends), len(groups), 2).unbind(-1)
    return Observed(histogram, fixed, groups, lows, highs)


def ends_of(qparams: QuantParams) -> tuple[float, float]:
    """The least and the largest value that int8 with this scale and zero point holds."""
    low = (LOWEST - qparams.zero_point) * qparams.scale
    return low, low + 255 * qparams.scale


def range_over(low: float, high: float) -> QuantParams:
    """The scale and zero point that hold these values; no scale is smaller than XNNPACK's least."""
    return qparams_over(low, max(high, low + 255 * LEAST_SCALE))


def _output_values(simulation: Simulation) -> set[str]:
    """The names of the values that are outputs of one value per image and channel."""
    end = next(iter(reversed(simulation.module.graph.nodes)))
    sites = {site: name for name, site in simulation.sites.items()}
    outputs = {sites[str(node.target)]: node for node in end.args[0] if str(node.target) in sites}
    return {name for name, node in outputs.items() if node.args[0].meta["val"].dim() == 2}
