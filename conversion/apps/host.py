"""What is the same for both apps' own code on this computer: where it is, and how its self-test is run."""

import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import samesight
from samesight.contract.errors import SamesightError

# The apps' name for the device when they run here.
THIS_COMPUTER = "this computer"
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Tells nobody."""


def find_app(folder: str, marker: str) -> Path:
    """The app's folder of the checkout that this package is installed from, or of the current folder.

    Raises:
        SamesightError: there is none with this marker in it.
    """
    for root in (Path(samesight.__file__).resolve().parents[2], Path.cwd()):
        if (root / folder / marker).exists():
            return root / folder
    raise SamesightError(f"--apps: no folder {folder} here; run it in a checkout of samesight")


def litert_library() -> Path:
    """The folder of LiteRT's library for this computer.

    Raises:
        SamesightError: ai-edge-litert is not installed.
    """
    spec = importlib.util.find_spec("ai_edge_litert")
    if spec is None or spec.origin is None:
        raise SamesightError("--apps: needs ai-edge-litert, which is not installed; pip install ai-edge-litert")
    return Path(spec.origin).parent


def litert_version() -> str:
    """The version of LiteRT's library for this computer."""
    return metadata.version("ai-edge-litert")


def run_self_test(
    command: Sequence[str], what: str, progress: Progress = no_progress, environment: Mapping[str, str] | None = None
) -> None:
    """Run a built self-test, which prints `DONE TOTAL NEXT` lines.

    Raises:
        SamesightError: the app's code failed; the message is the last line of its standard error.
    """
    # A file: nobody would read a pipe of it until the end, and a full one stops who writes.
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **(environment or {})},
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                match line.split(" ", 2):
                    case [done, total, *_] if done.isdigit() and total.isdigit():
                        progress(int(done), int(total))
        errors.seek(0)
        stderr = errors.read().decode(errors="replace").strip()
    if process.returncode:
        raise SamesightError(stderr.splitlines()[-1] if stderr else f"{what} ended with exit code {process.returncode}")
