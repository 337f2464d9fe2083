"""Progress bars and tables for the terminal (rich); the bars are silent without one."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from samesight.cli.terminal import cell, raw_stderr
from samesight.contract.manifest import Artifact
from samesight.contract.spec import ModelSpec
from samesight.contract.verdicts import Severity, Verdict, Verdicts
from samesight.conversion.npu.words import plan_warnings
from samesight.conversion.parity.routes import Routes
from samesight.conversion.runners.bench import Latencies
from samesight.conversion.workflow import interrupts
from samesight.conversion.workflow.doctor import Check

# Width of tables that are written to a file or another program.
WIDTH = 160
COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "not run": "yellow"}
SEVERITIES: dict[Severity, str] = {"wrong": "wrong values", "fails": "does not run", "slow": "slow"}


@contextmanager
def progress_bar(title: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error; yields a function (done, total). Silent when quiet or without a terminal."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(file=raw_stderr())
    with Progress(*columns, console=console, transient=True, disable=quiet or not sys.stderr.isatty()) as bars:
        task = bars.add_task(title, total=None)

        def on_progress(done: int, total: int) -> None:
            interrupts.check()
            bars.update(task, completed=done, total=total)

        yield on_progress


def verdict_table(
    verdicts: Verdicts,
    spec: ModelSpec,
    advice: Mapping[str, Sequence[str]] = MappingProxyType({}),
    artifacts: Iterable[Artifact] = (),
) -> None:
    """Print one row per artifact, and under the table why a row did not pass and, as `advice` says, what to try.

    `artifacts` are the manifest's, for what an NPU takes of them.
    """
    metric = next((v.metric for v in verdicts.artifacts if v.metric), None)
    table = Table(title=f"{cell(spec.name)}: artifacts against the server model", title_justify="left")
    rows: list[tuple[str, ...]] = [
        ("artifact", "SNR dB", "agree", metric.name if metric else "metric", "loses (95 %)", "KB", "of fp32")
    ]
    rows += [(cell(verdict.name), *figures_of(verdict)) for verdict in verdicts.artifacts]
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    # The verdict's column comes last and is always shown: its longest word, two spaces and two lines.
    words = ["verdict", *(word_of(verdict) for verdict in verdicts.artifacts)]
    shown = columns_that_fit(rows, console.width - max(map(len, words)) - 4)
    for number in shown:
        table.add_column(rows[0][number], justify="right" if number else "left", no_wrap=bool(number), overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for row, verdict in zip(rows[1:], verdicts.artifacts, strict=True):
        word = word_of(verdict)
        table.add_row(*(row[number] for number in shown), f"[{COLOURS[word]}]{word}[/]")
    console.print(table)
    if len(shown) < len(rows[0]):
        console.print("a wider terminal, or --json, shows all figures")
    if metric:
        console.print(f"server model: {metric.name} {metric.server:.4f} on {metric.images} test images")
    else:
        console.print("golden cases only: the bundle has no test split")
    for reason, names in reasons_of(verdicts.artifacts).items():
        console.print(cell(f"{', '.join(names)}: {reason}"), highlight=False)
    tried: dict[str, list[str]] = {}
    for name, sentences in advice.items():
        for sentence in sentences:
            tried.setdefault(sentence, []).append(name)
    for sentence, names in tried.items():
        console.print(cell(f"try for {', '.join(names)}: {sentence}"), highlight=False)
    for line in plan_lines(artifacts):
        console.print(cell(line), highlight=False, soft_wrap=True)
    for line in warning_lines(verdicts):
        console.print(line, highlight=False, soft_wrap=True)


def reasons_of(verdicts: Iterable[Verdict]) -> dict[str, list[str]]:
    """Each reason why artifacts did not pass for sure, with the artifacts that have it."""
    reasons: dict[str, list[str]] = {}
    for verdict in verdicts:
        if not verdict.passed or verdict.inconclusive:
            reasons.setdefault(verdict.reason, []).append(verdict.name)
    return reasons


def plan_lines(artifacts: Iterable[Artifact]) -> list[str]:
    """A line for each artifact that an NPU takes badly."""
    warned = {artifact.name: plan_warnings(artifact) for artifact in artifacts}
    return [f"warning: {name}: {'; '.join(sentences)}" for name, sentences in warned.items() if sentences]


def warning_lines(verdicts: Verdicts) -> list[str]:
    """How many known faults of phones' runtimes the artifacts have, and a line for each; nothing if there are none."""
    warned: dict[str, list[str]] = {}
    for verdict in verdicts.artifacts:
        for warning in verdict.warnings:
            units = "/".join(unit.upper() for unit in warning.units)
            title = f"{warning.id} ({SEVERITIES[warning.severity]} on {units})"
            warned.setdefault(title, []).append(verdict.name)
    if not warned:
        return []
    first = f"known faults of phones' runtimes: {len(warned)}; docs/known-faults.md and --json say what avoids them"
    return [first, *(f"  {title}: {', '.join(names)}" for title, names in warned.items())]


