"""The embedded data for classification: scikit-learn's 1,797 real scans of handwritten digits.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits" (UCI, 1998), test part: scans of 43
people's writing, reduced to 8 x 8 counts of ink, 0 to 16. Each becomes a 64 x 64 RGB image, dark ink on white paper,
enlarged with Pillow's bicubic kernel.
"""

import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samesight.datasets.example import DataSet, Example, Lazy, Pixels, Truth, split_evenly

SIDE = 64
LABELS = tuple("0123456789")
INK_LEVELS = 16


@cache
def load_scans() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All scans: ink uint8 [1797, 8, 8] with values 0..16, and the digit int64 [1797]."""
    # Importing scikit-learn takes 3 s, reading the file that it ships 0.2 s; conversion reads this on each verify.
    package = find_spec("sklearn")
    table = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz" if package and package.origin else None
    if table is not None and table.is_file():
        with gzip.open(table, "rt") as lines:
            rows = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
        return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    scans = load_digits()
    return scans.images.astype(np.uint8), scans.target.astype(np.int64)


@cache
def split_scans(seed: int) -> tuple[list[int], list[int], list[int]]:
    """Positions of the scans for train, validation and test; `scenes` pastes the same parts."""
    return split_evenly(load_scans()[1].tolist(), seed, "digits")


def draw_digit(scan: NDArray[np.uint8]) -> Pixels:
    """Ink uint8 [8, 8] (0..16) as an image: uint8 [64, 64, 3], dark on white."""
    paper = 255 - np.round(scan * (255.0 / INK_LEVELS)).astype(np.uint8)
    image = Image.fromarray(paper).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(image.convert("RGB"))


def open_digits(seed: int) -> DataSet:
    """The scans split 70/10/20 %, each digit alike, by the seed."""
    scans, digits = load_scans()

    def part(positions: list[int]) -> Lazy[Example]:
        def example(index: int) -> Example:
            position = positions[index]
            return Example(
                name=f"digits-{position:04d}",
                load=lambda: draw_digit(scans[position]),
                truth=Truth(label=int(digits[position])),
            )

        return Lazy(len(positions), example)

    train, validation, test = (part(positions) for positions in split_scans(seed))
    return DataSet("digits", "classification", seed, LABELS, train, validation, test, SIDE)
