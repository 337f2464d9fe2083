"""What no choice of ranges is likely to beat: ranges fitted to the very images that judge, with weights in floats.

This is no quantizer, since it looks at the test images. It says how much of int8's noise is that of 8-bit activations
with one scale per tensor. The ends of ranges are parameters, and rounding passes gradients as if it were not there
(Y. Bhalgat et al., "LSQ+: Improving low-bit quantization through learnable offsets and better initialization", CVPR
Workshops 2020).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from samesight.contract.errors import SamesightError
from samesight.conversion.formats.int8_comparison.case import Case
from samesight.conversion.formats.int8_comparison.tools import Made, of_simulation, with_float_weights
from samesight.conversion.qparams import QuantParams
from samesight.conversion.quantization.activation_qparams import HIGHEST, LOWEST
from samesight.conversion.quantization.observed_values import ends_of, range_over
from samesight.conversion.quantization.output_noise import make_judge
from samesight.conversion.quantization.simulation import Activation, Simulation

STEPS, BATCH, RATE = 400, 32, 1e-2
LEAST_WIDTH = 0.02
"""Share of its first width that a range keeps."""


class LearnedRange(nn.Module):
    """Stands at the values of one scale; the ends of its range are learned, and an end at zero stays there."""

    def __init__(self, qparams: QuantParams) -> None:
        super().__init__()
        self.first = ends_of(qparams)
        self.low, self.high = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))

    def ends(self) -> tuple[Tensor, Tensor]:
        """The least and the largest value; zero lies between them."""
        low, high = self.first[0] * self.low.clamp(min=0), self.first[1] * self.high.clamp(min=0)
        return low, torch.maximum(high, low + LEAST_WIDTH * (self.first[1] - self.first[0]))

    def qparams(self) -> QuantParams:
        """The scale and zero point of the range."""
        low, high = self.ends()
        return range_over(float(low.detach()), float(high.detach()))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        low, high = self.ends()
        scale = (high - low) / (HIGHEST - LOWEST)
        zero_point = _rounded(LOWEST - low / scale)
        return (_rounded(x / scale + zero_point).clamp(LOWEST, HIGHEST) - zero_point) * scale


def fitted_to_the_test_images(case: Case) -> Made:
    """Our ranges, fitted further to the test images; only activations are quantized.

    Raises:
        SamesightError: the network takes one image at a time.
    """
    torch.manual_seed(0)
    simulation = with_float_weights(case)
    if not simulation.batched:
        raise SamesightError("the network takes one image at a time; ranges are fitted in batches")
    start = {name: each.qparams for name, each in simulation.activations.items() if each.qparams is not None}
    judge = make_judge(simulation, case.test.pixels)
    simulation.quantize_constants(False)
    simulation.set_ranges(start)
    ranges = {id(each): LearnedRange(each.qparams) for each in simulation.activations.values() if each.qparams}
    kept = _stand(simulation, ranges)
    _learn(simulation, ranges, case.test.pixels, judge.expected, judge.energies)
    for site, activation in kept.items():
        activation.qparams = ranges[id(activation)].qparams()
        simulation.module.set_submodule(site, activation)
    return Made(of_simulation(simulation), 1.0)


def _rounded(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


def _stand(simulation: Simulation, ranges: Mapping[int, LearnedRange]) -> dict[str, Activation]:
    kept = {}
    for name, site in simulation.sites.items():
        activation = simulation.activations[name]
        if id(activation) in ranges:
            kept[site] = activation
            simulation.module.set_submodule(site, ranges[id(activation)])
    return kept


def _learn(
    simulation: Simulation,
    ranges: Mapping[int, LearnedRange],
    pixels: Tensor,
    expected: list[Tensor],
    energies: list[float],
) -> None:
    ends = [end for each in ranges.values() for end in (each.low, each.high)]
    optimizer = torch.optim.Adam(ends, RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        chosen = torch.randperm(len(pixels))[:BATCH]
        errors = zip(simulation.module(pixels[chosen]), expected, energies, strict=True)
        loss = torch.stack([(ours - wanted[chosen]).square().sum() / energy for ours, wanted, energy in errors]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
