"""The ranges that calibration starts from: a histogram's, as PT2E's, or all values seen and room for those of others.

Which of them is decided by cross-validation, since no range can be judged by images that it was taken from: with the
ranges of all images but a fifth, that fifth is run. Networks differ by several dB in how much further a few images of
a hundred others reach.
"""

from dataclasses import dataclass

import torch

from samesight.conversion.qparams import QuantParams
from samesight.conversion.quantization.observed_values import Observed, ends_of, range_over
from samesight.conversion.quantization.output_noise import LEAST_GAIN_DB, Figures, Judge
from samesight.conversion.quantization.simulation import Simulation

FOLDS = 5
WIDER = (1.0, 1.1, 1.25, 1.5)
LEAST_IMAGES = 10
"""With fewer, a range of four fifths of them says too little of the range of all."""


@dataclass(frozen=True, eq=False)
class Start:
    """Where calibration starts.

    Attributes:
        wider: how many times as wide as all values that were seen; None for the histogram's ranges.
        crossed: by `wider`, how near the outputs of images are with the ranges of others; empty for few images.
    """

    wider: float | None
    crossed: dict[float | None, Figures]

    def ranges(self, observed: Observed) -> dict[str, QuantParams]:
        """The ranges of observed images."""
        return observed.histogram if self.wider is None else observed.full(self.wider)

    @property
    def name(self) -> str:
        """In words."""
        if self.wider is None:
            return "ranges by histogram"
        gain = f"for unseen images {self.crossed[None].decibels:.1f} to {self.crossed[self.wider].decibels:.1f} dB"
        more = "" if self.wider == 1 else f", {100 * (self.wider - 1):.0f} % wider"
        return f"ranges of all values{more} ({gain})"


def choose_start(simulation: Simulation, observed: Observed, judge: Judge) -> Start:
    """The ranges that are best for images that they were not taken from.

    Args:
        simulation: of the program; its ranges are changed.
        observed: the values of all images, one image a chunk.
        judge: with the first of those images, or all.
    """
    if len(observed.lows) < LEAST_IMAGES:
        return Start(None, {})
    crossed = {wider: _crossed(simulation, observed, judge, wider) for wider in (None, *WIDER)}
    best = max(crossed, key=lambda wider: crossed[wider].mixed)
    gains = crossed[best].mixed >= crossed[None].mixed + LEAST_GAIN_DB
    return Start(best if gains else None, crossed)


def _crossed(simulation: Simulation, observed: Observed, judge: Judge, wider: float | None) -> Figures:
    noises = torch.zeros(len(judge.energies), len(judge.pixels), dtype=torch.float64)
    for fold in range(FOLDS):
        left_out = torch.arange(len(observed.lows)) % FOLDS == fold
        chosen = left_out[: len(judge.pixels)]
        if chosen.any():
            full = observed.full(1.0 if wider is None else wider, left_out)
            simulation.set_ranges(full if wider else _within(observed, full))
            noises[:, chosen] = judge.of(chosen).figures(simulation).noises
    return Figures(noises, torch.tensor(judge.energies, dtype=torch.float64))


def _within(observed: Observed, others: dict[str, QuantParams]) -> dict[str, QuantParams]:
    """The histogram's ranges as far as fewer images reach; those of outputs of one value per channel are `others`."""
    within = dict(others)
    for group in observed.groups:
        if not group.output:
            (low, high), (least, largest) = (ends_of(each[group.names[0]]) for each in (observed.histogram, others))
            within |= dict.fromkeys(group.names, range_over(max(low, least), min(high, largest)))
    return within
