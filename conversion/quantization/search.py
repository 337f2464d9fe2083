"""Finds the recipe with the smallest weights that still answers as the float program does.

1. Plain int8 is taken where it meets the budget. Else each layer alone is int8: how much noise reaches the outputs says
   how much it suffers.
2. Layers leave int8 in the order of noise per byte until the judged images meet the budget (by bisection).
3. Each that left comes back as near to int8 as the budget allows, the largest first.

Trials run in the simulation of the int8 program (`simulation.py`), which takes batches.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
from torch import Tensor

from samesight.contract.answers import Answer, answers
from samesight.contract.errors import SamesightError
from samesight.contract.gates import Gate
from samesight.contract.preprocess import Geometry
from samesight.contract.spec import ModelSpec, Role
from samesight.conversion.preparation.prepare import Prepared
from samesight.conversion.qparams import Float32
from samesight.conversion.quantization.layers import Layer, fingerprint_of, layers_of, weight_bytes
from samesight.conversion.quantization.mixed import parameters_for
from samesight.conversion.quantization.quantize import Quantized
from samesight.conversion.quantization.recipe import Found, FoundLayer, Recipe
from samesight.conversion.quantization.schemes import SCHEMES, Scheme
from samesight.conversion.quantization.simulation import simulate
from samesight.conversion.snr import ratios, role_figures
from samesight.conversion.tasks import TASKS
from samesight.conversion.tasks.agreement import Agreement
from samesight.conversion.tasks.bootstrap import metric_value
from samesight.datasets.example import LabelledImage

ALONE = 32
"""Images on which each layer alone is measured."""
MARGIN_DB = 3.0
"""More than the gate asks for: the golden cases are tinted and noisy, and lose that much more."""

OnStep = Callable[[str], None]
Outputs = dict[Role, Float32]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The images that judge.

    Attributes:
        pixels: float32 [n,C,H,W], values 0..255, the contract's input.
        geometries: of each image.
        examples: the labelled images; empty where there are no labels.
    """

    pixels: Tensor
    geometries: Sequence[Geometry]
    examples: Sequence[LabelledImage] = ()


@dataclass(frozen=True)
class Budget:
    """What a recipe may cost: points (0..100) of the metric, and bytes of a file; None for any number."""

    max_drop: float
    max_bytes: int | None = None


@dataclass(frozen=True)
class Trial:
    """What the images say of one recipe; `drop` in 0..1, None without labels."""

    snr_db: float | None
    agreement: float | None
    drop: float | None
    passed: bool


def search(
    plain: Quantized,
    evidence: Evidence,
    schemes: Sequence[Scheme],
    gate: Gate,
    budget: Budget,
    on_step: OnStep = lambda text: None,
) -> Recipe:
    """Find a recipe.

    Args:
        plain: the int8 program.
        evidence: images that neither training nor the final figure uses.
        schemes: those that a layer may have; int8 and float are always among them.
        gate: what the outputs and answers must reach.
        budget: what the metric may lose, and how large a file may be.
        on_step: called with what is done now.

    Raises:
        SamesightError: no recipe meets the budget; the sentence says what the best one costs.
    """
    on_step("running the float program")
    trials = _Trials(plain, evidence, gate, budget)
    on_step("trying plain int8")
    chosen = trials.recipe({})
    if not trials.run(chosen).passed:
        chosen = _shortest_list(trials, _by_suffering(trials, on_step), on_step)
        chosen = _brought_back(trials, chosen, [scheme for scheme in SCHEMES if scheme in schemes], on_step)
    trial = trials.run(chosen)
    size = weight_bytes(trials.layers, chosen)
    if budget.max_bytes is not None and size > budget.max_bytes:
        raise SamesightError(_too_large(trials, trial, size))
    return Recipe(
        model=plain.spec.name,
        network=fingerprint_of(trials.layers),
        layers=chosen,
        max_drop=budget.max_drop if evidence.examples else None,
        found=Found(
            images=len(evidence.geometries),
            metric_name=TASKS[plain.spec.task].metric_name if evidence.examples else None,
            server=trials.server_metric,
            drop=trial.drop,
            agreement=trial.agreement,
            snr_db=trial.snr_db,
            weight_bytes=size,
            layers={layer.name: trials.found(layer, chosen[layer.name]) for layer in trials.layers},
        ),
    )


