"""What a row of `table.py` is, and how a tool is asked what it is."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Say = Callable[[str], None]
# How long a tool may take to say what it is.
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Found:
    """A tool that was run a moment ago: its version, and the command or folder to use it by."""

    version: str
    where: Path


def answer_of(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str | None:
    """What a command prints; None where it does not run to a good end."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@dataclass(frozen=True)
class Setup:
    """Something large that the project can use, but does not need, and that no Python package brings.

    Attributes:
        name: what `samesight setup` calls it; its folder below the tools' root has this name.
        title: what it is, with its version.
        purpose: what it is for, after "for".
        licences: those of what is fetched.
        download_bytes: about how much is fetched.
        disk_bytes: about how much is there afterwards.
        source: says where it comes from; raises SamesightError where this system does not say.
        obstacle: why it cannot be installed here, with what to do; None where it can.
        find: what is usable, from outside or from the folder given, found by running it; None where nothing is.
        install: fills the folder given, which may hold what an interrupted installation left; raises SamesightError.
    """

    name: str
    title: str
    purpose: str
    licences: str
    download_bytes: int
    disk_bytes: int
    source: Callable[[], str]
    obstacle: Callable[[], str | None]
    find: Callable[[Path], Found | None]
    install: Callable[[Path, Say], None]
