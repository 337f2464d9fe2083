"""What a person asks of `mixed` artifacts: a recipe, or a budget within which one is found."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.errors import UsageError
from samesight.conversion.precisions import PrecisionName

AUTO = "auto"
MIXED: PrecisionName = "mixed"
MAX_DROP = 0.5
"""Points of the metric that a search may lose where nothing else is said."""
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(|B|kB|KB|MB|GB)")
_UNITS = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True)
class Mixing:
    """A recipe's file, or where it is None the budget of a search: points (0..100) and bytes of a file, where given."""

    recipe: Path | None = None
    max_drop: float | None = None
    max_bytes: int | None = None


def read_wish(
    precisions: Sequence[str], recipe: Path | None = None, max_drop: float | None = None, max_size: str | None = None
) -> tuple[tuple[str, ...], Mixing | None]:
    """The precisions with `mixed` in place of `auto`, and what is asked of it; None where it is not made.

    Raises:
        UsageError: the options contradict each other, or a number makes no sense.
    """
    if AUTO not in precisions:
        if max_drop is not None or max_size is not None:
            option = "--max-drop" if max_drop is not None else "--max-size"
            raise UsageError(f"{option} is the budget of a search; give --precision auto too")
        if recipe is None:
            if MIXED in precisions:
                raise UsageError(
                    "--precision mixed needs a recipe: give --recipe FILE, or --precision auto, which finds one"
                )
            return tuple(precisions), None
        if not recipe.is_file():
            raise UsageError(f"--recipe: {recipe}: no such file; give the recipe.json of a bundle")
        return (*precisions, *(() if MIXED in precisions else (MIXED,))), Mixing(recipe)
    if recipe is not None:
        raise UsageError("--recipe has a recipe, and --precision auto searches for one; give one of them")
    if max_drop is not None and not (math.isfinite(max_drop) and 0 <= max_drop <= 100):
        raise UsageError(f"--max-drop: {max_drop:g} is not a number of points from 0 to 100")
    named = dict.fromkeys(MIXED if name == AUTO else name for name in precisions)
    return tuple(named), Mixing(None, max_drop, _bytes(max_size))


def _bytes(text: str | None) -> int | None:
    """A size such as 2MB, 500kB or 750000, in bytes of 1000 to the kB.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    number = round(float(match[1]) * _UNITS[match[2]]) if match else 0
    if number <= 0:
        raise UsageError(f"--max-size: {text!r} is no size; write 2MB, 500kB or a number of bytes")
    return number
