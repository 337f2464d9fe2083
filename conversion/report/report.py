"""One self-contained HTML page about a bundle: verdicts, figures, and images with the answers of all artifacts.

The page loads nothing and runs no script; its own content security policy forbids both. The same results, verdicts,
latencies and machine give the same bytes.
"""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from samesight.contract.bundle import REPORT, Bundle
from samesight.contract.errors import SamesightError
from samesight.contract.files import write_atomically
from samesight.contract.verdicts import Verdicts
from samesight.conversion.parity.layer_view import LayerView, load_layers
from samesight.conversion.parity.results import Results, load_results, run_artifacts
from samesight.conversion.parity.verify import judge_bundle
from samesight.conversion.report.page import Machine, make_page
from samesight.conversion.report.text import plural
from samesight.conversion.runners.bench import Latencies, bench_bundle, cpu_name
from samesight.conversion.workflow.cache import Cache

TEMPLATES = Path(__file__).parent / "templates"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Report:
    """A page that was written; `passed` is None where no artifact could be run."""

    path: Path
    bytes: int
    passed: bool | None
    failed: tuple[str, ...]
    not_run: tuple[str, ...]


def this_machine() -> Machine:
    """The machine on which this runs."""
    return Machine(cpu_name(), f"{platform.system()} {platform.machine()}")


def report_bundle(
    bundle: Bundle,
    out: Path | None = None,
    latencies: Latencies | None = None,
    measure_latency: bool = True,
    cache: Cache | None = None,
    progress: Progress = lambda title, done, total: None,
) -> Report:
    """Write the page, with the answers that the artifacts gave when they were verified, or now if they were not.

    The verdicts are those of `parity.json`; where it is missing or about another manifest, the artifacts are judged now
    and `parity.json` is written.

    Args:
        bundle: an opened bundle.
        out: the page's file; by default `report.html` in the bundle.
        latencies: of this bundle, by `bench_bundle`.
        cache: where `verify_bundle` has stored the artifacts' results, and `verify --layers` its figures; None: the
            artifacts run now, and there is no picture of the layers.
        measure_latency: whether to time the artifacts here when `latencies` is None.
        progress: called with a title of the current work, the steps done and the number of steps.

    Raises:
        SamesightError: golden cases or data contradict the bundle, `latencies` are another bundle's, or the page
            cannot be written.
    """
    names = {artifact.name for artifact in bundle.manifest.artifacts}
    foreign = [latency.name for latency in latencies.artifacts if latency.name not in names] if latencies else []
    if foreign:
        raise SamesightError(f"{bundle.folder}: has no artifact {foreign[0]!r}, which the latencies name; time it anew")
    results = load_results(bundle, cache) if cache else None
    if results is None:
        results = run_artifacts(bundle, progress=lambda done, total: progress("running the artifacts", done, total))
    verdicts = bundle.verdicts()
    if verdicts is None:
        progress("judging", 0, 1)
        verdicts = judge_bundle(bundle, results)
        bundle.write_verdicts(verdicts)
    running = [name for name, record in results.records.items() if record.error is None]
    if latencies is None and measure_latency and running:
        latencies = bench_bundle(bundle, running, lambda done, total: progress("timing", done, total))
    layers = load_layers(bundle, cache) if cache else None
    data = render(bundle, results, verdicts, latencies, this_machine(), layers).encode()
    path = bundle.folder / REPORT if out is None else out
    write_atomically(path, data)
    ran = [verdict for verdict in verdicts.artifacts if verdict.passed is not None]
    return Report(
        path=path,
        bytes=len(data),
        passed=verdicts.passed if ran else None,
        failed=tuple(verdict.name for verdict in ran if not verdict.passed),
        not_run=tuple(verdict.name for verdict in verdicts.artifacts if verdict.passed is None),
    )


def render(
    bundle: Bundle,
    results: Results,
    verdicts: Verdicts,
    latencies: Latencies | None,
    machine: Machine,
    layers: LayerView | None = None,
) -> str:
    """The page as HTML text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(n=_coordinate, plural=plural, breakable=_breakable)
    prefix = f"{bundle.spec.name}."
    environment.filters["short"] = lambda name: name.removeprefix(prefix)
    page = make_page(bundle, results, verdicts, latencies, machine, layers)
    return environment.get_template("report.html.j2").render(page=page)


def _coordinate(value: float) -> str:
    """A coordinate of a drawing with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _breakable(name: str) -> Markup:
    """A file's name that may be broken after its dots, escaped."""
    return Markup(".<wbr>").join(escape(part) for part in name.split("."))
