"""Post-training quantization: steps that are each judged by the network's outputs and kept only where these gain.

The start is what PT2E does, ranges by its HistogramObserver and weights as they are, or ranges of all values that were
seen, with room for those of other images, where `range_start` finds these better. Half of the calibration images judge
what is tried beyond that; the others are what the steps are fitted to. Corrections of layers are judged by both halves,
each with what was fitted to the other. What comes out is a float program (other weights, perhaps) and the ranges of its
activations, from which `quantize` makes plain int8.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from samesight.conversion.preparation.prepare import Prepared, pixels_of
from samesight.conversion.qparams import QuantParams, UInt8
from samesight.conversion.quantization.activation_qparams import Ranges, exact_qparams
from samesight.conversion.quantization.altered_images import filled_up
from samesight.conversion.quantization.batches import free_the_batch
from samesight.conversion.quantization.equalization import equalizing_factors
from samesight.conversion.quantization.observed_values import observe
from samesight.conversion.quantization.output_noise import LEAST_GAIN_DB, Figures, Judge, joined, make_judge
from samesight.conversion.quantization.quantizer import LAYERS
from samesight.conversion.quantization.range_search import (
    Estimate,
    costly,
    estimated_costs,
    measured_ranges,
    refined_ranges,
)
from samesight.conversion.quantization.range_start import choose_start
from samesight.conversion.quantization.simulation import Simulation, attribute, simulate
from samesight.conversion.quantization.weight_rounding import correct_layers

JUDGING = 2
"""Every second image judges."""
LEAST_JUDGED = 3
MULTIPLICATIONS_OF_A_PASS = 10**9
LEAST_OF_A_PASS = 8
MEASURED, LEAST_MEASURED = 8, 2
"""Activations whose ranges are tried one by one, where a pass costs what it should and where it costs more."""
FITTED_PIXELS = 100 * 64 * 64
"""Of the images that layers are corrected with, whose values are all in memory at once. Altered copies, one of each,
fill them up."""
LEAST_FITTED = 8
CORRECTIONS = {"corrected biases": False, "rounding by layer outputs": True}
"""Whether weights are rounded anew too, by the step's name."""
EQUALIZING = 0.5
"""Strength: 1 would give channels equal ranges, and the weights behind them all of the unevenness."""


