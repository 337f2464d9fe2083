"""How far a simulated int8 program is from the float program: the judge of every calibration step."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from samesight.conversion.quantization.simulation import Simulation

LEAST_GAIN_DB = 0.05

CERTAINTY = 1.0
"""Standard errors by which a gain has to differ from zero."""

MOST_DB = 150.0
"""Of an image whose outputs are equal."""


@dataclass(frozen=True, eq=False)
class Figures:
    """How near a program's outputs are to the float program's, on some images.

    Attributes:
        noises: float64 [roles, images], the squared error of each output of each image.
        energies: float64 [roles], the energy of the float program's outputs for all images about each channel's mean.
    """

    noises: Tensor
    energies: Tensor

    @property
    def decibels(self) -> float:
        """Signal-to-noise ratio of all images together, the mean over the outputs, as the report has it."""
        return float(_decibels(self.energies, self.noises.sum(1)).mean())

    @property
    def mixed(self) -> float:
        """The mean of `decibels`, which a few images of large values can decide, and of the mean over images."""
        return float(self._mixed(self.noises))

    def gains_on(self, other: "Figures", least: float) -> bool:
        """Whether this is better than `other` by `least` dB and by more than may be chance.

        `decibels` may not be worse. `mixed` has to be better, and by more than its standard error, as found by
        leaving out each image in turn (the jackknife).
        """
        gain = self.mixed - other.mixed
        count = self.noises.shape[1]
        if count > 1:
            without = [self.noises[:, torch.arange(count) != image] for image in range(count)]
            others = [other.noises[:, torch.arange(count) != image] for image in range(count)]
            gains = torch.stack([self._mixed(a) - self._mixed(b) for a, b in zip(without, others, strict=True)])
            least = max(least, CERTAINTY * float(((count - 1) * gains.var(correction=0)).sqrt()))
        return self.decibels >= other.decibels and gain >= least

    def _mixed(self, noises: Tensor) -> Tensor:
        energies = self.energies / self.noises.shape[1]
        whole = _decibels(energies, noises.mean(1)).mean()
        typical = _decibels(energies[:, None], noises).mean()
        return (whole + typical) / 2


def _decibels(energies: Tensor, noises: Tensor) -> Tensor:
    return (10 * torch.log10(energies / noises.clamp(min=1e-300))).clamp(max=MOST_DB)


def joined(parts: Sequence[Figures]) -> Figures:
    """The figures of all images of all parts."""
    return Figures(torch.cat([part.noises for part in parts], 1), torch.stack([part.energies for part in parts]).sum(0))


@dataclass(frozen=True, eq=False)
class Judge:
    """Images that no step was fitted to, and the float program's outputs for them.

    Attributes:
        pixels: float32 [n,C,H,W], values 0..255.
        expected: one tensor per role.
        energies: per role, the energy of the expected output about each channel's mean.
    """

    pixels: Tensor
    expected: list[Tensor]
    energies: list[float]

    def figures(self, simulation: Simulation) -> Figures:
        """How near the simulated program's outputs are to the float program's."""
        outputs = simulation.outputs(self.pixels)
        noises = [
            (output.double() - expected).square().flatten(1).sum(1)
            for output, expected in zip(outputs, self.expected, strict=True)
        ]
        return Figures(torch.stack(noises), torch.tensor(self.energies, dtype=torch.float64))

    def of(self, chosen: Tensor) -> "Judge":
        """The judge with some of its images, bool [n]; energies stay those of all."""
        return Judge(self.pixels[chosen], [expected[chosen] for expected in self.expected], self.energies)


def make_judge(simulation: Simulation, pixels: Tensor) -> Judge:
    """The judge with the outputs that the simulation gives before anything is quantized."""
    simulation.in_float()
    expected = simulation.outputs(pixels)
    simulation.quantize_constants(True)
    energies = []
    for output in expected:
        channels = output.reshape(-1, output.shape[-1]).double()
        energies.append(max(float((channels - channels.mean(0)).square().sum()), torch.finfo(torch.float32).tiny))
    return Judge(pixels, expected, energies)
