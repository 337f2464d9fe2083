"""What a row of `table.py` is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Say = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A tool that was run a moment ago: its version, and the command or folder to use it by."""

    version: str
    where: Path


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
