"""The Python environments that convert or run formats: one table. What cannot share an environment gets its own.

An environment that `samesight setup` installs has a launcher in the tools' folder: a program that takes the arguments
of Python. The launcher finds this installation's own interpreter in the variable `SAMESIGHT_PYTHON`.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from samesight.conversion.cache_folder import tools_root

MAIN = "main"
PYTHON = "SAMESIGHT_PYTHON"
# `samesight setup` writes it last.
STAMP = "installed"
# Lists of names and versions, of environments that have packages of their own.
PINS = Path(__file__).parent / "setup" / "pins"


@dataclass(frozen=True)
class Environment:
    """One row: `interpreter` returns the Python executable; `missing` a sentence where it is not installed.

    `executes`: its runners start programs of their own (a vendor's compiler), which have no more rights than they.
    """

    name: str
    interpreter: Callable[[], str]
    missing: Callable[[], str | None]
    executes: bool = False


def pins_of(environment: str) -> tuple[str, ...]:
    """Name==version of every package that an environment has for itself; empty for one that uses this Python's."""
    path = PINS / f"{environment}.txt"
    return tuple(path.read_text().split()) if path.is_file() else ()


def launcher(tool: str, file: str) -> Path:
    """Where an installed tool has this launcher, or would have it."""
    return tools_root().absolute() / tool / file


def _of_tool(name: str, tool: str, file: str, executes: bool = False) -> Environment:
    def missing() -> str | None:
        path = launcher(tool, file)
        if os.access(path, os.X_OK) and (path.parent / STAMP).is_file():
            return None
        return f"{path.parent}: is not installed; samesight setup {tool}"

    return Environment(name, lambda: str(launcher(tool, file)), missing, executes)


ENVIRONMENTS: dict[str, Environment] = {
    row.name: row
    for row in (
        Environment(MAIN, interpreter=lambda: sys.executable, missing=lambda: None),
        _of_tool("arm64-a76", "arm64", "python-cortex-a76"),
        _of_tool("arm64-a710", "arm64", "python-cortex-a710"),
        _of_tool("gpu", "gpu", "python"),
        _of_tool("snapdragon", "snapdragon", "python", executes=True),
        _of_tool("onnx-tf", "classic", "python-onnx-tf"),
        _of_tool("onnx2tf", "classic", "python-onnx2tf"),
    )
}
