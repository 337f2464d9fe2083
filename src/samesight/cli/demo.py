"""`samesight demo`: trains, converts and verifies on real data with the commands that a person would type."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryFile

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

    Each step is one of samesight's own commands, printed before it runs. Both models are made side by side: the
    classifier is converted while the detector still trains.
    """
    # Before the trainings: both would say the same, after they have loaded all that they need.
    try:
        (out / "runs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from None
    started = time.perf_counter()
    every = ("--to", "all") if everything else ()
    with ThreadPoolExecutor(len(NAMES)) as pool:
        parts = list(pool.map(lambda name: _train_and_convert(name, out, every, as_json), NAMES))
    seconds = {step: value for part in parts for step, value in part.items()}
    # After all else, since they measure latencies (one after the other, while the rest of both goes on side by side).
    with ThreadPoolExecutor(len(NAMES)) as pool:
        reports = pool.map(lambda name: _run(as_json, "report", str(out / name)), NAMES)
    seconds |= {f"report {name}": value for name, value in zip(NAMES, reports, strict=True)}
    seconds["all"] = time.perf_counter() - started
    if as_json:
        click.echo(json.dumps({"out": str(out), "seconds": seconds}))
        return
    click.echo(f"\ndone in {seconds['all']:.0f} s; look at")
    for name in NAMES:
        click.echo(f"  {out / name / 'report.html'}")


def _train_and_convert(name: str, out: Path, every: tuple[str, ...], as_json: bool) -> dict[str, float]:
    """Train where there is no run yet, and convert.

    Returns:
        seconds of each step.

    Raises:
        SystemExit: a step failed.
    """
    run, seconds = out / "runs" / name, {}
    if not run.exists():
        seconds[f"train {name}"] = _run(as_json, "train", name, "--out", str(run))
    seconds[f"convert {name}"] = _run(as_json, "convert", str(run), "--out", str(out / name), *every)
    return seconds


def _run(as_json: bool, *command: str) -> float:
    """Run one of our commands in a process of its own; its output goes to ours (to stderr under --json).

    Another may run beside it. What it reports is passed on line by line, what it prints as one block when it ends, so
    that no line falls into a table.

    Returns:
        seconds until it ended.

    Raises:
        SystemExit: it failed; with its exit code.
    """
    started = time.perf_counter()
    click.echo(f"\n$ samesight {' '.join(command)}", err=as_json)
    line = [sys.executable, "-m", "samesight", *command]
    with TemporaryFile("w+") as printed:
        with subprocess.Popen(line, stdout=printed, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for reported in process.stderr:
                click.echo(reported, err=True, nl=False)
        printed.seek(0)
        click.echo(printed.read(), err=as_json, nl=False)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.perf_counter() - started
