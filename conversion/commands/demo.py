"""`samesight demo`: everything once, on real data, by the commands that a person would type."""

import json
import subprocess
import sys
import time
from pathlib import Path

import click

NAMES = ("digits", "scenes")
EPILOG = """\b
Examples:
  samesight demo
  samesight demo --out /tmp/demo --all
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

    Each step is one of samesight's own commands; it is printed before it runs.
    """
    started = time.perf_counter()
    seconds: dict[str, float] = {}
    for name in NAMES:
        run, bundle = out / "runs" / name, out / name
        if not run.exists():
            seconds[f"train {name}"] = _step(as_json, "train", name, "--out", str(run))
        every = ("--to", "all") if everything else ()
        seconds[f"convert {name}"] = _step(as_json, "convert", str(run), "--out", str(bundle), *every)
    for name in NAMES:
        seconds[f"report {name}"] = _step(as_json, "report", str(out / name))
    seconds["all"] = time.perf_counter() - started
    if as_json:
        click.echo(json.dumps({"out": str(out), "seconds": seconds}))
        return
    click.echo(f"\ndone in {seconds['all']:.0f} s; look at")
    for name in NAMES:
        click.echo(f"  {out / name / 'report.html'}")


def _step(as_json: bool, *arguments: str) -> float:
    """Run one of our commands as a process of its own; its output goes to ours (or to stderr under --json)."""
    started = time.perf_counter()
    click.echo(f"\n$ samesight {' '.join(arguments)}", err=as_json)
    done = subprocess.run(
        [sys.executable, "-m", "samesight", *arguments], stdout=sys.stderr if as_json else None, check=False
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return time.perf_counter() - started
