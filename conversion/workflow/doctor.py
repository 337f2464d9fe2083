"""What of all that Samesight can use is really there on this machine: formats, runners and tools."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Literal

from samesight.contract.errors import SamesightError
from samesight.conversion.device import adb
from samesight.conversion.environments import pins_of
from samesight.conversion.formats import FORMATS, ROUTES, Format
from samesight.conversion.npu.chips import CHIPS, MAKERS
from samesight.conversion.runners import RUNNERS
from samesight.conversion.setup.install import find
from samesight.conversion.setup.interface import Setup
from samesight.conversion.setup.table import SETUPS

Kind = Literal["format", "runner", "compiler", "tool", "phone"]
TENSORFLOW = ("tensorflow", "tensorflow-cpu")
CODE = (".py", ".so", ".pyd", ".dylib")


@dataclass(frozen=True)
class Check:
    """One row.

    Attributes:
        kind: what is looked at.
        name: as options and files call it.
        title: the same for people.
        serves: suffixes that a format or a runner is for, chips of a compiler, or what a tool is for.
        unit: what computes, for a runner.
        ready: whether it can be used now.
        found: versions where it is ready, else what is missing and the command that installs it.
    """

    kind: Kind
    name: str
    title: str
    serves: str
    unit: str | None
    ready: bool
    found: str


def examine(progress: Callable[[int, int], None] = lambda done, total: None) -> list[Check]:
    """Look at every row of the tables; tools are run, packages are looked for on the disk."""
    checks = [*_formats()]
    total = len(FORMATS) + len(ROUTES) + len(RUNNERS) + len(SETUPS)
    tools = {}
    for number, setup in enumerate(SETUPS.values()):
        progress(number, total)
        tools[setup.name] = _tool(setup)
    checks += [*_runners(tools), *_compilers(tools), *tools.values(), phone_check()]
    progress(total, total)
    return checks


def _formats() -> Iterable[Check]:
    for row in (*FORMATS.values(), *ROUTES.values()):
        missing = row.missing() or _empty(row.packages)
        precisions = ", ".join(row.precisions)
        found = missing or (_pinned(row) if row.via else _versions(row))
        yield Check("format", row.name, row.title, f"{row.suffix} ({precisions})", None, not missing, found)


def _runners(tools: dict[str, Check]) -> Iterable[Check]:
    for row in RUNNERS.values():
        missing = row.missing() or _empty(row.packages)
        # A launcher may be there and not run any more.
        if not missing and row.target in tools and not tools[row.target].ready:
            missing = tools[row.target].found
        suffixes = ", ".join(FORMATS[name].suffix for name in row.formats)
        found = missing or (tools[row.target].found if row.target in tools else _versions(row))
        yield Check("runner", row.name, row.title, suffixes, row.unit, not missing, found)


def _compilers(tools: dict[str, Check]) -> Iterable[Check]:
    """The compilers of chips' makers, for `convert --unit npu`."""
    for row in MAKERS.values():
        missing = row.missing()
        if not missing and row.environment in tools and not tools[row.environment].ready:
            missing = tools[row.environment].found
        chips = ", ".join(chip.name for chip in CHIPS.values() if chip.maker == row.name)
        found = missing or ", ".join(f"{package} {version}" for package, version in row.versions().items())
        yield Check("compiler", row.name, row.title, chips, "npu", not missing, found)


def _tool(setup: Setup) -> Check:
    found = find(setup)
    if found:
        return Check("tool", setup.name, setup.title, setup.purpose, None, True, f"{found.version}, {found.where}")
    reason = setup.obstacle() or f"not installed; samesight setup {setup.name}"
    return Check("tool", setup.name, setup.title, setup.purpose, None, False, reason)


def phone_check() -> Check:
    """Whether adb is here and runs; phones are not asked for, since that starts a server."""
    try:
        program = adb.find_adb()
        ready, found = True, f"{adb.version(program)}, {program}"
    except SamesightError as error:
        ready, found = False, str(error)
    return Check("phone", "adb", "adb", "a phone on the cable (samesight device)", None, ready, found)


def _versions(row: object) -> str:
    packages: tuple[str, ...] = getattr(row, "packages", ())
    return ", ".join(f"{package} {metadata.version(package)}" for package in packages)


def _pinned(row: Format) -> str:
    """What a route's environment has of the route and of TensorFlow."""
    pins = (pin.partition("==") for pin in pins_of(row.environment))
    return ", ".join(f"{name} {version}" for name, _, version in pins if name in (row.name, *TENSORFLOW))


def _empty(packages: Iterable[str]) -> str | None:
    """A sentence about a distribution that is installed and has no code: some fetch theirs while they install."""
    empty = next((package for package in packages if not _has_code(package)), None)
    return f"{empty} is installed and empty; pip install --force-reinstall {empty}" if empty else None


@cache
def _has_code(package: str) -> bool:
    files = metadata.files(package)
    if files is None:
        return True
    code = (file for file in files if file.suffix in CODE and ".dist-info" not in file.parts[0])
    return any(file.locate().is_file() for file in code)  # type: ignore[attr-defined]
