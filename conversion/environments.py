"""The Python environments that convert or run formats: one table. A converter that cannot share one gets its own."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

MAIN = "main"


@dataclass(frozen=True)
class Environment:
    """One row: `interpreter` returns the Python executable; `missing` a sentence where it is not installed."""

    name: str
    interpreter: Callable[[], str]
    missing: Callable[[], str | None]


ENVIRONMENTS: dict[str, Environment] = {
    MAIN: Environment(MAIN, interpreter=lambda: sys.executable, missing=lambda: None),
}
