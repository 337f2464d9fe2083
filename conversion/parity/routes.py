"""The routes to one format side by side: parity, bytes, operators and speed of the same network, in one run."""

from collections import Counter
from collections.abc import Callable
from typing import Literal

from samesight.contract.bundle import Bundle
from samesight.contract.documents import Document, Strict
from samesight.contract.errors import SamesightError
from samesight.contract.manifest import Artifact
from samesight.contract.verdicts import Verdict, Verdicts
from samesight.conversion.formats import FORMATS, route_of
from samesight.conversion.known_faults.readers import READERS
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.runners.bench import Latency, bench_bundle

TRANSPOSE = "TRANSPOSE"


class RouteFigures(Strict):
    """One artifact of one route.

    `route` is the converter's name. `snr_db` is None where all outputs are exact, or nothing ran. `operators` counts
    those of the file by their kind, `transposes` those that only turn tensors. `median_ms` and `ratio` are one
    inference here: the ratio to `Routes.reference`, measured in turn with it.
    """

    name: str
    route: str
    precision: str
    passed: bool | None
    reason: str
    snr_db: float | None
    agreement: float | None
    metric: float | None
    bytes: int
    operators: dict[str, int]
    transposes: int
    median_ms: float | None
    ratio: float | None


class Routes(Document):
    """All of them; `failed` says why an artifact could not be made. Ratios are this CPU's, not a phone's."""

    schema_version: Literal[1] = 1
    model: str
    cpu: str
    reference: str
    artifacts: tuple[RouteFigures, ...]
    failed: dict[str, str]


def compare_routes(
    bundle: Bundle,
    verdicts: Verdicts,
    failed: dict[str, str],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Routes:
    """Time the artifacts of a bundle in turn, count their operators, and put both beside their verdicts.

    Args:
        bundle: of one format, by several routes.
        verdicts: on all of its artifacts.
        failed: what could not be made, and why.
        progress: of the timing.

    Raises:
        SamesightError: no artifact runs here.
    """
    latencies = bench_bundle(bundle, progress=progress)
    timed = {latency.name: latency for latency in latencies.artifacts}
    judged = {verdict.name: verdict for verdict in verdicts.artifacts}
    order: list[str] = list(PRECISIONS)
    artifacts = sorted(bundle.manifest.artifacts, key=lambda artifact: order.index(artifact.precision))
    return Routes(
        model=bundle.spec.name,
        cpu=latencies.cpu,
        reference=latencies.reference,
        artifacts=tuple(_figures(bundle, each, judged[each.name], timed.get(each.name)) for each in artifacts),
        failed=failed,
    )


def _figures(bundle: Bundle, artifact: Artifact, verdict: Verdict, latency: Latency | None) -> RouteFigures:
    try:
        operators = Counter(operator.kind for operator in READERS[artifact.format](bundle.path(artifact)).operators)
    except (KeyError, SamesightError):  # the verdict says that the file is damaged
        operators = Counter()
    return RouteFigures(
        name=artifact.name,
        route=route_of(artifact.tools) or FORMATS[artifact.format].packages[0],
        precision=artifact.precision,
        passed=verdict.passed,
        reason=verdict.reason,
        snr_db=verdict.snr_db,
        agreement=verdict.agreement,
        metric=verdict.metric.artifact if verdict.metric else None,
        bytes=artifact.bytes,
        operators=dict(operators.most_common()),
        transposes=operators[TRANSPOSE],
        median_ms=latency.median_ms if latency else None,
        ratio=latency.ratio if latency else None,
    )
