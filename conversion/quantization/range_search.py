"""The range of each activation, chosen by how much its rounding and clipping change the network's outputs.

Candidates are shares of the range that the fitting images have, some of them wider. What a candidate costs is
estimated to first order on other images: with e the candidate's rounding error and g the gradient of a random
projection of the outputs, the mean of (g · e)² is the noise that it adds to them. So a few backward passes judge all
candidates of all tensors, where trying them one by one would take a pass for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from samesight.conversion.qparams import QuantParams
from samesight.conversion.quantization.activation_qparams import qparams_over
from samesight.conversion.quantization.output_noise import Judge
from samesight.conversion.quantization.quantizer import LEAST_SCALE
from samesight.conversion.quantization.simulation import Simulation, fake_quantized

EVEN = tuple((share, share) for share in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2))
UNEVEN = ((0.7, 0.85), (0.85, 0.7), (0.7, 1.0), (1.0, 0.7), (0.85, 1.0), (1.0, 0.85))
"""Shares of the low and of the high end; uneven ones where there are both."""
PROBES = 2
MARGIN = 1.2
"""Outputs of one value per image and channel get this much more than all that was seen: what they clip is lost, and so
few values do not show their tails."""


class Tap(nn.Module):
    """Keeps the value that passes, and makes it one that gradients are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.value: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if torch.is_grad_enabled() and not x.requires_grad:
            x = x.detach().requires_grad_()
        self.value = x
        return x


@dataclass
class _Group:
    """All observed values that share one scale."""

    names: list[str] = field(default_factory=list)
    low: float = 0.0
    high: float = 0.0
    costs: Tensor | None = None
    local: Tensor | None = None
    few: bool = False

    @property
    def candidates(self) -> list[QuantParams]:
        """Every range that is tried."""
        shares = EVEN + UNEVEN if self.low < 0 < self.high else EVEN
        return [_over(self, *pair) for pair in shares]


@dataclass(frozen=True)
class Found:
    """Ranges by name: of least noise in the tensor itself, and in the network's outputs."""

    local: dict[str, QuantParams]
    by_output: dict[str, QuantParams]


def search_ranges(
    simulation: Simulation, fitting: Tensor, judge: Judge, count: int, fixed: dict[str, QuantParams], seed: int = 0
) -> Found:
    """Choose a range for every activation of a simulation (its own ranges are neither used nor changed).

    Args:
        simulation: of the program.
        fitting: float32 [n,C,H,W] values 0..255, whose values bound the candidates.
        judge: other images, on the first `count` of which the candidates are compared.
        count: how many of them.
        fixed: ranges that follow from the spec.
        seed: of the random projections.
    """
    groups = _groups(simulation, fixed)
    taps = {name: Tap() for name in simulation.sites}
    for name, site in simulation.sites.items():
        simulation.module.set_submodule(site, taps[name])
    active = [weight for weight in simulation.weights.values() if weight.active]
    for weight in active:
        weight.active = False
    try:
        _observe(simulation, fitting, groups, taps)
        outputs = _output_values(simulation)
        for group in groups:
            values = [taps[name].value for name in group.names if name in outputs]
            group.few = any(value is not None and value.dim() == 2 for value in values)
        _observe(simulation, judge.pixels, [group for group in groups if group.few], taps)
        _compare(simulation, judge, count, groups, taps, seed)
    finally:
        for name, site in simulation.sites.items():
            simulation.module.set_submodule(site, simulation.activations[name])
        for weight in active:
            weight.active = True
    local, by_output = dict(fixed), dict(fixed)
    for group in groups:
        ranges = group.candidates
        for name in group.names:
            if group.costs is None or group.local is None or group.few:
                local[name] = by_output[name] = _over(group, MARGIN, MARGIN)
            else:
                local[name] = ranges[int(group.local.argmin())]
                by_output[name] = ranges[int(group.costs.argmin())]
    return Found(local, by_output)


def _groups(simulation: Simulation, fixed: dict[str, QuantParams]) -> list[_Group]:
    groups: dict[int, _Group] = {}
    for name, activation in simulation.activations.items():
        groups.setdefault(id(activation), _Group()).names.append(name)
    return [group for group in groups.values() if not set(group.names) & set(fixed)]


def _over(group: _Group, low_share: float, high_share: float) -> QuantParams:
    low, high = group.low * low_share, group.high * high_share
    width = 255 * LEAST_SCALE
    return qparams_over(low, high) if high - low > width else qparams_over(low, low + width)


def _observe(simulation: Simulation, fitting: Tensor, groups: Sequence[_Group], taps: dict[str, Tap]) -> None:
    with torch.no_grad():
        for chunk in simulation.chunks(fitting):
            simulation.module(chunk)
            for group in groups:
                for name in group.names:
                    value = taps[name].value
                    if value is not None and value.numel():
                        low, high = torch.aminmax(value)
                        group.low, group.high = min(group.low, float(low)), max(group.high, float(high))


def _compare(
    simulation: Simulation, judge: Judge, count: int, groups: Sequence[_Group], taps: dict[str, Tap], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    for group in groups:
        group.costs, group.local = (torch.zeros(len(group.candidates), dtype=torch.float64) for _ in range(2))
    for chunk in simulation.chunks(judge.pixels[:count]):
        outputs = simulation.module(chunk)
        names = [name for group in groups for name in group.names]
        sources = {name: value for name in names if (value := taps[name].value) is not None and value.requires_grad}
        gradients: list[tuple[Tensor | None, ...]] = []
        for probe in range(PROBES):
            projected = [
                (output * torch.randn(output.shape, generator=generator)).sum() / energy**0.5
                for output, energy in zip(outputs, judge.energies, strict=True)
            ]
            gradients.append(
                torch.autograd.grad(
                    torch.stack(projected).sum(),
                    list(sources.values()),
                    retain_graph=probe < PROBES - 1,
                    allow_unused=True,
                )
            )
        by_name = dict(zip(sources, zip(*gradients, strict=True), strict=True))
        with torch.no_grad():
            for group in groups:
                for name in set(group.names) & set(sources):
                    _add_costs(group, sources[name].detach(), by_name[name])


def _add_costs(group: _Group, value: Tensor, gradients: Sequence[Tensor | None]) -> None:
    assert group.costs is not None
    assert group.local is not None
    for index, candidate in enumerate(group.candidates):
        error = fake_quantized(value, candidate) - value
        group.local[index] += float(error.square().sum())
        for gradient in gradients:
            if gradient is not None:
                group.costs[index] += float((error * gradient).flatten(1).sum(1).square().sum())


def _output_values(simulation: Simulation) -> set[str]:
    """The names of the values that are outputs."""
    end = next(iter(reversed(simulation.module.graph.nodes)))
    sites = {site: name for name, site in simulation.sites.items()}
    return {sites[str(node.target)] for node in end.args[0] if str(node.target) in sites}
