"""Lines that are said before a training about images, names and boxes that are not taken as they are."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from samesight.contract.image import HEIF_SUFFIXES, IMAGE_SUFFIXES, image_suffixes, is_hidden
from samesight.contract.text import printable

SHOWN = 3


def some(names: Sequence[str], shown: int = SHOWN) -> str:
    """The first names, and how many more there are."""
    more = len(names) - shown
    return printable(", ".join(names[:shown])) + (f" and {more:,} more" if more > 0 else "")


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 image`, `2 images`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def left_out_of(folder: Path) -> list[str]:
    """What lies in a folder of images and is not taken: hidden images, and files of other kinds by their suffix."""
    hidden: list[str] = []
    others: Counter[str] = Counter()
    for path in folder.rglob("*"):
        suffix = path.suffix.lower()
        concealed = is_hidden(path, folder)
        if concealed and suffix in IMAGE_SUFFIXES | HEIF_SUFFIXES and path.is_file():
            hidden.append(str(path.relative_to(folder)))
        elif not concealed and suffix not in image_suffixes() and path.is_file():
            others[suffix or "without a suffix"] += 1
    notes = []
    if hidden:
        number = count(len(hidden), "hidden image")
        notes.append(f"left out, a name that begins with a dot: {number}, {some(sorted(hidden))}")
    if others:
        kinds = some([f"{number:,} {suffix}" for suffix, number in others.most_common()], 8)
        heif = "; install pillow-heif to read HEIC" if others.keys() & HEIF_SUFFIXES else ""
        notes.append(f"left out, not read as images: {kinds}{heif}")
    return notes