def app_table(verdicts: Verdicts, spec: ModelSpec) -> None:
    """Print one row per artifact and unit in apps' own code, if there is any, and why a row did not pass."""
    if not verdicts.apps:
        return
    table = Table(title=f"{spec.name}: in the apps' own code", title_justify="left")
    for column in ("artifact", "app", "device", "unit", "proof"):
        table.add_column(column, overflow="fold")
    for column in ("SNR dB", "agree", "ms"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for verdict in verdicts.apps:
        table.add_row(
            cell(verdict.name),
            cell(verdict.app),
            cell(verdict.device),
            verdict.unit.upper(),
            verdict.proof or "-",
            "exact" if verdict.passed and verdict.snr_db is None else _figure(verdict.snr_db, "{:.1f}"),
            _figure(verdict.agreement, "{:.1%}"),
            _figure(verdict.times.steady if verdict.times else None, "{:.2f}") + (" slower" if verdict.slower else ""),
            "[yellow]not used[/]" if verdict.passed is None else "[green]pass[/]" if verdict.passed else "[red]fail[/]",
        )
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)
    for verdict in verdicts.apps:
        if not verdict.passed:
            console.print(
                cell(f"{verdict.name} on the {verdict.unit.upper()}: {verdict.reason}"), highlight=False, soft_wrap=True
            )


def target_table(verdicts: Verdicts, spec: ModelSpec) -> None:
    """Print one row per artifact on what plays a phone's processors, if there is any, and why a row did not pass."""
    if not verdicts.targets:
        return
    table = Table(title=f"{cell(spec.name)}: on what plays a phone's processors here", title_justify="left")
    for column in ("artifact", "where", "unit"):
        table.add_column(column, overflow="fold")
    for column in ("SNR dB", "agree", "int8 equal", "within 2 steps"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for verdict in verdicts.targets:
        table.add_row(
            cell(verdict.name),
            cell(f"{verdict.title} ({verdict.note})" if verdict.note else verdict.title),
            verdict.unit.upper(),
            "exact" if verdict.passed and verdict.snr_db is None else _figure(verdict.snr_db, "{:.1f}"),
            _figure(verdict.agreement, "{:.1%}"),
            _figure(verdict.equal, "{:.2%}"),
            _figure(verdict.near, "{:.2%}"),
            "[green]pass[/]" if verdict.passed else "[red]fail[/]",
        )
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)
    for verdict in verdicts.targets:
        if not verdict.passed:
            console.print(cell(f"{verdict.name} on {verdict.title}: {verdict.reason}"), highlight=False, soft_wrap=True)


