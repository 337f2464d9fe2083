"""`samesight diagnose`: answers that somebody's code gave, beside those that the artifact gives here, and explained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from samesight.contract.answers import Answer
from samesight.contract.bundle import Bundle
from samesight.contract.documents import Document, Strict
from samesight.contract.errors import SamesightError
from samesight.contract.gates import gate_for
from samesight.contract.golden import GoldenCase
from samesight.contract.manifest import Artifact, Unit
from samesight.contract.spec import ModelSpec, Role
from samesight.conversion.npu.words import cannot_run_here
from samesight.conversion.parity.answer_distance import Float64, distances_of, rounding_of
from samesight.conversion.parity.causes import EXPLAINS, NOTHING_LEFT, Cause, rank
from samesight.conversion.parity.diagnosis import network_of
from samesight.conversion.parity.given_answers import Answered
from samesight.conversion.parity.hypotheses import Hypotheses, Network, Question, listing, picture_case
from samesight.conversion.parity.run import Progress
from samesight.conversion.qparams import Float32, QuantParams
from samesight.conversion.runners import runner_of
from samesight.conversion.runners.isolated import Runtimes
from samesight.conversion.runners.model import reference_artifact
from samesight.conversion.tasks.agreement import Agreement
from samesight.conversion.tasks.decoding_faults import decoded

DIAGNOSED = 32
"""Images on which faults are tried, half of them those that differ most."""
PIXELS = 100_000_000
"""Of all these images together; but `ENOUGH` images there are."""
DRAWS = 8
"""How often the noise that a gate allows is drawn."""
MARGIN = 2.0
"""Times the greatest distance that this noise made."""
STEPS = 1.0
"""Standard deviation of an int8 output between two runtimes, in steps: 95 % are within two."""
SURELY = 0.9
"""Where a fault explains so much of a difference, noise does not: it is one however small the difference is."""
ENOUGH = 8
"""Images from which on that is said."""
HALVES_DB = 40.0
"""The gate of half precision, which int8 files' float operators reach too."""
SHOWN = 5
HARDLY = 0.005
"""Confidences below it, and above 1 less it, are not told exactly: the sabotage suite has some hundred trials."""


class NamedCause(Strict):
    """A hypothesis: its confidence and the share of the difference that it explains, 0..1; `alike` cannot be told
    apart from it on these images.
    """

    name: str
    confidence: float
    explains: float
    alike: tuple[str, ...]


class Diagnosis(Document):
    """What was found.

    Attributes:
        artifact: whose answers they are said to be.
        compared_with: what answered here: the same, or the fp32 artifact where nothing here runs it.
        unit: on which they were given.
        images: how many were answered.
        agreement: the share of answers that are the same, by the gate of the precision; None without answers.
        score_difference: of those, the mean.
        distance: mean distance of the answers per image, 0..1 (docs/diagnosis.md).
        allowed: what right code may have.
        passed: nothing is wrong.
        causes: the likeliest first; empty where nothing differs.
    """

    schema_version: Literal[1] = 1
    artifact: str
    compared_with: str
    unit: Unit
    images: int
    agreement: float | None
    score_difference: float | None
    distance: float
    allowed: float
    passed: bool
    causes: tuple[NamedCause, ...]

    @property
    def cause(self) -> NamedCause | None:
        """The likeliest, where it is a known fault that explains at least half of the difference."""
        return self.causes[0] if self.causes and self.causes[0].explains >= EXPLAINS else None


