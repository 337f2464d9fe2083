"""Each artifact against the server model: a verdict that cannot pass by accident.

A candidate turns a picture into raw outputs and answers; `measuring` runs candidates over the golden cases and the test
split, `judging` holds the figures against the gates of the precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from contract.bundle import Bundle
from contract.golden import GoldenCase
from contract.manifest import Artifact
from contract.verdicts import Verdict, Verdicts, failures
from conversion.data_split import find_test_split
from conversion.devices import merge_apps
from conversion.formats import FORMATS
from conversion.formats.interface import Runner
from conversion.gates import GATES
from conversion.judging import Judgement, beside_others, judge
from conversion.measuring import Progress, Record, TestSplit, artifact_candidate, measure


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


def judge_bundle(bundle: Bundle, seen: Observations) -> Verdicts:
    """The verdicts on all artifacts that were observed, in the manifest's order."""
    verdicts = []
    for artifact in bundle.manifest.artifacts:
        if artifact.name in seen.records:
            record, gate = seen.records[artifact.name], GATES[artifact.precision]
            judgement = beside_others(judge(record, bundle.spec, gate, seen.cases, seen.split), record, seen.records)
            runner = FORMATS[artifact.format].runner or artifact.runtime
            verdicts.append(_verdict(bundle, artifact, runner, judgement))
        elif artifact.name in seen.unable:
            unable, reason = seen.unable[artifact.name]
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
) -> Verdicts:
    """Run and judge the artifacts of a bundle (all, or those of `names`), and write `parity.json` when all were judged.

    Verdicts on apps that are there already are kept.

    Raises:
        SamesightError: the bundle's golden cases or test data contradict it.
    """
    result = judge_bundle(bundle, observe_bundle(bundle, data, names, progress))
    if not names and data is None:
        earlier = bundle.verdicts()
        result = merge_apps(result, earlier.apps) if earlier else result
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
