"""Each artifact against the server model: a verdict that cannot pass by accident.

A candidate turns a picture into raw outputs and answers; `measure` runs candidates over the golden cases and the test
split, `judge` holds the figures against the gates of the precision.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from contract.answers import Answer, answers
from contract.bundle import Bundle
from contract.detection import reaches_threshold
from contract.errors import SamesightError
from contract.golden import GoldenCase
from contract.image import Picture
from contract.manifest import Artifact
from contract.orientation import Orientation
from contract.preprocess import Geometry, preprocess
from contract.spec import ModelSpec, Role, Task
from contract.verdicts import MetricFigures, Verdict, Verdicts
from conversion.comparison import Agreement, role_figures
from conversion.formats import FORMATS
from conversion.formats.interface import Quantum, Runner
from conversion.gates import GATES, QUANTA_APART, Gate
from conversion.metrics import (
    average_precision,
    interval,
    match_image,
    mean,
    metric_spec,
    sample_weights,
    top1_hits,
    weighted_precision,
)
from conversion.server_answers import ServerAnswers, fingerprint_of, read_server_answers, server_answers

UInt8 = npt.NDArray[np.uint8]
METRIC_NAMES: dict[Task, Literal["top1", "map50"]] = {"classification": "top1", "detection": "map50"}
Outputs = dict[Role, npt.NDArray[np.float32]]
Progress = Callable[[int, int], None]


class Candidate(Protocol):
    """What is judged: from a picture (and the contract's own tensor of it) to raw outputs and a way to read them."""

    def __call__(self, picture: Picture, tensor: UInt8, geometry: Geometry) -> tuple[Outputs, Geometry]:
        """Raw outputs per role, and the geometry by which their boxes are mapped back."""
        ...


def artifact_candidate(run: Runner) -> Candidate:
    """An artifact behind the contract's own preprocessing."""
    return lambda picture, tensor, geometry: (run(tensor), geometry)


@dataclass
class TestSplit:
    """Labelled images that no training saw, and the server model's answers on them, image by image."""

    examples: Sequence[Any]
    server: ServerAnswers
    name: str
    _metric: tuple[float, npt.NDArray[np.float64]] | None = None

    def server_metric(self, spec: ModelSpec) -> tuple[float, npt.NDArray[np.float64]]:
        """`task_metric` of the server model, reckoned once."""
        if self._metric is None:
            self._metric = task_metric(self.server.answers(spec.labels), self.examples, spec)
        return self._metric


@dataclass
class Record:
    """What one candidate gave: outputs and answers per golden case, answers per test image; or why it broke."""

    outputs: list[Outputs] = field(default_factory=list)
    golden: list[list[Answer]] = field(default_factory=list)
    test: list[list[Answer]] = field(default_factory=list)
    broke: str | None = None
    quanta: Mapping[Role, Quantum] = field(default_factory=dict)


def measure(
    candidates: dict[str, Candidate],
    spec: ModelSpec,
    cases: Sequence[GoldenCase],
    split: TestSplit | None,
    progress: Progress = lambda done, total: None,
) -> dict[str, Record]:
    """Run every candidate over all golden cases and test images; each image is prepared once.

    Raises:
        SamesightError: the contract here does not make a golden case's tensor; then no figure would mean anything.
    """
    records = {name: Record() for name in candidates}
    total = len(cases) + (len(split.examples) if split else 0)
    for done, case in enumerate(cases):
        progress(done, total)
        tensor, geometry = preprocess(case.picture, spec.input)
        if not np.array_equal(tensor, case.tensor):
            raise SamesightError(
                f"golden case {case.id}: the contract makes another input tensor of its image than the bundle holds; "
                "model.json was changed, or another version of the contract made the bundle: convert again"
            )
        for name, candidate in candidates.items():
            _observe(records[name], candidate, case.picture, tensor, geometry, spec, golden=True)
    for done, example in enumerate(split.examples if split else ()):
        progress(len(cases) + done, total)
        picture = Picture(example.pixels, Orientation(0, False))
        tensor, geometry = preprocess(picture, spec.input)
        for name, candidate in candidates.items():
            _observe(records[name], candidate, picture, tensor, geometry, metric_spec(spec), golden=False)
    progress(total, total)
    return records


def _observe(
    record: Record,
    candidate: Candidate,
    picture: Picture,
    tensor: UInt8,
    geometry: Geometry,
    spec: ModelSpec,
    golden: bool,
) -> None:
    if record.broke is not None:
        return
    try:
        outputs, geometry = candidate(picture, tensor, geometry)
        given = answers(outputs, spec, geometry)
    except Exception as error:  # a runtime may fail in any way; it is this artifact's verdict
        record.broke = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        return
    if golden:
        record.outputs.append(outputs)
        record.golden.append(given)
    else:
        record.test.append(given)


@dataclass(frozen=True)
class Judgement:
    """All that a verdict says beyond the artifact's own description."""

    passed: bool
    inconclusive: bool
    reason: str
    figures: dict[str, Any]


def judge(
    record: Record, spec: ModelSpec, gate: Gate, cases: Sequence[GoldenCase], split: TestSplit | None
) -> Judgement:
    """Hold one candidate's record against the gates; the reason names every gate that was missed."""
    if record.broke is not None:
        return Judgement(False, False, f"it did not run: {record.broke}", {})
    roles = tuple(
        role_figures(
            role,
            [case.outputs[role] for case in cases],
            [outputs[role] for outputs in record.outputs],
            [reaches_threshold(case.outputs, spec) for case in cases] if spec.task == "detection" else None,
        )
        for role in spec.roles
    )
    agreement = Agreement(gate.iou)
    for case, given in zip(cases, record.golden, strict=True):
        agreement.add(case.answers, given)
    metric = None
    if split:
        for served, given in zip(split.server.answers(spec.labels), record.test, strict=True):
            agreement.add(_confident(served, spec), _confident(given, spec))
        metric = _metric(record, spec, split)
    missed = [
        f"{figures.role} {figures.snr_db:.1f} dB is below {gate.snr_db:g} dB"
        for figures in roles
        if figures.snr_db is not None and figures.snr_db < gate.snr_db
    ]
    if agreement.share is not None and agreement.share < gate.agreement:
        missed.append(f"answers agree on {agreement.share:.1%}, below {gate.agreement:.1%}")
    if metric and metric.drop > gate.metric_drop:
        missed.append(f"{metric.name} loses {100 * metric.drop:.2f} points, more than {100 * gate.metric_drop:g}")
    inconclusive = metric is not None and metric.drop_low <= gate.metric_drop < metric.drop_high
    seen = f"{len(cases)} golden cases and {metric.images} test images" if metric else "golden cases only"
    figures = {
        "cases": len(cases),
        "roles": roles,
        "agreement": agreement.share,
        "mean_iou": agreement.mean_iou,
        "score_difference": agreement.score_difference,
        "metric": metric,
    }
    return Judgement(not missed, inconclusive, "; ".join(missed) or seen, figures)


def task_metric(
    given: Sequence[Sequence[Answer]], examples: Sequence[Any], spec: ModelSpec
) -> tuple[float, npt.NDArray[np.float64]]:
    """Top-1 or mAP50 (0..1) of answers given under `metric_spec`, and the same on bootstrap samples of the images."""
    if spec.task == "classification":
        hits = top1_hits(given, [example.label for example in examples])
        return mean(hits), sample_weights(len(hits)) @ np.array(hits) / max(1, len(hits))
    matches = [
        match_image(found, example.boxes, example.labels, len(spec.labels))
        for found, example in zip(given, examples, strict=True)
    ]
    return average_precision(matches), weighted_precision(matches, sample_weights(len(matches)))


def _metric(record: Record, spec: ModelSpec, split: TestSplit) -> MetricFigures:
    """The task metric of server and candidate on the same images, with the interval of what is lost."""
    server, server_samples = split.server_metric(spec)
    artifact, samples = task_metric(record.test, split.examples, spec)
    low, high = interval(server_samples, samples)
    return MetricFigures(
        name=split.server.metric_name,
        images=len(record.test),
        server=server,
        artifact=artifact,
        drop=server - artifact,
        drop_low=low,
        drop_high=high,
    )


def _confident(given: Sequence[Answer], spec: ModelSpec) -> list[Answer]:
    if spec.detection is None:
        return list(given)
    return [answer for answer in given if answer.score >= spec.detection.score_threshold]


def find_test_split(bundle: Bundle, data: str | None = None) -> TestSplit | None:
    """The bundle's own test split, made again from its source and seed, or all images of other data.

    On other data the server model is asked through the bundle's `.pt2`, which is its program unchanged.

    Returns:
        None for a bundle that was made without test data.

    Raises:
        SamesightError: the data is not what the server model answered, or other data and no `.pt2`.
    """
    from training.data import open_data

    server, source = read_server_answers(bundle.folder), bundle.manifest.data
    if data is not None and (source is None or data != source.source):
        found = open_data(data, bundle.spec.task, source.seed if source else 0)
        if found.labels != bundle.spec.labels:
            raise SamesightError(f"{data}: its labels are not the model's ({', '.join(bundle.spec.labels[:5])} …)")
        examples = [*found.train, *found.validation, *found.test]
        return TestSplit(examples, _ask_server(bundle, examples), data)
    if server is None or source is None:
        return None
    own = open_data(source.source, bundle.spec.task, source.seed).test
    if len(own) != len(server.images):
        raise SamesightError(
            f"{source.source}: has {len(own)} test images, the server model answered {len(server.images)}; "
            "give the data that the run was trained on"
        )
    if fingerprint_of(own) != server.fingerprint:
        raise SamesightError(
            f"{source.source}: its test images are not those that the server model answered (the data or the code that "
            "makes them was changed); convert again"
        )
    return TestSplit(own, server, source.source)


def _ask_server(bundle: Bundle, examples: Sequence[Any]) -> ServerAnswers:
    program = next((a for a in bundle.manifest.artifacts if a.format == "exported"), None)
    if program is None:
        raise SamesightError(
            f"{bundle.folder}: has no .pt2, through which the server model answers other data; convert --to pt2 too"
        )
    spec = metric_spec(bundle.spec)
    candidate = artifact_candidate(FORMATS[program.format].load_module().load(bundle.path(program), program))
    split = TestSplit(examples, server_answers("top1", 0.0, []), "")
    record = measure({"server": candidate}, spec, [], split)["server"]
    if record.broke:
        raise SamesightError(f"{program.name}: {record.broke}; convert again")
    return server_answers(METRIC_NAMES[spec.task], task_metric(record.test, examples, spec)[0], record.test)


@dataclass(frozen=True)
class Observations:
    """What the artifacts of a bundle gave when they were run here.

    `records` has those that loaded (an artifact may still have broken on the way, see `Record.broke`); `unable` says of
    the others why not, and whether a runner exists here at all.
    """

    cases: list[GoldenCase]
    split: TestSplit | None
    records: dict[str, Record]
    unable: dict[str, tuple[str | None, str]]


def observe_bundle(
    bundle: Bundle,
    data: str | None = None,
    names: Sequence[str] | None = None,
    progress: Progress = lambda done, total: None,
) -> Observations:
    """Run the artifacts of a bundle (all, or those of `names`) over its golden cases and the test split.

    Raises:
        SamesightError: the bundle's golden cases or test data contradict it.
    """
    cases, split = bundle.golden_cases(), find_test_split(bundle, data)
    runners: dict[str, Runner] = {}
    unable: dict[str, tuple[str | None, str]] = {}
    for artifact in _chosen(bundle, names):
        row = FORMATS[artifact.format]
        if lacking := row.lacking(row.runtime):
            unable[artifact.name] = None, lacking
            continue
        try:
            runners[artifact.name] = row.load_module().load(bundle.path(artifact), artifact)
        except Exception as error:  # whatever a runtime throws is this artifact's verdict
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            unable[artifact.name] = row.runner or artifact.runtime, f"it does not load: {reason}"
    candidates = {name: artifact_candidate(run) for name, run in runners.items()}
    records = measure(candidates, bundle.spec, cases, split, progress)
    for name, run in runners.items():
        records[name].quanta = run.quanta
    return Observations(cases, split, records, unable)


def quanta_apart(record: Record, other: Record) -> tuple[float, float] | None:
    """Mean and largest distance of two int8 artifacts' outputs over the golden cases, in quanta of the first.

    Returns:
        the greater of the roles' means, and the largest of all; None unless both are quantized and ran.
    """
    if record.broke or other.broke or not record.quanta or set(record.quanta) != set(other.quanta):
        return None
    means, largest = [], 0.0
    for role, quantum in record.quanta.items():
        pairs = zip(record.outputs, other.outputs, strict=True)
        apart = np.concatenate([np.abs(a[role] - b[role]).ravel() for a, b in pairs]) / np.float32(quantum.scale)
        means.append(float(np.mean(apart)))
        largest = max(largest, float(np.max(apart, initial=0.0)))
    return max(means), largest


def _beside_others(judgement: Judgement, record: Record, records: dict[str, Record]) -> Judgement:
    """An int8 artifact must be near one other int8 artifact of the bundle: all come from one quantized program."""
    distances = [quanta_apart(record, other) for other in records.values() if other is not record]
    known = [distance for distance in distances if distance is not None]
    if not known:
        return judgement
    mean_apart, largest = min(known)
    figures = {**judgement.figures, "quanta_apart": mean_apart, "largest_quanta_apart": largest}
    if mean_apart <= QUANTA_APART:
        return dataclasses.replace(judgement, figures=figures)
    missed = f"outputs are {mean_apart:.2f} quanta from every other int8 artifact's, more than {QUANTA_APART:g}"
    reason = missed if judgement.passed else f"{judgement.reason}; {missed}"
    return dataclasses.replace(judgement, passed=False, reason=reason, figures=figures)


def judge_bundle(bundle: Bundle, seen: Observations) -> Verdicts:
    """The verdicts on all artifacts that were observed, in the manifest's order."""
    verdicts = []
    for artifact in bundle.manifest.artifacts:
        if artifact.name in seen.records:
            record, gate = seen.records[artifact.name], GATES[artifact.precision]
            judgement = _beside_others(judge(record, bundle.spec, gate, seen.cases, seen.split), record, seen.records)
            runner = FORMATS[artifact.format].runner or artifact.runtime
            verdicts.append(_verdict(bundle, artifact, runner, judgement))
        elif artifact.name in seen.unable:
            unable, reason = seen.unable[artifact.name]
            verdicts.append(_verdict(bundle, artifact, unable, Judgement(False, False, reason, {})))
    return Verdicts(
        manifest_sha256=bundle.manifest_sha256(),
        passed=all(verdict.passed is not False for verdict in verdicts),
        artifacts=tuple(verdicts),
    )


def verify_bundle(
    bundle: Bundle,
    data: str | None = None,
    names: Sequence[str] | None = None,
    progress: Progress = lambda done, total: None,
) -> Verdicts:
    """Run and judge the artifacts of a bundle (all, or those of `names`), and write `parity.json` when all were judged.

    Raises:
        SamesightError: the bundle's golden cases or test data contradict it.
    """
    result = judge_bundle(bundle, observe_bundle(bundle, data, names, progress))
    if not names and data is None:
        bundle.write_verdicts(result)
    return result


def _chosen(bundle: Bundle, names: Sequence[str] | None) -> list[Artifact]:
    return [bundle.find(name) for name in names] if names else list(bundle.manifest.artifacts)


def _verdict(bundle: Bundle, artifact: Artifact, runner: str | None, judgement: Judgement) -> Verdict:
    whole = [a for a in bundle.manifest.artifacts if a.format == artifact.format and a.precision == "fp32"]
    return Verdict(
        name=artifact.name,
        format=artifact.format,
        precision=artifact.precision,
        unit=artifact.unit,
        runner=runner,
        passed=judgement.passed if runner else None,
        inconclusive=judgement.inconclusive,
        reason=judgement.reason,
        bytes=artifact.bytes,
        bytes_ratio=artifact.bytes / whole[0].bytes if whole else None,
        **{"cases": 0, **judgement.figures},
    )
