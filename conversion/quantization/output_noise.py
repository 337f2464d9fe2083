"""How far a simulated int8 program is from the float program: the judge of every calibration step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from samesight.conversion.quantization.simulation import Simulation
from samesight.conversion.snr import decibels

MOST_DB = 150.0
"""Of an image whose outputs are equal."""


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

    def decibels(self, simulation: Simulation) -> float:
        """Signal-to-noise ratio in dB, the mean over images and outputs; the signal is that of all images.

        The mean of decibels, not of noise: a step is not judged by the one image that it happens to help.
        """
        outputs = simulation.outputs(self.pixels)
        ratios = [
            min(MOST_DB, decibels(energy / len(expected), float((one.double() - other).square().sum())))
            for output, expected, energy in zip(outputs, self.expected, self.energies, strict=True)
            for one, other in zip(output, expected, strict=True)
        ]
        return sum(ratios) / len(ratios)


def make_judge(simulation: Simulation, pixels: Tensor) -> Judge:
    """The judge with the outputs that the simulation gives before anything is quantized."""
    simulation.in_float()
    expected = simulation.outputs(pixels)
    for weight in simulation.weights.values():
        weight.active = True
    energies = []
    for output in expected:
        channels = output.reshape(-1, output.shape[-1]).double()
        energies.append(max(float((channels - channels.mean(0)).square().sum()), torch.finfo(torch.float32).tiny))
    return Judge(pixels, expected, energies)