@dataclass(frozen=True)
class Step:
    """One step: its name in words, the outputs' signal-to-noise ratios in dB, and whether it was kept.

    Attributes:
        name: in words.
        before: dB of the best so far; None for the first step, which is the start.
        after: dB with the step.
        kept: whether the step is in the program.
    """

    name: str
    before: float | None
    after: float
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
    fitted: Judge
    fixed: dict[str, QuantParams]
    ranges: dict[str, QuantParams]
    reference: dict[str, Tensor]
    parameters: dict[str, Tensor]
    figures: Figures
    steps: list[Step]

    def try_step(self, name: str, change: Callable[[], Sequence[dict[str, QuantParams]]]) -> None:
        """Keep what `change` makes of the parameters, with the best of the ranges that it returns, if outputs gain."""
        tried: list[tuple[Figures, dict[str, QuantParams]]] = []
        for ranges in change():
            self.simulation.set_ranges(ranges)
            tried.append((self.judge.figures(self.simulation), ranges))
        if not tried:
            return
        figures, ranges = max(tried, key=lambda each: each[0].mixed)
        kept = figures.gains_on(self.figures, LEAST_GAIN_DB)
        self.steps.append(Step(name, self.figures.decibels, figures.decibels, kept))
        if kept:
            self.ranges, self.parameters, self.figures = ranges, self.simulation.parameters(), figures
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
    fixed = fixed_qparams(simulation, exact_qparams(prepared.module, prepared.spec.input))
    pixels = pixels_of(calibration)
    images = images_of_a_pass(prepared)
    most = max(LEAST_OF_A_PASS, images)
    fitting, judging = split(pixels, most)
    original = simulation.parameters()
    judge = make_judge(simulation, judging)
    fitted = judge if fitting is judging else make_judge(simulation, fitting)
    every = make_judge(simulation, pixels[: JUDGING * most])
    observed = observe(simulation, pixels.split(1), fixed)
    start = choose_start(simulation, observed, every)
    ranges = start.ranges(observed)
    simulation.set_ranges(ranges)
    figures = judge.figures(simulation)
    first = Step(start.name, None, figures.decibels, True)
    state = _State(simulation, judge, fitted, fixed, ranges, original, original, figures, [first])
    full = observed.full()
    roomy = {name: full[name] for group in observed.groups if group.output for name in group.names}
    if simulation.batched:
        equalize = partial(_equalize, prepared, state, pixels, start.wider)
        state.try_step("equalized channels", lambda: [each | roomy for each in equalize()])
        state.reference = state.parameters
    # Narrower ranges would take the room away again: the images that need it are hardly among the judges.
    if start.wider is None:
        estimates = _costs(state, roomy)
        state.try_step("ranges by output error", lambda: [refined_ranges(state.ranges | roomy, estimates)])
        if state.steps[-1].kept:
            estimates = _costs(state, roomy)
        most_measured = max(LEAST_MEASURED, min(MEASURED, MEASURED * images // LEAST_OF_A_PASS))
        if worst := costly(estimates)[:most_measured]:
            measure = partial(measured_ranges, simulation, state.ranges | roomy, worst, fitted)
            state.try_step("ranges one by one", lambda: [measure()])
    if simulation.batched:
        _try_corrections(state, pixels, state.ranges | roomy)
    changed, equal = (
        {name: parameter for name, parameter in parameters.items() if not torch.equal(parameter, original[name])}
        for parameters in (state.parameters, state.reference)
    )
    return Calibrated(Ranges(state.ranges), changed, equal, tuple(state.steps))


def fixed_qparams(simulation: Simulation, exact: dict[str, QuantParams]) -> dict[str, QuantParams]:
    """The scales and zero points `exact`, also of the values that share them, as a padding of the normalised image."""
    activations = simulation.activations
    known = {id(activations[name]): qparams for name, qparams in exact.items() if name in activations}
    return {name: known[id(activation)] for name, activation in activations.items() if id(activation) in known}


def split(pixels: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The images that steps are fitted to and those that judge, `most` of each; all do both where they are too few."""
    judges = torch.arange(len(pixels)) % JUDGING == JUDGING - 1
    if int(judges.sum()) < LEAST_JUDGED:
        return pixels, pixels
    return pixels[~judges][:most], pixels[judges][:most]


def images_of_a_pass(prepared: Prepared) -> int:
    """How many images make a pass over them cost about as much for every network; 0 where one image costs more."""
    multiplications = 0
    for node in prepared.module.graph.nodes:
        if node.op == "call_function" and node.target in LAYERS:
            result, weight = node.meta["val"], node.args[1].meta.get("val")
            inputs = weight[0].numel() if isinstance(weight, Tensor) else result.shape[-1]
            multiplications += result.numel() * inputs
    return MULTIPLICATIONS_OF_A_PASS // max(1, multiplications)


def _equalize(prepared: Prepared, state: _State, pixels: Tensor, wider: float | None) -> list[dict[str, QuantParams]]:
    simulation = state.simulation
    module = copy.deepcopy(prepared.module)
    free_the_batch(module)
    factors = equalizing_factors(module, simulation.chunks(state.fitted.pixels), EQUALIZING)
    if not factors:
        return []
    with torch.no_grad():
        for name, factor in factors.items():
            attribute(simulation.module, name).mul_(factor)
    full = observe(simulation, simulation.chunks(pixels), state.fixed).full(wider or 1.0)
    if wider is not None:
        return [full]
    # A histogram of the judging images too would clip no value that they have; others have such values.
    histogram = observe(simulation, simulation.chunks(state.fitted.pixels), state.fixed).histogram
    return [full, histogram]


def _costs(state: _State, roomy: dict[str, QuantParams]) -> list[Estimate]:
    fitted = state.fitted
    return estimated_costs(state.simulation, state.ranges | roomy, state.fixed, fitted.pixels, state.judge.energies)


def _try_corrections(state: _State, pixels: Tensor, ranges: dict[str, QuantParams]) -> None:
    """Keep the correction of layers that gains most on images that it was not fitted to; then fit it to all images.

    Each half of the images judges what was fitted to the other.
    """
    simulation = state.simulation
    fitting, judging = split(pixels, len(pixels))
    halves = [(fitting, state.judge)] + ([] if judging is fitting else [(judging, state.fitted)])
    start = joined([judge.figures(simulation) for _, judge in halves])
    simulation.set_ranges(ranges)
    tried = {}
    for name, rounding in CORRECTIONS.items():
        parts = []
        for images, judge in halves:
            _correct(state, images, rounding)
            parts.append(judge.figures(simulation))
        tried[name] = joined(parts)
    gaining = [name for name, figures in tried.items() if figures.gains_on(start, LEAST_GAIN_DB)]
    best = max(gaining, key=lambda name: tried[name].mixed, default=None)
    state.steps += [Step(name, start.decibels, each.decibels, name == best) for name, each in tried.items()]
    if best is not None:
        _correct(state, pixels, CORRECTIONS[best])
        state.ranges, state.parameters = ranges, simulation.parameters()
    simulation.load(state.parameters)
    simulation.set_ranges(state.ranges)


def _correct(state: _State, pixels: Tensor, rounding: bool) -> None:
    count = max(LEAST_FITTED, FITTED_PIXELS // (pixels.shape[2] * pixels.shape[3]))
    images = filled_up(pixels, min(count, 2 * len(pixels)))
    state.simulation.load(state.reference)
    correct_layers(state.simulation, state.reference, images, rounding)


def describe(steps: Sequence[Step]) -> str:
    """Every step: `ranges by histogram 38.4 dB; corrected biases 38.4 to 39.6 dB, kept; …`."""
    told = [
        f"{step.name} {step.after:.1f} dB"
        if step.before is None
        else f"{step.name} {step.before:.1f} to {step.after:.1f} dB, {'kept' if step.kept else 'not kept'}"
        for step in steps
    ]
    return "; ".join(told)
