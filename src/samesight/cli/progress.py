"""Progress of a conversion: a live table with one row per artifact, or one line per result without a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from samesight.cli.terminal import cell, raw_stderr
from samesight.contract.text import printable
from samesight.conversion.workflow.worker_protocol import Event

MARKS = {"waiting": ("·", "dim"), "cached": ("✓", "green"), "end": ("✓", "green"), "failed": ("✗", "red")}


@dataclass
class Row:
    """The last event of one item, when it began, and its current step."""

    event: Event
    began: float = 0.0
    step: str = ""


@dataclass
class Rows:
    """A table that is redrawn several times a second, so that the clocks of running items move."""

    rows: dict[str, Row] = field(default_factory=dict)
    spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="cyan"))

    def on_event(self, event: Event) -> None:
        """Update the rows with one event."""
        row = self.rows.setdefault(event.name, Row(event))
        if event.kind == "begin":
            row.began = time.perf_counter()
        if event.kind == "step":
            row.step = event.text
        else:
            row.event = event

    def __rich__(self) -> Table:
        """One row per item: mark, name, seconds, remark."""
        table = Table.grid(padding=(0, 2))
        for name, row in self.rows.items():
            kind = row.event.kind
            if kind == "begin":
                seconds = f"{time.perf_counter() - row.began:.1f} s"
                table.add_row(
                    self.spinner, cell(name), Text(seconds, style="cyan"), Text(printable(row.step), style="dim")
                )
                continue
            mark, style = MARKS[kind]
            remark = {"end": f"{row.event.seconds:.1f} s", "cached": "cached"}.get(kind, "")
            table.add_row(
                Text(mark, style),
                Text(printable(name), style if kind == "waiting" else ""),
                remark,
                cell(row.event.text),
            )
        return table


@contextmanager
def live_table() -> Iterator[Callable[[Event], None]]:
    """Draw the table on standard error while the block runs."""
    rows = Rows()
    with Live(rows, console=Console(file=raw_stderr()), refresh_per_second=8, transient=True):
        yield rows.on_event


def result_line(event: Event) -> str | None:
    """An event as a line of a log; None for those that a log does not need (failures are printed at the end)."""
    if event.kind == "end":
        return f"{event.name}  {event.seconds:.1f} s"
    return f"{event.name}  cached" if event.kind == "cached" else None
