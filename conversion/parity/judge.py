"""Judges one candidate's record by the gates of its precision."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from samesight.contract.gates import STEPS_APART, Gate, gate_for
from samesight.contract.golden import GoldenCase
from samesight.contract.spec import ModelSpec
from samesight.contract.verdicts import MetricFigures, RoleFigures, Verdict
from samesight.conversion.parity.run import Record, TestSplit
from samesight.conversion.snr import role_figures
from samesight.conversion.tasks import TASKS
from samesight.conversion.tasks.agreement import Agreement
from samesight.conversion.tasks.bootstrap import RULE_OF_THREE, interval, sampled_metric

NEAR = 2
"""Steps of an int8 output that another processor's rounding may be away."""
LEAST_NEAR = 0.99
"""The share of int8 values that must be so near to this computer's."""
CLEARLY = 4.0
"""Times as much energy of noise (6 dB): then it is clear which of two artifacts departs from their program."""


@dataclass(frozen=True)
class Judgement:
    """The fields of a verdict that do not come from the artifact's entry in the manifest."""

    passed: bool
    inconclusive: bool
    reason: str
    figures: dict[str, Any]


def judge(
    record: Record, spec: ModelSpec, gate: Gate, cases: Sequence[GoldenCase], split: TestSplit | None
) -> Judgement:
    """Compare one candidate's record with the gates; the reason names every gate that was missed."""
    if record.error is not None:
        return Judgement(False, False, f"it did not run: {record.error}", {})
    task = TASKS[spec.task]
    roles = tuple(
        role_figures(
            role,
            [case.outputs[role] for case in cases],
            [outputs[role] for outputs in record.outputs],
            [task.answering(case.outputs, spec) for case in cases] if task.answering else None,
        )
        for role in spec.roles
    )
    agreement = Agreement(spec.task, gate.iou)
    for case, predicted in zip(cases, record.golden, strict=True):
        agreement.add(case.answers, predicted)
    metric = None
    whole, split = split, split.every(record.step) if split else None
    if split:
        for expected, predicted in zip(split.server.answers(spec.labels), record.test, strict=True):
            agreement.add(task.shown_answers(expected, spec), task.shown_answers(predicted, spec))
        metric = _metric(record, spec, split)
    agrees = agreement.share is None or agreement.share >= gate.agreement
    missed = [
        f"{figures.role} {figures.snr_db:.1f} dB is below {gate.snr_db:g} dB"
        for figures in roles
        if misses_noise_gate(figures, gate, agrees)
    ]
    tied = None
    if agreement.share is not None and not agrees:
        ties = count_ties(record, spec, gate, cases)
        said = f"answers agree on {agreement.share:{percent(agreement.share, gate.agreement)}}"
        if agreement.same + ties >= gate.agreement * agreement.all:
            tied = (
                f"inconclusive: {said}, but {ties:g} of those that differ are ties: the server's own margin is below "
                "the artifact's noise"
            )
        else:
            missed.append(f"{said}, below {gate.agreement:.1%}")
    if metric and metric.drop > gate.metric_drop:
        missed.append(f"{metric.name} loses {100 * metric.drop:.2f} points, more than {100 * gate.metric_drop:g}")
    inconclusive = metric is not None and metric.drop_low <= gate.metric_drop < metric.drop_high
    evidence = f"{len(cases)} golden cases and {metric.images} test images" if metric else "golden cases only"
    if whole and record.step > 1:
        evidence += f" of {len(whole.examples)}, for its runtime is slow on this computer"
    if metric and inconclusive and not missed:
        evidence += f"; {doubt(metric, gate)}"
    if tied and not missed:
        inconclusive, evidence = True, f"{evidence}; {tied}"
    figures = {
        "cases": len(cases),
        "roles": roles,
        "agreement": agreement.share,
        "mean_iou": agreement.mean_iou,
        "score_difference": agreement.score_difference,
        "metric": metric,
    }
    return Judgement(not missed, inconclusive, "; ".join(missed) or evidence, figures)


def misses_noise_gate(figures: RoleFigures, gate: Gate, agrees: bool) -> bool:
    """Whether an output is noisier than the gate allows.

    Positions of a detector that give no answer do not decide where the answers agree: their noise is below the
    threshold.
    """
    if figures.snr_db is None or figures.snr_db >= gate.snr_db:
        return False
    return not (agrees and figures.answering_db is not None and figures.answering_db >= gate.snr_db)


def count_ties(record: Record, spec: ModelSpec, gate: Gate, cases: Sequence[GoldenCase]) -> float:
    """How many answers on the golden cases differ where the artifact's noise decides, not its faults.

    The noise is two standard deviations of a difference of two logits, and no more than the gate allows.
    """
    channels = cases[0].outputs["logits"].shape[-1]
    expected = np.concatenate([case.outputs["logits"].reshape(-1, channels) for case in cases])
    actual = np.concatenate([outputs["logits"].reshape(-1, channels) for outputs in record.outputs])
    if actual.shape != expected.shape:
        return 0.0
    error = float(np.sqrt(np.mean(np.square(actual - expected, dtype=np.float64))))
    signal = float(np.sqrt(np.mean(np.square(expected - expected.mean(0), dtype=np.float64))))
    noise = 2.0 * math.sqrt(2.0) * min(error, signal * 10 ** (-gate.snr_db / 20))
    task = TASKS[spec.task]
    return sum(
        task.ties(case, predicted, spec, noise, gate.iou) for case, predicted in zip(cases, record.golden, strict=True)
    )


def percent(share: float, gate: float) -> str:
    """A format with enough digits to tell a share from the gate that it misses."""
    return next((f".{digits}%" for digits in (1, 2, 3) if f"{share:.{digits}%}" != f"{gate:.{digits}%}"), ".4%")


