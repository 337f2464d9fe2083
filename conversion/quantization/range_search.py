"""The range of each activation: what calibration images reach, and what costs the network's outputs least.

`refined_ranges` compares candidates around the ranges that there are, by how much their rounding and clipping change
the outputs. That is estimated to first order: with e the candidate's error and g the gradient of a random projection of
the outputs, the mean of (g · e)² is the noise that it adds to them. So a few backward passes judge all candidates of
all tensors, where trying them one by one would take a pass for each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from samesight.conversion.qparams import QuantParams
from samesight.conversion.quantization.activation_qparams import LOWEST, qparams_over
from samesight.conversion.quantization.quantizer import LEAST_SCALE, activation_spec
from samesight.conversion.quantization.simulation import Constant, Simulation, fake_quantized

EVEN = tuple((share, share) for share in (1.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5))
UNEVEN = ((0.7, 0.85), (0.85, 0.7), (0.7, 1.0), (1.0, 0.7), (0.85, 1.0), (1.0, 0.85), (1.0, 1.25), (1.25, 1.0))
"""Shares of the low and of the high end of the present range, which is the first; uneven ones where there are both."""
GAIN = 0.9
"""A candidate replaces the present range if it costs less than this share of it: less is noise of the estimate."""
PROBES = 2
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


@dataclass(frozen=True)
class Observed:
    """Ranges by name, from the same images.

    Attributes:
        histogram: of least squared rounding and clipping error, as PT2E's HistogramObserver finds them.
        full: of all values; for outputs of one value per image and channel `MARGIN` more.
    """

    histogram: dict[str, QuantParams]
    full: dict[str, QuantParams]


class Tap(nn.Module):
    """Keeps the values that pass, and makes them ones that gradients are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if not x.requires_grad:
            x = x.detach().requires_grad_()
        if x.numel():
            self.values.append(x)
        return x

    def take(self) -> list[Tensor]:
        """The values since the last call."""
        values, self.values = self.values, []
        return values


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


def observe(simulation: Simulation, chunks: Iterable[Tensor], fixed: dict[str, QuantParams]) -> Observed:
    """The ranges of the float program's values for images, float32 [n,C,H,W] 0..255, in the chunks that are given."""
    spec = activation_spec(training=False)
    kind = {"dtype": spec.dtype, "qscheme": spec.qscheme, "quant_min": spec.quant_min, "quant_max": spec.quant_max}
    groups = groups_of(simulation, fixed)
    observers = [spec.observer_or_fake_quant_ctr(**kind) for _ in groups]
    standing = {group.activation: one for group, one in zip(groups, observers, strict=True)}
    with in_float_with(simulation, standing), torch.no_grad():
        for chunk in chunks:
            simulation.module(chunk)
    histogram, full = dict(fixed), dict(fixed)
    for group, observer in zip(groups, observers, strict=True):
        scale, zero_point = observer.calculate_qparams()
        histogram |= dict.fromkeys(group.names, QuantParams(float(scale), int(zero_point)))
        margin = MARGIN if group.output else 1.0
        low, high = (margin * float(end) if end.isfinite() else 0.0 for end in (observer.min_val, observer.max_val))
        full |= dict.fromkeys(group.names, _over(min(low, 0.0), max(high, 0.0)))
    return Observed(histogram, full)


def refined_ranges(
    simulation: Simulation,
    present: dict[str, QuantParams],
    fixed: dict[str, QuantParams],
    pixels: Tensor,
    energies: Sequence[float],
    seed: int = 0,
) -> dict[str, QuantParams]:
    """The present ranges of a simulation, each replaced where another one costs the outputs less.

    Args:
        simulation: of the program; its own ranges are neither used nor changed.
        present: the ranges by name; outputs of one value per image and channel keep theirs.
        fixed: ranges that follow from the spec and stay.
        pixels: float32 [n,C,H,W], values 0..255, on which candidates are compared.
        energies: of each output, to weigh outputs with.
        seed: of the random projections.
    """
    groups = [group for group in groups_of(simulation, fixed) if not group.output]
    candidates = [_candidates(present[group.names[0]]) for group in groups]
    costs = [torch.zeros(len(each), dtype=torch.float64) for each in candidates]
    taps = [Tap() for _ in groups]
    standing = {group.activation: tap for group, tap in zip(groups, taps, strict=True)}
    generator = torch.Generator().manual_seed(seed)
    with in_float_with(simulation, standing):
        for chunk in simulation.chunks(pixels):
            outputs = simulation.module(chunk)
            values = [tap.take() for tap in taps]
            sources = [value for each in values for value in each]
            gradients = [_gradients(outputs, sources, energies, generator) for _ in range(PROBES)]
            with torch.no_grad():
                for value, *of_probes in zip(sources, *gradients, strict=True):
                    given = [gradient for gradient in of_probes if gradient is not None]
                    place = next(number for number, each in enumerate(values) if any(one is value for one in each))
                    _add_costs(costs[place], candidates[place], value, given, len(chunk))
    chosen = dict(present)
    for group, ranges, cost in zip(groups, candidates, costs, strict=True):
        best = int(cost.argmin())
        if float(cost[best]) < GAIN * float(cost[0]):
            chosen |= dict.fromkeys(group.names, ranges[best])
    return chosen


def _over(low: float, high: float) -> QuantParams:
    return qparams_over(low, max(high, low + 255 * LEAST_SCALE))


def _candidates(present: QuantParams) -> list[QuantParams]:
    """Every range that is tried, the present one first."""
    low = (LOWEST - present.zero_point) * present.scale
    high = low + 255 * present.scale
    shares = EVEN + UNEVEN if low < 0 < high else EVEN
    return [present, *(_over(low * down, high * up) for down, up in shares[1:])]


def _gradients(
    outputs: Sequence[Tensor], sources: Sequence[Tensor], energies: Sequence[float], generator: torch.Generator
) -> tuple[Tensor | None, ...]:
    """The gradients of one random projection of the outputs."""
    projected = [
        (output * torch.randn(output.shape, generator=generator)).sum() / energy**0.5
        for output, energy in zip(outputs, energies, strict=True)
    ]
    return torch.autograd.grad(torch.stack(projected).sum(), sources, retain_graph=True, allow_unused=True)


def _add_costs(
    costs: Tensor, candidates: Sequence[QuantParams], value: Tensor, gradients: Sequence[Tensor], images: int
) -> None:
    """Add what each candidate costs; errors of one image are summed before they are squared."""
    # A value's first axis need not be the images: networks split it into windows, or have one vector for one image.
    rows = images if value.numel() % images == 0 else 1
    for index, candidate in enumerate(candidates):
        error = fake_quantized(value, candidate) - value
        for gradient in gradients:
            costs[index] += float((error * gradient).reshape(rows, -1).sum(1).square().sum())


def _output_values(simulation: Simulation) -> set[str]:
    """The names of the values that are outputs of one value per image and channel."""
    end = next(iter(reversed(simulation.module.graph.nodes)))
    sites = {site: name for name, site in simulation.sites.items()}
    outputs = {sites[str(node.target)]: node for node in end.args[0] if str(node.target) in sites}
    return {name for name, node in outputs.items() if node.args[0].meta["val"].dim() == 2}