def routes_table(routes: Routes) -> None:
    """Print one row per artifact: who made it, parity, bytes, operators and the ratio of its time."""
    table = Table(title=f"{cell(routes.model)}: the routes to TFLite", title_justify="left")
    for column in ("artifact", "by"):
        table.add_column(column, overflow="fold")
    for column in ("SNR dB", "agree", "KB", "operators", "transposes", "time ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in routes.artifacts:
        table.add_row(
            cell(row.name),
            cell(row.route),
            "exact" if row.passed and row.snr_db is None else _figure(row.snr_db, "{:.1f}"),
            _figure(row.agreement, "{:.1%}"),
            f"{row.bytes / 1000:.0f}",
            str(sum(row.operators.values())),
            str(row.transposes),
            _figure(row.ratio, "{:.2f}"),
            "[yellow]not run[/]" if row.passed is None else "[green]pass[/]" if row.passed else "[red]fail[/]",
        )
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)
    for row in routes.artifacts:
        if not row.passed:
            console.print(cell(f"{row.name}: {row.reason}"), highlight=False, soft_wrap=True)
    console.print(cell(f"time ratio: to {routes.reference} on {routes.cpu}; not a phone's"), highlight=False)


def doctor_table(title: str, checks: Sequence[Check]) -> None:
    """Print one row per format, runner or tool."""
    table = Table(title=title, title_justify="left")
    for column in ("", "for", "unit") if any(check.unit for check in checks) else ("", "for"):
        table.add_column(column, overflow="fold")
    table.add_column("ready", no_wrap=True)
    table.add_column("found, or how to get it", overflow="fold")
    for check in checks:
        unit = [check.unit.upper()] if check.unit else []
        ready = "[green]yes[/]" if check.ready else "[yellow]no[/]"
        table.add_row(cell(check.title), cell(check.serves), *unit, ready, cell(check.found))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def columns_that_fit(rows: Sequence[Sequence[str]], width: int) -> range:
    """The first columns that fit into a table of this width without being cut off; at least one.

    A column needs its longest text, two spaces and a line.
    """
    widths = [max(len(row[number]) for row in rows) + 3 for number in range(len(rows[0]))]
    return range(max(1, sum(total <= width for total in itertools.accumulate(widths))))


def figures_of(verdict: Verdict) -> list[str]:
    """The figures of one row as text, '-' where there is none."""
    exact = bool(verdict.roles) and verdict.snr_db is None
    metric = verdict.metric
    return [
        "exact" if exact else "-" if verdict.snr_db is None else f"{verdict.snr_db:.1f}",
        "-" if verdict.agreement is None else f"{verdict.agreement:.1%}",
        "-" if metric is None else f"{metric.artifact:.4f}",
        "-" if metric is None else f"{_points(metric.drop)} [{_points(metric.drop_low)}, {_points(metric.drop_high)}]",
        f"{verdict.bytes / 1000:.0f}",
        "-" if verdict.bytes_ratio is None else f"{verdict.bytes_ratio:.2f}",
    ]


def _points(share: float) -> str:
    # Adding zero takes the sign from a negative one.
    return f"{round(100 * share, 2) + 0.0:+.2f}"


def word_of(verdict: Verdict) -> str:
    """The verdict in a word; `inconclusive` passes, but too few images stand for its metric."""
    if verdict.passed is None:
        return "not run"
    return "fail" if not verdict.passed else "inconclusive" if verdict.inconclusive else "pass"


def latency_table(latencies: Latencies, spec: ModelSpec) -> None:
    """Print one row per artifact: median and ratio to the reference."""
    table = Table(title=f"{spec.name}: one inference on {cell(latencies.cpu)}, one thread", title_justify="left")
    table.add_column("artifact", no_wrap=True)
    table.add_column("median ms", justify="right")
    table.add_column("ratio", justify="right")
    for row in latencies.artifacts:
        table.add_row(cell(row.name), f"{row.median_ms:.3f}", "-" if row.ratio is None else f"{row.ratio:.2f}")
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)
    console.print(f"ratio: to {latencies.reference}, round by round; not a phone's", highlight=False)