def doubt(metric: MetricFigures, gate: Gate) -> str:
    """Why a metric that keeps its gate does not prove it, and what would."""
    enough = math.ceil(RULE_OF_THREE / gate.metric_drop)
    proof = f"{enough:,} images without a loss" if metric.drop <= 0.0 and metric.images < enough else "more images"
    return (
        f"inconclusive: {metric.images} images leave room for a loss of {100 * metric.drop_high:.2f} points in "
        f"{metric.name} (95 %), more than {100 * gate.metric_drop:g}; {proof} would prove it"
    )


def metric_word(verdict: Verdict) -> Literal["pass", "inconclusive", "fail"] | None:
    """What an artifact's metric says of its gate; None without a metric.

    `inconclusive`: the loss that was seen keeps the gate, and the test images are too few to prove that others do.
    """
    if verdict.metric is None:
        return None
    gate = gate_for(verdict.precision, verdict.unit).metric_drop
    if verdict.metric.drop > gate:
        return "fail"
    return "inconclusive" if verdict.metric.drop_high > gate else "pass"


def _metric(record: Record, spec: ModelSpec, split: TestSplit) -> MetricFigures:
    """The task metric of server and candidate on the same images, with the interval of the loss."""
    server, server_samples = split.server_metric(spec)
    artifact, samples = sampled_metric(record.test, split.examples, spec)
    low, high = interval(server_samples, samples, len(record.test))
    return MetricFigures(
        name=split.server.metric_name,
        images=len(record.test),
        server=server,
        artifact=artifact,
        drop=server - artifact,
        drop_low=low,
        drop_high=high,
    )


def steps_apart(record: Record, other: Record) -> tuple[float, float] | None:
    """Mean and largest distance of two int8 artifacts' outputs over the golden cases, in steps of the first.

    Returns:
        the greater of the roles' means, and the largest of all; None unless both are quantized and ran.
    """
    if record.error or other.error or not record.qparams or set(record.qparams) != set(other.qparams):
        return None
    means, largest = [], 0.0
    for role, params in record.qparams.items():
        pairs = zip(record.outputs, other.outputs, strict=True)
        apart = np.concatenate([np.abs(a[role] - b[role]).ravel() for a, b in pairs]) / np.float32(params.scale)
        means.append(float(np.mean(apart)))
        largest = max(largest, float(np.max(apart, initial=0.0)))
    return max(means), largest


def shares_near(record: Record, here: Record) -> tuple[float, float] | None:
    """The shares of a record's int8 values that are another's, and that are within `NEAR` steps of it.

    None where one of them did not run, or nothing is quantized.
    """
    if record.error is not None or here.error is not None or not here.qparams:
        return None
    distances = [
        np.abs(actual[role] - expected[role]).ravel() / qparams.scale
        for role, qparams in here.qparams.items()
        for actual, expected in zip(record.outputs, here.outputs, strict=True)
    ]
    steps = np.round(np.concatenate(distances))
    return float(np.mean(steps == 0)), float(np.mean(steps <= NEAR))


def beside_cpu(judgement: Judgement, record: Record, cpu: Record | None, name: str) -> Judgement:
    """An int8 artifact for an NPU must give nearly what `name`, from the same program, gives on this CPU."""
    shares = shares_near(record, cpu) if cpu else None
    if shares is None:
        return judgement
    near = f"{shares[1]:.2%} of its values are within {NEAR} steps of {name}'s"
    if shares[1] >= LEAST_NEAR:
        return dataclasses.replace(judgement, reason=f"{judgement.reason}; {near}")
    missed = f"{near}, fewer than {LEAST_NEAR:.0%}"
    reason = missed if judgement.passed else f"{judgement.reason}; {missed}"
    return dataclasses.replace(judgement, passed=False, reason=reason)


def beside_others(
    judgement: Judgement, record: Record, records: dict[str, Record], cases: Sequence[GoldenCase]
) -> Judgement:
    """An int8 artifact must be near one other int8 artifact of the bundle: all come from one quantized program.

    Where two are alone and apart, the one that is clearly nearer to the server model is not blamed for the other.
    """
    distances = {name: steps_apart(record, other) for name, other in records.items() if other is not record}
    known = {name: distance for name, distance in distances.items() if distance is not None}
    if not known:
        return judgement
    nearest = min(known, key=known.__getitem__)
    mean_apart, largest = known[nearest]
    figures = {**judgement.figures, "steps_apart": mean_apart, "largest_steps_apart": largest}
    if mean_apart <= STEPS_APART:
        return dataclasses.replace(judgement, figures=figures)
    if judgement.passed and all(noise_of(record, cases) * CLEARLY < noise_of(records[name], cases) for name in known):
        reason = f"{judgement.reason}; {mean_apart:.2f} steps from {nearest}, which is the one that departs"
        return dataclasses.replace(judgement, figures=figures, reason=reason)
    missed = f"outputs are {mean_apart:.2f} steps from every other file of its program, more than {STEPS_APART:g}"
    reason = missed if judgement.passed else f"{judgement.reason}; {missed}"
    return dataclasses.replace(judgement, passed=False, reason=reason, figures=figures)


def noise_of(record: Record, cases: Sequence[GoldenCase]) -> float:
    """The greatest mean squared error of a role against the server model, over the golden cases."""
    return max(
        float(
            np.mean(
                [
                    np.mean(np.square(outputs[role] - case.outputs[role], dtype=np.float64))
                    for case, outputs in zip(cases, record.outputs, strict=True)
                ]
            )
        )
        for role in record.qparams
    )