def diagnose(
    bundle: Bundle,
    artifact: Artifact,
    images: Sequence[Answered],
    unit: Unit = "cpu",
    earlier: Mapping[str, Bundle] | None = None,
    image_code: bool = True,
    progress: Progress = lambda done, total: None,
) -> Diagnosis:
    """Compare given answers with the artifact's own and rank what may be wrong.

    Args:
        bundle: has the artifact.
        artifact: which was run.
        images: with the given answers.
        unit: what it ran on, which decides how much noise is right.
        earlier: bundles whose answers they may be, by name.
        image_code: False where the input tensor is known to be right.
        progress: counts the images, then the faults.

    Raises:
        SamesightError: nothing here runs the artifact or another of the bundle, or an earlier bundle has other labels.
    """
    compared, network, qparams = load_network(bundle, artifact)
    spec, given = bundle.spec, [image.answers for image in images]
    gate = gate_for(artifact.precision, unit)
    agreement, right, pixels = Agreement(spec.task, gate.iou), list[tuple[Answer, ...]](), list[int]()
    for number, image in enumerate(images):
        progress(number, len(images))
        picture = image.load()
        right.append(picture_case(picture, spec, network).answers)
        agreement.add(right[-1], image.answers)
        pixels.append(picture.width * picture.height)
    apart = distances_of(right, given, listing(spec))
    chosen = choose(apart, pixels)
    cases = [picture_case(images[number].load(), spec, network, number) for number in chosen]
    others = {name: _answers_of(other, spec, cases) for name, other in (earlier or {}).items()}
    hypotheses = Hypotheses(Question(spec, cases, network, image_code, True, qparams, others))
    faults = hypotheses.before() if float(apart.mean()) > NOTHING_LEFT else []
    for number, fault in enumerate(faults):
        progress(number, len(faults))
        hypotheses.variants(fault)
    noise = noise_db(artifact, unit) if compared is artifact else gate.snr_db
    judged = judge_answers(hypotheses, [given[number] for number in chosen], noise, float(apart.mean()))
    return Diagnosis(
        artifact=artifact.name,
        compared_with=compared.name,
        unit=unit,
        images=len(images),
        agreement=agreement.share,
        score_difference=agreement.score_difference,
        distance=judged.distance,
        allowed=judged.allowed,
        passed=judged.passed,
        causes=() if judged.passed else tuple(_plain(cause) for cause in judged.causes[:SHOWN]),
    )


@dataclass(frozen=True)
class Judged:
    """Given answers beside right ones: see `Diagnosis`."""

    distance: float
    allowed: float
    passed: bool
    causes: list[Cause]


def judge_answers(
    hypotheses: Hypotheses, given: Sequence[Sequence[Answer]], snr_db: float, distance: float | None = None
) -> Judged:
    """Whether given answers are right, but for the noise of a signal-to-noise ratio; and what explains them if not.

    `distance` is the mean over more images than these.
    """
    if distance is None:
        right = [case.answers for case in hypotheses.question.cases]
        distance = float(distances_of(right, given, hypotheses.spec).mean())
    allowed = allowed_distance(hypotheses.question, given, snr_db)
    causes = rank(hypotheses, given, allowed) if distance > NOTHING_LEFT else []
    return Judged(distance, allowed, distance <= allowed and not is_sure(causes, len(given)), causes)


def noise_db(artifact: Artifact, unit: Unit) -> float:
    """What float outputs may differ by between two machines: more than `HALVES_DB` in float32 alone."""
    return gate_for(artifact.precision, unit).snr_db if artifact.precision == "fp32" else HALVES_DB


def is_sure(causes: Sequence[Cause], images: int) -> bool:
    """Whether a fault explains nearly all of the difference: then it is one, however small the difference."""
    return bool(causes) and images >= ENOUGH and causes[0].explains >= SURELY


