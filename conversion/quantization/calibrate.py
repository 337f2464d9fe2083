"""Post-training quantization: steps that are each judged by the network's outputs and kept only where these gain.

Half of the calibration images judge; the others are what the steps are fitted to. What comes out is a float
program (other weights, perhaps) and the ranges of its activations, from which `quantize` makes plain int8.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from samesight.conversion.preparation.prepare import Prepared, pixels_of
from samesight.conversion.qparams import QuantParams, UInt8
from samesight.conversion.quantization.activation_qparams import Ranges, exact_qparams
from samesight.conversion.quantization.batches import free_the_batch
from samesight.conversion.quantization.equalization import equalizing_factors
from samesight.conversion.quantization.output_noise import Judge, make_judge
from samesight.conversion.quantization.range_search import search_ranges
from samesight.conversion.quantization.simulation import Simulation, attribute, simulate
from samesight.conversion.quantization.weight_rounding import correct_layers

JUDGING = 2
"""Every second image judges."""
LEAST_JUDGED = 3
LEAST_GAIN_DB = 0.05
COMPARED_PIXELS = 24 * 64 * 64
"""Of the images on which ranges are compared, which costs ten times a run."""
LEAST_COMPARED = 6
FITTED_PIXELS = 100 * 64 * 64
"""Of the images that layers are corrected with, whose values are all in memory at once."""
LEAST_FITTED = 8


@dataclass(frozen=True)
class Step:
    """One step: its name in words, the outputs' signal-to-noise ratio behind it in dB, and whether it was kept."""

    name: str
    decibels: float
    kept: bool


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The ranges of activations, the parameters that differ from the prepared program's, and what was tried.

    With the parameters `equal` the float program computes what it did; `parameters` are for int8 alone.
    """

    ranges: Ranges
    parameters: dict[str, Tensor]
    equal: dict[str, Tensor]
    steps: tuple[Step, ...]


@dataclass(eq=False)
class _State:
    """The simulation and the best that was found for it; with the `reference` parameters it is the float program."""

    simulation: Simulation
    judge: Judge
    fitting: Tensor
    fixed: dict[str, QuantParams]
    ranges: dict[str, QuantParams]
    reference: dict[str, Tensor]
    parameters: dict[str, Tensor]
    decibels: float
    steps: list[Step]

    def try_step(self, name: str, change: Callable[[], dict[str, QuantParams]]) -> None:
        """Keep what `change` makes of the parameters, with the ranges that it returns, if the outputs gain."""
        ranges = change()
        self.simulation.set_ranges(ranges)
        decibels = self.judge.decibels(self.simulation)
        kept = decibels > self.decibels + LEAST_GAIN_DB
        self.steps.append(Step(name, decibels, kept))
        if kept:
            self.ranges, self.parameters, self.decibels = ranges, self.simulation.parameters(), decibels
        else:
            self.simulation.load(self.parameters)
            self.simulation.set_ranges(self.ranges)


def calibrate(prepared: Prepared, calibration: UInt8) -> Calibrated:
    """Find ranges and weights for int8.

    Args:
        prepared: the float program.
        calibration: uint8 [n,H,W,C], the contract's input tensors, n >= 1.
    """
    simulation = simulate(prepared)
    fixed = exact_qparams(prepared.module, prepared.spec.input)
    pixels = pixels_of(calibration)
    fitting, judging = split(pixels)
    original = simulation.parameters()
    judge = make_judge(simulation, judging)
    found = search_ranges(simulation, fitting, judge, compared(judging), fixed)
    simulation.set_ranges(found.local)
    decibels = judge.decibels(simulation)
    first = Step("ranges of least rounding error", decibels, True)
    state = _State(simulation, judge, fitting, fixed, found.local, original, original, decibels, [first])
    state.try_step("ranges by output error", lambda: found.by_output)
    if simulation.batched:
        state.try_step("equalized channels", lambda: _equalize(prepared, state))
        state.reference = state.parameters
        state.try_step("corrected biases", lambda: _correct(state, rounding=False))
        state.try_step("rounding by layer outputs", lambda: _correct(state, rounding=True))
    changed, equal = (
        {name: parameter for name, parameter in parameters.items() if not torch.equal(parameter, original[name])}
        for parameters in (state.parameters, state.reference)
    )
    return Calibrated(Ranges(state.ranges), changed, equal, tuple(state.steps))


def split(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The images that steps are fitted to and those that judge; all do both where they are too few."""
    judges = torch.arange(len(pixels)) % JUDGING == JUDGING - 1
    if int(judges.sum()) < LEAST_JUDGED:
        return pixels, pixels
    return pixels[~judges], pixels[judges]


def compared(judging: Tensor) -> int:
    """How many images ranges are compared on."""
    return max(LEAST_COMPARED, COMPARED_PIXELS // (judging.shape[2] * judging.shape[3]))


def _equalize(prepared: Prepared, state: _State) -> dict[str, QuantParams]:
    simulation = state.simulation
    module = copy.deepcopy(prepared.module)
    free_the_batch(module)
    factors = equalizing_factors(module, simulation.chunks(state.fitting), 0.5)
    if not factors:
        return state.ranges
    with torch.no_grad():
        for name, factor in factors.items():
            attribute(simulation.module, name).mul_(factor)
    return search_ranges(simulation, state.fitting, state.judge, compared(state.judge.pixels), state.fixed).by_output


def _correct(state: _State, rounding: bool) -> dict[str, QuantParams]:
    count = max(LEAST_FITTED, FITTED_PIXELS // (state.fitting.shape[2] * state.fitting.shape[3]))
    state.simulation.load(state.reference)
    correct_layers(state.simulation, state.reference, state.fitting[:count], rounding)
    return state.ranges


def describe(steps: Sequence[Step]) -> str:
    """The kept steps and what each bought: `ranges of least rounding error 38.4 dB, corrected biases +1.2 dB`."""
    told: list[str] = []
    before = 0.0
    for step in steps:
        if step.kept:
            told.append(f"{step.name} {f'{step.decibels - before:+.1f}' if told else f'{step.decibels:.1f}'} dB")
            before = step.decibels
    return ", ".join(told)