def _by_suffering(trials: "_Trials", on_step: OnStep) -> list[Layer]:
    """The layers by the noise that int8 puts into the outputs, for each byte that float would cost."""
    noise = {}
    for number, layer in enumerate(trials.layers):
        on_step(f"{_bar(number, len(trials.layers))} layer {number + 1} of {len(trials.layers)} alone: {layer.name}")
        cost = max(1, layer.bytes("float") - layer.bytes("int8"))
        noise[layer.name] = trials.noise_of(layer) / cost
    return sorted(trials.layers, key=lambda layer: -noise[layer.name])


def _shortest_list(trials: "_Trials", ranked: Sequence[Layer], on_step: OnStep) -> dict[str, Scheme]:
    """The first layers of the list in float, as few as meet the budget."""

    def first(count: int) -> dict[str, Scheme]:
        return trials.recipe({layer.name: "float" for layer in ranked[:count]})

    low, high = 0, len(ranked)
    while high - low > 1:
        middle = (low + high) // 2
        on_step(f"trying {middle} of {len(ranked)} layers in float")
        if trials.run(first(middle)).passed:
            high = middle
        else:
            low = middle
    return first(high)


def _brought_back(
    trials: "_Trials", chosen: dict[str, Scheme], schemes: Sequence[Scheme], on_step: OnStep
) -> dict[str, Scheme]:
    """The recipe with each float layer in the first of `schemes` that the budget allows, the largest first."""
    left = sorted(
        (layer for layer in trials.layers if chosen[layer.name] == "float"), key=lambda each: -each.bytes("int8")
    )
    for number, layer in enumerate(left):
        for scheme in schemes[: schemes.index("float")]:
            on_step(f"{_bar(number, len(left))} trying {layer.name} in {scheme}")
            if trials.run(nearer := {**chosen, layer.name: scheme}).passed:
                chosen = nearer
                break
    return chosen


def _too_large(trials: "_Trials", trial: Trial, size: int) -> str:
    budget, plain = trials.budget, trials.recipe({})
    smallest = trials.run(plain)
    plain_size = weight_bytes(trials.layers, plain)
    return (
        f"no recipe meets the budget: the smallest that was found loses {_points(trial)}, with weights of "
        f"{size:,} bytes, and --max-size allows a file of {budget.max_bytes:,}; plain int8 has {plain_size:,} "
        f"and loses {_points(smallest)}. Allow more of --max-size or --max-drop, or fine-tune the network with "
        "`samesight train --qat`"
    )


def _points(trial: Trial) -> str:
    if trial.drop is not None:
        return f"{100 * trial.drop:.2f} points"
    return "nothing that is known without labels" if trial.snr_db is None else f"to {trial.snr_db:.1f} dB"


def _bar(done: int, total: int, width: int = 20) -> str:
    filled = width * done // max(1, total)
    return "━" * filled + "─" * (width - filled)


