"""What people see in the terminal: progress bars and tables (rich), silent where a script reads."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from contract.device import Proof
from contract.spec import ModelSpec
from contract.verdicts import Verdict, Verdicts
from conversion.bench import Latencies

PROOFS: dict[Proof, str] = {"certain": "certain", "timing": "by its time", "requested": "not proven"}


@contextmanager
def progress_bar(title: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error; gives a function (done, total). Silent when quiet or when nobody watches."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=quiet or not sys.stderr.isatty()) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def verdict_table(verdicts: Verdicts, spec: ModelSpec) -> None:
    """Print one row per artifact, and under the table why a row did not pass."""
    metric = next((v.metric for v in verdicts.artifacts if v.metric), None)
    table = Table(title=f"{spec.name}: artifacts against the server model", title_justify="left")
    table.add_column("artifact", no_wrap=True)
    for column in ("SNR dB", "agree", metric.name if metric else "metric", "loses (95 %)", "KB", "of fp32"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for verdict in verdicts.artifacts:
        table.add_row(verdict.name, *figures_of(verdict), mark_of(verdict))
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(table)
    if metric:
        console.print(f"server model: {metric.name} {metric.server:.4f} on {metric.images} test images")
    else:
        console.print("golden cases only: the bundle has no test split")
    for verdict in verdicts.artifacts:
        if not verdict.passed or verdict.inconclusive:
            console.print(f"{verdict.name}: {verdict.reason}", highlight=False)


def app_table(verdicts: Verdicts, spec: ModelSpec) -> None:
    """Print one row per artifact and unit in apps' own code, if there is any, and why a row did not pass."""
    if not verdicts.apps:
        return
    table = Table(title=f"{spec.name}: in the apps' own code", title_justify="left")
    for column in ("artifact", "app", "device", "unit", "proof"):
        table.add_column(column, no_wrap=True)
    for column in ("SNR dB", "agree", "ms"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for verdict in verdicts.apps:
        table.add_row(
            verdict.name,
            verdict.app,
            verdict.device,
            verdict.unit.upper(),
            "-" if verdict.proof is None else PROOFS[verdict.proof],
            "exact" if verdict.proof and verdict.snr_db is None else _figure(verdict.snr_db, "{:.1f}"),
            _figure(verdict.agreement, "{:.1%}"),
            _figure(verdict.times.steady if verdict.times else None, "{:.2f}") + (" slower" if verdict.slower else ""),
            "[yellow]not used[/]" if verdict.passed is None else "[green]pass[/]" if verdict.passed else "[red]fail[/]",
        )
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(table)
    for verdict in verdicts.apps:
        if not verdict.passed:
            console.print(
                f"{verdict.name} on the {verdict.unit.upper()}: {verdict.reason}", highlight=False, soft_wrap=True
            )


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def figures_of(verdict: Verdict) -> list[str]:
    """The figures of one row as text, '-' where there is none."""
    exact = bool(verdict.roles) and verdict.snr_db is None
    metric = verdict.metric
    return [
        "exact" if exact else "-" if verdict.snr_db is None else f"{verdict.snr_db:.1f}",
        "-" if verdict.agreement is None else f"{verdict.agreement:.1%}",
        "-" if metric is None else f"{metric.artifact:.4f}",
        "-"
        if metric is None
        else f"{100 * metric.drop:+.2f} [{100 * metric.drop_low:+.2f}, {100 * metric.drop_high:+.2f}]",
        f"{verdict.bytes / 1000:.0f}",
        "-" if verdict.bytes_ratio is None else f"{verdict.bytes_ratio:.2f}",
    ]


def mark_of(verdict: Verdict) -> str:
    """The verdict in a word, coloured for rich."""
    if verdict.passed is None:
        return "[yellow]not run[/]"
    word = "[green]pass[/]" if verdict.passed else "[red]fail[/]"
    return f"{word} [yellow](inconclusive)[/]" if verdict.inconclusive else word


def latency_table(latencies: Latencies, spec: ModelSpec) -> None:
    """Print one row per artifact: median and ratio to the reference."""
    table = Table(title=f"{spec.name}: one inference on {latencies.cpu}, one thread", title_justify="left")
    table.add_column("artifact", no_wrap=True)
    table.add_column("median ms", justify="right")
    table.add_column("ratio", justify="right")
    for row in latencies.artifacts:
        table.add_row(row.name, f"{row.median_ms:.3f}", "-" if row.ratio is None else f"{row.ratio:.2f}")
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(table)
    console.print(f"ratio: to {latencies.reference}, round by round; not a phone's", highlight=False)
