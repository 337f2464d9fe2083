"""The range of each activation that costs the network's outputs least.

`estimated_costs` compares candidates around the ranges that there are, by how much their rounding and clipping change
the outputs. That is estimated to first order: with e the candidate's error and g the gradient of a random projection of
the outputs, the mean of (g · e)² is the noise that it adds to them. So a few backward passes judge all candidates of
all tensors, where trying them one by one takes a pass for each: `measured_ranges` does that for the few that cost most.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from samesight.conversion.qparams import QuantParams
from samesight.conversion.quantization.observed_values import ends_of, groups_of, in_float_with, range_over
from samesight.conversion.quantization.output_noise import LEAST_GAIN_DB, Judge
from samesight.conversion.quantization.simulation import Simulation, fake_quantized

EVEN = tuple((share, share) for share in (1.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5))
UNEVEN = ((0.7, 0.85), (0.85, 0.7), (0.7, 1.0), (1.0, 0.7), (0.85, 1.0), (1.0, 0.85), (1.0, 1.25), (1.25, 1.0))
"""Shares of the low and of the high end of the present range, which is the first; uneven ones where there are both."""
GAIN = 0.9
"""A candidate replaces the present range if it costs less than this share of it: less is noise of the estimate."""
PROBES = 2
COSTLY = 0.05
"""Share of the noise of all activations; a range that costs less is not worth a pass for each of its candidates."""


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


@dataclass(frozen=True, eq=False)
class Estimate:
    """What the ranges of one activation cost the outputs.

    Attributes:
        names: of the values that share the range.
        candidates: ranges, the present one first.
        costs: float64 [candidates], the noise energy that each adds to the outputs, to first order.
    """

    names: list[str]
    candidates: list[QuantParams]
    costs: Tensor


def estimated_costs(
    simulation: Simulation,
    present: dict[str, QuantParams],
    fixed: dict[str, QuantParams],
    pixels: Tensor,
    energies: Sequence[float],
    seed: int = 0,
) -> list[Estimate]:
    """What the present range of each activation costs, and what other ranges would.

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
    return [Estimate(group.names, tried, cost) for group, tried, cost in zip(groups, candidates, costs, strict=True)]


def refined_ranges(present: dict[str, QuantParams], estimates: Sequence[Estimate]) -> dict[str, QuantParams]:
    """The present ranges, each replaced where another one is estimated to cost the outputs less."""
    chosen = dict(present)
    for estimate in estimates:
        best = int(estimate.costs.argmin())
        if float(estimate.costs[best]) < GAIN * float(estimate.costs[0]):
            chosen |= dict.fromkeys(estimate.names, estimate.candidates[best])
    return chosen


def costly(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Those whose present ranges cost at least `COSTLY` of what all cost, the largest first."""
    whole = sum(float(each.costs[0]) for each in estimates)
    chosen = [each for each in estimates if float(each.costs[0]) >= COSTLY * whole]
    return sorted(chosen, key=lambda each: -float(each.costs[0]))


def measured_ranges(
    simulation: Simulation, present: dict[str, QuantParams], estimates: Sequence[Estimate], judge: Judge
) -> dict[str, QuantParams]:
    """The present ranges, those with an estimate each replaced where another one makes the outputs better.

    An estimate to first order does not see that a network lives with values that are clipped by far, as transformers
    do with the few that are a hundred times the others; and by chance it may take a range that ruins the rest.

    Args:
        simulation: of the program; its ranges are changed.
        present: the ranges by name.
        estimates: of those that are tried, in this order.
        judge: with the images that ranges may be fitted to.
    """
    chosen = dict(present)
    simulation.set_ranges(chosen)
    best = judge.figures(simulation)
    for estimate in estimates:
        tried = []
        for candidate in estimate.candidates[1:]:
            simulation.set_ranges(dict.fromkeys(estimate.names, candidate))
            tried.append((judge.figures(simulation), candidate))
        figures, candidate = max(tried, key=lambda each: each[0].mixed)
        if figures.gains_on(best, LEAST_GAIN_DB):
            best = figures
            chosen |= dict.fromkeys(estimate.names, candidate)
        simulation.set_ranges(chosen)
    return chosen


def _candidates(present: QuantParams) -> list[QuantParams]:
    """Every range that is tried, the present one first."""
    low, high = ends_of(present)
    shares = EVEN + UNEVEN if low < 0 < high else EVEN
    return [present, *(range_over(low * down, high * up) for down, up in shares[1:])]


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