@dataclass(eq=False)
class _Trials:
    """Runs recipes on the evidence; each once."""

    plain: Quantized
    evidence: Evidence
    gate: Gate
    budget: Budget
    results: dict[tuple[Scheme, ...], Trial] = field(default_factory=dict)
    noises: dict[str, float] = field(default_factory=dict)

    @cached_property
    def layers(self) -> list[Layer]:
        return layers_of(self.prepared.module)

    @property
    def prepared(self) -> Prepared:
        return self.plain.source

    @property
    def spec(self) -> ModelSpec:
        return self.plain.spec

    def recipe(self, others: Mapping[str, Scheme]) -> dict[str, Scheme]:
        """All layers in int8 but for `others`, by name."""
        return {layer.name: others.get(layer.name, "int8") for layer in self.layers}

    def run(self, recipe: Mapping[str, Scheme]) -> Trial:
        """Judge a recipe, by the layers' names."""
        key = tuple(recipe[layer.name] for layer in self.layers)
        if key not in self.results:
            self.results[key] = self._judge(self._outputs(recipe, self.evidence.pixels))
        return self.results[key]

    def noise_of(self, layer: Layer) -> float:
        """The noise that reaches the outputs when this layer alone is int8, the sum over roles of noise / signal."""
        only: dict[str, Scheme] = {each.name: "float" for each in self.layers}
        outputs = self._outputs({**only, layer.name: "int8"}, self.evidence.pixels[:ALONE])
        noise = sum(
            10 ** (-ratios(self._server_outputs[role][:ALONE], outputs[role])[0] / 10) for role in self.spec.roles
        )
        self.noises[layer.name] = noise
        return noise

    def found(self, layer: Layer, scheme: Scheme) -> FoundLayer:
        """What is known of a layer now."""
        noise = self.noises.get(layer.name)
        decibels = round(-10 * math.log10(noise), 1) if noise else None
        return FoundLayer(scheme=scheme, weights=math.prod(layer.weights), alone_db=decibels)

    def _outputs(self, recipe: Mapping[str, Scheme], pixels: Tensor) -> Outputs:
        """Float32 [n, ...] per role."""
        schemes = {layer.node: recipe[layer.name] for layer in self.layers}
        simulation = simulate(self.prepared, schemes)
        simulation.load({**simulation.parameters(), **parameters_for(self.prepared.module, self.plain, schemes)})
        known = self.plain.ranges.tensors
        simulation.set_ranges({name: known[name] for name in simulation.activations if name in known})
        return dict(zip(self.spec.roles, (role.numpy() for role in simulation.outputs(pixels)), strict=True))

    @cached_property
    def _server_outputs(self) -> Outputs:
        return self._outputs({layer.name: "float" for layer in self.layers}, self.evidence.pixels)

    @cached_property
    def _server_answers(self) -> list[list[Answer]]:
        return self._answers(self._server_outputs)

    @cached_property
    def server_metric(self) -> float | None:
        """The float program's metric, 0..1; None without labels."""
        return self._metric(self._server_answers)

    def _answers(self, outputs: Outputs) -> list[list[Answer]]:
        spec = TASKS[self.spec.task].ranking_spec(self.spec)
        return [answers(self._image(outputs, n), spec, geometry) for n, geometry in enumerate(self.evidence.geometries)]

    @staticmethod
    def _image(outputs: Outputs, number: int) -> Outputs:
        return {role: np.ascontiguousarray(values[number : number + 1]) for role, values in outputs.items()}

    def _metric(self, predictions: Sequence[Sequence[Answer]]) -> float | None:
        spec = TASKS[self.spec.task].ranking_spec(self.spec)
        return metric_value(predictions, self.evidence.examples, spec) if self.evidence.examples else None

    def _judge(self, outputs: Outputs) -> Trial:
        task, predictions = TASKS[self.spec.task], self._answers(outputs)
        agreement = Agreement(self.spec.task, self.gate.iou)
        for expected, predicted in zip(self._server_answers, predictions, strict=True):
            agreement.add(task.shown_answers(expected, self.spec), task.shown_answers(predicted, self.spec))
        metric = self._metric(predictions)
        drop = None if metric is None else cast("float", self.server_metric) - metric
        agrees = agreement.share is None or agreement.share >= self.gate.agreement
        decibels = self._decibels(outputs, agrees)
        passed = (
            agrees
            and (decibels is None or decibels >= self.gate.snr_db + MARGIN_DB)
            and (drop is None or drop <= min(self.budget.max_drop / 100, self.gate.metric_drop))
        )
        return Trial(decibels, agreement.share, drop, passed)

    def _decibels(self, outputs: Outputs, agrees: bool) -> float | None:
        """The least ratio of an output; where answers agree, positions that answer nothing do not count."""
        task, least = TASKS[self.spec.task], []
        images = range(len(self.evidence.geometries))
        for role in self.spec.roles:
            expected, actual = self._server_outputs[role], outputs[role]
            masks = None
            if task.answering and agrees:
                masks = [task.answering(self._image(self._server_outputs, number), self.spec) for number in images]
            figures = role_figures(
                role, [expected[n : n + 1] for n in images], [actual[n : n + 1] for n in images], masks
            )
            if figures.snr_db is not None:
                least.append(max(figures.snr_db, figures.answering_db or figures.snr_db))
        return min(least, default=None)
