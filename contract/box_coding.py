"""Boxes in input pixels from raw boxes: distances from a grid, corners, middle and size, or deltas of anchors."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from samesight.contract.activation import exp
from samesight.contract.errors import SamesightError

if TYPE_CHECKING:
    from samesight.contract.spec import BoxCoding, Input

# log(1000 / 16): an anchor grows by no more than this, as torchvision's BoxCoder has it.
MOST_GROWTH = 4.135166556742356


def decode(
    raw: NDArray[np.float32], positions: NDArray[np.int64], coding: "BoxCoding", spec: "Input"
) -> NDArray[np.float32]:
    """Boxes x1, y1, x2, y2 in input pixels from the raw boxes [K, 4] of the given positions; all in float32.

    Raises:
        SamesightError: a raw or decoded value is not finite.
    """
    across, down = np.float32(spec.width), np.float32(spec.height)
    nothing = np.zeros(0, np.float32)
    grid = (
        [table[positions] for table in grid_points(coding, spec)] if coding.strides or coding.grids else [nothing] * 4
    )
    x, y, width, height = grid
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        a, b, c, d = (raw / np.array(coding.divisors, np.float32)).T if coding.coding == "anchor_deltas" else raw.T
        if coding.unit == "fraction":
            a, b, c, d = a * across, b * down, c * across, d * down
        elif coding.unit in ("stride", "anchor"):
            a, b, c, d = a * width, b * height, c * width, d * height
        if coding.coding == "distances":
            x1, y1, x2, y2 = x - positive(a), y - positive(b), x + positive(c), y + positive(d)
        elif coding.coding == "corners":
            x1, y1, x2, y2 = a, b, np.where(c > a, c, a), np.where(d > b, d, b)
        else:
            if coding.coding == "anchor_deltas":
                a, b, c, d = a * width + x, b * height + y, width * _grown(c), height * _grown(d)
            half_x, half_y = positive(c) * np.float32(0.5), positive(d) * np.float32(0.5)
            x1, y1, x2, y2 = a - half_x, b - half_y, a + half_x, b + half_y
        boxes = np.stack([x1, y1, x2, y2], axis=1)
    finite = np.isfinite(raw).all(axis=1) & np.isfinite(boxes).all(axis=1)
    if not finite.all():
        where = int(positions[np.argmin(finite)])
        raise SamesightError(
            f"the box at position {where} is not finite; the artifact overflows, take another precision or unit"
        )
    return boxes


def positive(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values above 0, and 0 in place of all others."""
    return np.where(values > 0, values, np.float32(0))


def _grown(logarithms: NDArray[np.float32]) -> NDArray[np.float32]:
    """How many times an anchor's side a box has."""
    wide = logarithms.astype(np.float64)
    return exp(np.where(wide < MOST_GROWTH, wide, MOST_GROWTH)).astype(np.float32)


def grid_points(coding: "BoxCoding", spec: "Input") -> tuple[NDArray[np.float32], ...]:
    """Point x, point y, width and height of every position, float32 [N] each, in input pixels.

    Grid by grid, each row by row; width and height are those of the cell for strides (and all is exact), and those of
    the anchor for grids, in whose cells anchor follows anchor.
    """
    tables: list[tuple[NDArray[np.float32], ...]] = []
    for stride in coding.strides:
        rows, columns = np.mgrid[0 : spec.height // stride, 0 : spec.width // stride].astype(np.float32)
        middle_x, middle_y = ((table.ravel() + np.float32(0.5)) * np.float32(stride) for table in (columns, rows))
        side = np.full_like(middle_x, stride)
        tables.append((middle_x, middle_y, side, side))
    for grid in coding.grids:
        rows, columns = np.mgrid[0 : grid.rows, 0 : grid.columns].astype(np.float64)
        points = [
            ((cells.ravel() + grid.offset) * step).astype(np.float32)
            for cells, step in zip((columns, rows), grid.step, strict=True)
        ]
        sizes = np.array(grid.anchors, np.float32)
        cells = grid.rows * grid.columns
        tables.append(
            (
                *(np.repeat(point, len(sizes)) for point in points),
                *(np.tile(sizes[:, side], cells) for side in (0, 1)),
            )
        )
    return tuple(np.concatenate(parts) for parts in zip(*tables, strict=True))


def position_count(coding: "BoxCoding", spec: "Input") -> int:
    """How many positions the grids of a coding have."""
    cells = sum((spec.width // stride) * (spec.height // stride) for stride in coding.strides)
    return cells + sum(grid.columns * grid.rows * len(grid.anchors) for grid in coding.grids)