def choose(apart: Float64, pixels: Sequence[int]) -> list[int]:
    """The images on which faults are tried, in their order: all, or half those that differ most and half any.

    Of large photos there are fewer: every fault is applied to whole images.
    """
    count = min(DIAGNOSED, max(ENOUGH, PIXELS * len(pixels) // max(1, sum(pixels))))
    if len(apart) <= count:
        return list(range(len(apart)))
    most = np.argsort(-apart, kind="stable")[: count // 2]
    others = np.setdiff1d(np.arange(len(apart)), most)
    evenly = others[np.linspace(0, len(others) - 1, count - len(most)).round().astype(int)]
    return sorted([*most.tolist(), *evenly.tolist()])


def load_network(bundle: Bundle, artifact: Artifact) -> tuple[Artifact, Network, Mapping[Role, QuantParams]]:
    """The artifact as a function, or the fp32 artifact where nothing here runs it; with the artifact that it is.

    Raises:
        SamesightError: neither runs here.
    """
    missing = cannot_run_here(artifact) or runner_of(artifact.format, artifact.unit).missing()
    taken = reference_artifact(bundle) if missing else artifact
    if taken is None:
        raise SamesightError(f"{artifact.name}: {missing}, and the bundle has no fp32 artifact that runs here")
    model = Runtimes().load(runner_of(taken.format, taken.unit), bundle.path(taken), taken)
    network = network_of(model, floats=taken.input_layout in ("float32_nhwc", "float32_nchw"))
    assert network is not None
    return taken, network, model.qparams


def allowed_distance(question: Question, given: Sequence[Sequence[Answer]], snr_db: float) -> float:
    """The mean distance that right code on another machine may have: what noise on the raw outputs makes of it.

    Float outputs get noise at the signal-to-noise ratio of their gate, quantized ones a step.
    """
    generator = np.random.default_rng(0)
    cases, listed = question.cases, listing(question.spec)
    deviations = {role: _deviation(role, cases, snr_db, question.qparams) for role in listed.roles}
    right, largest = [case.answers for case in cases], 0.0
    rounded = rounding_of(given)
    for _ in range(DRAWS):
        noisy = []
        for case in cases:
            outputs: dict[Role, Float32] = {
                role: (values + generator.normal(0.0, deviations[role], values.shape)).astype(np.float32)
                for role, values in case.outputs.items()
            }
            noisy.append(rounded(decoded(case, listed, outputs)))
        largest = max(largest, float(distances_of(right, noisy, listed).mean()))
    return max(MARGIN * largest, 10 * NOTHING_LEFT)


def _deviation(role: Role, cases: Sequence[GoldenCase], snr_db: float, qparams: Mapping[Role, QuantParams]) -> float:
    if role in qparams:
        return STEPS * qparams[role].scale
    channels = cases[0].outputs[role].shape[-1]
    values = np.concatenate([case.outputs[role].reshape(-1, channels) for case in cases]).astype(np.float64)
    return float(np.sqrt(np.mean((values - values.mean(0)) ** 2))) * 10 ** (-snr_db / 20)


def _answers_of(bundle: Bundle, spec: ModelSpec, cases: Sequence[GoldenCase]) -> list[tuple[Answer, ...]]:
    """What another bundle's fp32 artifact answers.

    Raises:
        SamesightError: it has other labels.
    """
    if (bundle.spec.labels, bundle.spec.roles) != (spec.labels, spec.roles):
        raise SamesightError(f"--earlier {bundle.folder}: has other labels; give an earlier bundle of the same model")
    _, network, _ = load_network(bundle, reference_artifact(bundle) or bundle.manifest.artifacts[0])
    return [picture_case(case.picture, bundle.spec, network).answers for case in cases]


def _plain(cause: Cause) -> NamedCause:
    return NamedCause(
        name=cause.name, confidence=cause.confidence, explains=max(0.0, cause.explains), alike=cause.alike
    )


def sureness(confidence: float) -> str:
    """A confidence in words: never certain."""
    if confidence < HARDLY:
        return "< 1 %"
    return "> 99 %" if confidence > 1.0 - HARDLY else f"{100 * confidence:.0f} %"


def print_diagnosis(diagnosis: Diagnosis) -> str:
    """The diagnosis in a few lines."""
    here = (
        "this artifact gives" if diagnosis.compared_with == diagnosis.artifact else f"{diagnosis.compared_with} gives"
    )
    lines = [f"{diagnosis.artifact}: answers to {diagnosis.images} images, compared with what {here} here:"]
    if diagnosis.agreement is not None:
        lines.append(f"  answers agree on {diagnosis.agreement:6.1%}")
    if diagnosis.score_difference is not None:
        lines.append(f"  their scores     {diagnosis.score_difference:6.4f} apart on average")
    lines.append(f"  distance         {diagnosis.distance:.2g} (right code: up to {diagnosis.allowed:.2g})")
    if diagnosis.passed:
        return "\n".join([*lines, "  the same: nothing is wrong"])
    cause = diagnosis.cause
    lines.append(f"  different; {f'likely cause: {cause.name}' if cause else 'no known fault explains half of it'}")
    lines.append("  confidence  explains")
    for number, row in enumerate(diagnosis.causes):
        if number and row.confidence < HARDLY:
            break
        alike = f" (as would: {'; '.join(row.alike)})" if row.alike else ""
        lines.append(f"  {sureness(row.confidence):>10}  {row.explains:8.0%}  {row.name}{alike}")
    return "\n".join(lines)
