"""What the four numbers of raw boxes probably are: guessed from where they lie, and how sure that is."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from samesight.contract.box_coding import grid_points
from samesight.contract.spec import BoxCoding, Input

STRIDES = (4, 8, 16, 32, 64, 128)
# A box of a grid's cell has its middle by the cell: within this many cells, for this share of all boxes.
NEAR, MOSTLY = 1.5, 0.8
# The greatest number of a box in shares of the input; boxes may reach over its edge.
LARGEST_FRACTION = 2.0


@dataclass(frozen=True)
class BoxGuess:
    """A coding, whether it is `likely` or only a `guess`, and why."""

    coding: BoxCoding
    sure: str
    why: str


def guess_boxes(boxes: NDArray[np.float32], spec: Input) -> BoxGuess | None:
    """The coding of raw boxes [runs, N, 4]; None where none of the codings without anchors can be meant.

    Boxes of a grid are recognised by their middles, which lie by the points of the grid; where N is the number of a
    grid's points and the middles lie elsewhere, the numbers are distances.
    """
    values = boxes.reshape(-1, boxes.shape[-2], 4).astype(np.float64)
    if not np.isfinite(values).all():
        return None
    fraction = bool(np.quantile(np.abs(values), 0.99) <= LARGEST_FRACTION)
    sides = np.array([spec.width, spec.height], np.float64)
    pixels = values * np.tile(sides, 2) if fraction else values
    middles = {"center_size": pixels[..., :2], "corners": (pixels[..., :2] + pixels[..., 2:]) / 2}
    unit: Literal["fraction", "pixels"] = "fraction" if fraction else "pixels"
    grids = list(grids_of(values.shape[1], spec))
    near: dict[str, float] = {}
    for strides in grids:
        x, y, cell, _ = grid_points(BoxCoding(coding="distances", strides=strides), spec)
        points = np.stack([x, y], axis=1).astype(np.float64)
        for coding, middle in middles.items():
            share = float((np.abs(middle - points) <= NEAR * cell[:, None]).all(axis=-1).mean())
            near[coding] = max(near.get(coding, 0.0), share)
    if near and max(near.values()) >= MOSTLY:
        coding = max(near, key=lambda name: near[name])
        why = f"{near[coding]:.0%} of the boxes have their middle by their cell of a grid"
        return BoxGuess(BoxCoding(coding=coding, unit=unit), "likely", why)  # type: ignore[arg-type]
    if grids:
        return _distances(values, grids[0])
    ordered = float(((values[..., 2] >= values[..., 0]) & (values[..., 3] >= values[..., 1])).mean())
    if ordered > 0.999:
        return BoxGuess(BoxCoding(coding="corners", unit=unit), "likely", "all have their third and fourth number last")
    if (values[..., 2:] >= 0).all():
        why = f"only {ordered:.0%} would be corners in order, and no width or height is negative"
        return BoxGuess(BoxCoding(coding="center_size", unit=unit), "guess", why)
    return None


def _distances(values: NDArray[np.float64], strides: tuple[int, ...]) -> BoxGuess | None:
    if (values < 0).mean() > 0.9:
        return None
    # A distance of more cells than this would be a box far larger than a grid is made for.
    small = float(np.quantile(values, 0.999)) <= 16
    why = f"there are as many as cells in a grid of stride {', '.join(map(str, strides))}, and they do not lie by them"
    return BoxGuess(BoxCoding(coding="distances", unit="stride" if small else "pixels", strides=strides), "guess", why)


def grids_of(positions: int, spec: Input) -> Iterator[tuple[int, ...]]:
    """Strides one after the other, finest first, whose grids have so many positions together."""
    for first, last in combinations(range(len(STRIDES) + 1), 2):
        strides = STRIDES[first:last]
        if any(spec.width % stride or spec.height % stride for stride in strides):
            continue
        if sum((spec.width // stride) * (spec.height // stride) for stride in strides) == positions:
            yield strides
