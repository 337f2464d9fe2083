"""Verifies artifacts against the server model and writes the verdicts.

A candidate turns a picture into raw outputs and answers; `run.py` runs candidates over the golden cases and the test
split, `judge.py` compares the figures with the gates of the precision.
"""

from collections.abc import Iterable, Sequence

from samesight.contract.bundle import Bundle
from samesight.contract.gates import gate_for
from samesight.contract.manifest import Artifact
from samesight.contract.verdicts import AppVerdict, FaultWarning, Verdict, Verdicts, failures
from samesight.conversion.known_faults.check import warnings_of
from samesight.conversion.network_checks.document import read_facts, with_facts
from samesight.conversion.parity.judge import Judgement, beside_cpu, beside_others, judge
from samesight.conversion.parity.results import Results, run_artifacts, save_results
from samesight.conversion.parity.run import Progress
from samesight.conversion.parity.targets import cpu_twin, merge_targets
from samesight.conversion.runners import runner_of
from samesight.conversion.workflow.cache import Cache


def judge_bundle(bundle: Bundle, results: Results) -> Verdicts:
    """The verdicts on all artifacts in `results`, in the manifest's order."""
    verdicts, facts = [], read_facts(bundle.folder)
    # An NPU rounds in its own way.
    npu = {artifact.name for artifact in bundle.manifest.artifacts if artifact.unit == "npu"}
    on_cpu = {name: record for name, record in results.records.items() if name not in npu}
    # Those of one precision come from one program.
    precisions = {artifact.name: artifact.precision for artifact in bundle.manifest.artifacts}
    for artifact in bundle.manifest.artifacts:
        if artifact.name in results.records:
            runner = runner_of(artifact.format, artifact.unit)
            record, gate = results.records[artifact.name], gate_for(artifact.precision, runner.unit)
            split = None if runner.compiled else results.split
            judgement = judge(record, bundle.spec, gate, results.cases, split)
            if runner.compiled:
                twin = cpu_twin(bundle.manifest.artifacts, artifact) if artifact.precision == "int8" else None
                if twin:
                    judgement = beside_cpu(judgement, record, results.records.get(twin.name), twin.name)
            else:
                alike = {name: one for name, one in on_cpu.items() if precisions[name] == artifact.precision}
                judgement = beside_others(judgement, record, alike, results.cases)
            warnings = with_facts(
                warnings_of(bundle.path(artifact), artifact.format), facts, artifact.format, artifact.precision
            )
            verdicts.append(_verdict(bundle, artifact, runner.title, judgement, warnings))
        elif artifact.name in results.unable:
            unable, reason = results.unable[artifact.name]
            verdicts.append(_verdict(bundle, artifact, unable, Judgement(False, False, reason, {})))
    return Verdicts(
        manifest_sha256=bundle.manifest_sha256(),
        passed=not failures(verdicts),
        artifacts=tuple(verdicts),
    )


def verify_bundle(
    bundle: Bundle,
    data: str | None = None,
    names: Sequence[str] | None = None,
    progress: Progress = lambda done, total: None,
    cache: Cache | None = None,
) -> Verdicts:
    """Run and judge the artifacts of a bundle (all, or those of `names`), and write `parity.json` when all were judged.

    Verdicts on apps and on targets that are there already are kept. The results of all artifacts are stored in `cache`,
    for `report`.

    Raises:
        SamesightError: the bundle's golden cases or test data contradict it.
    """
    results = run_artifacts(bundle, data, _with_twins(bundle, names), progress)
    verdicts = judge_bundle(bundle, results)
    if names:
        asked = tuple(verdict for verdict in verdicts.artifacts if verdict.name in names)
        verdicts = verdicts.model_copy(update={"artifacts": asked, "passed": not failures(asked)})
    if not names and data is None:
        if cache:
            save_results(bundle, results, cache)
        earlier = bundle.verdicts()
        if earlier:
            verdicts = merge_targets(merge_apps(verdicts, earlier.apps), earlier.targets)
        bundle.write_verdicts(verdicts)
    return verdicts


def merge_apps(verdicts: Verdicts, new: Iterable[AppVerdict]) -> Verdicts:
    """The verdicts with those on apps added; they replace earlier ones on the same app and device."""
    new = tuple(new)
    devices = {(verdict.app, verdict.device, verdict.system) for verdict in new}
    unaffected = tuple(old for old in verdicts.apps if (old.app, old.device, old.system) not in devices)
    apps = (*unaffected, *new)
    return verdicts.model_copy(
        update={"apps": apps, "passed": not failures(verdicts.artifacts, apps, verdicts.targets)}
    )


def _with_twins(bundle: Bundle, names: Sequence[str] | None) -> Sequence[str] | None:
    """The names with those of the artifacts that theirs are judged beside."""
    if not names:
        return names
    twins = (cpu_twin(bundle.manifest.artifacts, bundle.find(name)) for name in names)
    return list(dict.fromkeys([*names, *(twin.name for twin in twins if twin)]))


def _verdict(
    bundle: Bundle,
    artifact: Artifact,
    runner: str | None,
    judgement: Judgement,
    warnings: tuple[FaultWarning, ...] = (),
) -> Verdict:
    fp32_artifacts = [a for a in bundle.manifest.artifacts if a.format == artifact.format and a.precision == "fp32"]
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
        bytes_ratio=artifact.bytes / fp32_artifacts[0].bytes if fp32_artifacts else None,
        warnings=warnings,
        **{"cases": 0, **judgement.figures},
    )
