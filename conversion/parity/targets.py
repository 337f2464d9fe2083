"""Artifacts on what plays a phone's CPU, GPU or NPU here: the golden cases, against the server and this computer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from samesight.contract.bundle import Bundle
from samesight.contract.errors import SamesightError, first_line
from samesight.contract.gates import gate_for
from samesight.contract.golden import GoldenCase
from samesight.contract.manifest import Artifact
from samesight.contract.verdicts import TargetVerdict, Verdicts, failures
from samesight.conversion.npu.words import cannot_run_here, plan_note
from samesight.conversion.parity.judge import LEAST_NEAR, NEAR, judge, shares_near
from samesight.conversion.parity.run import Record, artifact_candidate, run_candidates
from samesight.conversion.runners import runner_of, runners_of_target
from samesight.conversion.runners.interface import Runner
from samesight.conversion.runners.isolated import IsolatedModel, Runtimes

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Work:
    """One artifact on one runner."""

    artifact: Artifact
    runner: Runner


def work_of(bundle: Bundle, targets: Sequence[str], names: Sequence[str] | None = None) -> list[Work]:
    """What runs on these targets: every artifact of their formats, on every runner that plays them.

    Raises:
        UsageError: no such target.
        SamesightError: no such artifact, a target is not installed, or nothing of the bundle is for it.
    """
    artifacts = [bundle.find(name) for name in names] if names else bundle.manifest.artifacts
    work = []
    for target in dict.fromkeys(targets):
        rows = runners_of_target(target)
        if missing := next((reason for row in rows if (reason := row.missing())), None):
            raise SamesightError(f"--runner {target}: {missing}")
        for_it = [Work(artifact, row) for artifact in artifacts for row in rows if row.runs(artifact)]
        reasons = {one.artifact.name: reason for one in for_it if (reason := cannot_run_here(one.artifact))}
        for_it = [one for one in for_it if one.artifact.name not in reasons]
        if reasons and not for_it:
            raise SamesightError(f"{bundle.folder}: {'; '.join(f'{name}: {text}' for name, text in reasons.items())}")
        if not for_it:
            formats = ", ".join(dict.fromkeys(name for row in rows for name in row.formats))
            raise SamesightError(f"{bundle.folder}: has nothing that {target} runs; convert --to {formats}")
        work += for_it
    return work


def verify_on_targets(
    bundle: Bundle, work: Sequence[Work], progress: Progress = lambda done, total: None
) -> tuple[TargetVerdict, ...]:
    """Run and judge; a verdict for each piece of work, in its order.

    Raises:
        SamesightError: the golden cases contradict the bundle.
    """
    cases, here = bundle.golden_cases(), dict[str, Record]()
    runtimes, verdicts = Runtimes(), []
    for done, one in enumerate(work):
        progress(done, len(work))
        verdicts.append(_verify(bundle, one, cases, runtimes, here))
    progress(len(work), len(work))
    return tuple(verdicts)


def merge_targets(verdicts: Verdicts, new: Iterable[TargetVerdict]) -> Verdicts:
    """The verdicts with those on targets added; they replace earlier ones of the same artifact and runner."""
    new = tuple(new)
    replaced = {(verdict.name, verdict.runner) for verdict in new}
    kept = tuple(old for old in verdicts.targets if (old.name, old.runner) not in replaced)
    targets = (*kept, *new)
    passed = not failures(verdicts.artifacts, verdicts.apps, targets)
    return verdicts.model_copy(update={"targets": targets, "passed": passed})


def cpu_twin(artifacts: Iterable[Artifact], artifact: Artifact) -> Artifact | None:
    """The artifact whose values on this CPU those of another unit are held against: itself, unless that is an NPU's."""
    if artifact.unit != "npu":
        return artifact
    same = (artifact.format, artifact.precision, "cpu")
    return next((one for one in artifacts if (one.format, one.precision, one.unit) == same), None)


def _verify(
    bundle: Bundle, work: Work, cases: Sequence[GoldenCase], runtimes: Runtimes, here: dict[str, Record]
) -> TargetVerdict:
    artifact, runner = work.artifact, work.runner
    verdict = TargetVerdict(
        target=str(runner.target),
        runner=runner.name,
        title=runner.title,
        name=artifact.name,
        unit=runner.unit,
        passed=False,
        reason="",
    )
    try:
        model = runtimes.load(runner, bundle.path(artifact), artifact)
        verdict = verdict.model_copy(update={"note": model.note or plan_note(artifact)})
        record = _run(bundle, model, cases)
    except SamesightError as error:
        return verdict.model_copy(update={"reason": f"it does not run: {first_line(error)}"})
    if record.error is not None:
        return verdict.model_copy(update={"reason": f"it does not run: {record.error}"})
    judgement = judge(record, bundle.spec, gate_for(artifact.precision, runner.unit), cases, None)
    roles = judgement.figures["roles"]
    figures = {
        "passed": judgement.passed,
        "reason": judgement.reason,
        "images": len(cases),
        "snr_db": min((role.snr_db for role in roles if role.snr_db is not None), default=None),
        "agreement": judgement.figures["agreement"],
    }
    on_cpu = cpu_twin(bundle.manifest.artifacts, artifact) if artifact.precision == "int8" else None
    if on_cpu:
        if on_cpu.name not in here:
            default = runtimes.load(runner_of(on_cpu.format), bundle.path(on_cpu), on_cpu)
            here[on_cpu.name] = _run(bundle, default, cases)
            here[on_cpu.name].qparams = default.qparams
        equal, near = shares_near(record, here[on_cpu.name]) or (None, None)
        figures |= {"equal": equal, "near": near}
        if judgement.passed and near is not None and near < LEAST_NEAR:
            figures["passed"] = False
            figures["reason"] = (
                f"{near:.2%} of its values are within {NEAR} steps of this computer's, fewer than {LEAST_NEAR:.0%}"
            )
    return verdict.model_copy(update=figures)


def _run(bundle: Bundle, model: IsolatedModel, cases: Sequence[GoldenCase]) -> Record:
    return run_candidates({"model": artifact_candidate(model)}, bundle.spec, cases, None)["model"]
