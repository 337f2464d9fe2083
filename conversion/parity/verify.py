"""Each artifact against the server model: a verdict that cannot pass by accident.

A candidate turns a picture into raw outputs and answers; `measuring` runs candidates over the golden cases and the test
split, `judging` holds the figures against the gates of the precision.
"""

from collections.abc import Sequence

from samesight.contract.bundle import Bundle
from samesight.contract.gates import GATES
from samesight.contract.manifest import Artifact
from samesight.contract.verdicts import Verdict, Verdicts, failures
from samesight.conversion.apps.device_results import merge_apps
from samesight.conversion.formats import FORMATS
from samesight.conversion.parity.judge import Judgement, beside_others, judge
from samesight.conversion.parity.results import Observations, keep, observe_bundle
from samesight.conversion.parity.run import Progress
from samesight.conversion.workflow.cache import Cache


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
    cache: Cache | None = None,
) -> Verdicts:
    """Run and judge the artifacts of a bundle (all, or those of `names`), and write `parity.json` when all were judged.

    Verdicts on apps that are there already are kept. A `cache` keeps what all artifacts gave, for `report`.

    Raises:
        SamesightError: the bundle's golden cases or test data contradict it.
    """
    seen = observe_bundle(bundle, data, names, progress)
    result = judge_bundle(bundle, seen)
    if not names and data is None:
        if cache:
            keep(bundle, seen, cache)
        earlier = bundle.verdicts()
        result = merge_apps(result, earlier.apps) if earlier else result
        bundle.write_verdicts(result)
    return result


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
