"""`samesight demo`: trains, converts and verifies on real data with the commands that a person would type."""

import json
import subprocess
import sys
import time
from pathlib import Path

import click

from samesight.contract.files import unwritable

NAMES = ("digits", "scenes")
EPILOG = """\b
Examples:
  samesight demo
  samesight demo --out demo-all --all
  samesight demo --json

Runs that are there already are kept, and unchanged artifacts come from the cache, so a second demo takes seconds.
The data are scikit-learn's 1,797 scanned digits; nothing is downloaded."""


@click.command(epilog=EPILOG)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Where it all goes."
)
@click.option("--all", "everything", is_flag=True, help="Convert to the slow formats too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def demo(out: Path, everything: bool, as_json: bool) -> None:
    """Train, convert and verify a classifier (digits) and a detector (scenes), and write reports to look at.

    Each step is one of samesight's own commands, printed before it runs; both trainings run side by side.
    """
    # Before the trainings: both would say the same, after they have loaded all that they need.
    try:
        (out / "runs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from None
    started = time.perf_counter()
    seconds: dict[str, float] = {}
    missing = [name for name in NAMES if not (out / "runs" / name).exists()]
    if missing:
        commands = [("train", name, "--out", str(out / "runs" / name)) for name in missing]
        seconds["train"] = _run(as_json, *commands)
    for name in NAMES:
        run, bundle = out / "runs" / name, out / name
        every = ("--to", "all") if everything else ()
        seconds[f"convert {name}"] = _run(as_json, ("convert", str(run), "--out", str(bundle), *every))
    for name in NAMES:
        seconds[f"report {name}"] = _run(as_json, ("report", str(out / name)))
    seconds["all"] = time.perf_counter() - started
    if as_json:
        click.echo(json.dumps({"out": str(out), "seconds": seconds}))
        return
    click.echo(f"\ndone in {seconds['all']:.0f} s; look at")
    for name in NAMES:
        click.echo(f"  {out / name / 'report.html'}")


def _run(as_json: bool, *commands: tuple[str, ...]) -> float:
    """Run our commands side by side, each a process of its own; their output goes to ours (to stderr under --json).

    Returns:
        seconds until the last one ended.

    Raises:
        SystemExit: one failed; with its exit code.
    """
    started = time.perf_counter()
    running = []
    for command in commands:
        click.echo(f"\n$ samesight {' '.join(command)}", err=as_json)
        line = [sys.executable, "-m", "samesight", *command]
        running.append(subprocess.Popen(line, stdout=sys.stderr if as_json else None))
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit(max(codes))
    return time.perf_counter() - started
