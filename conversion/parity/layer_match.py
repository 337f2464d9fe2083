"""Which node of the float program a value inside an artifact stands for: by name, else by order, shape and content.

Converters of ONNX and Core ML keep the nodes' names. TFLite's do not, and fuse operators; but both lists are in the
order of execution, so they are aligned as two sequences are (S. B. Needleman and C. D. Wunsch, "A general method
applicable to the search for similarities in the amino acid sequence of two proteins", 1970): two values may be the same
where their shapes agree, and are the likelier so the more their contents correlate. A layer that is broken correlates
with nothing, and is still found between its neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from samesight.conversion.parity.layers import TINY, node_of
from samesight.conversion.qparams import Float32
from samesight.conversion.runners.traced import TracedValue

BY_NAME = 0.5
"""The share of values that must have a node's name for names to be believed."""
SAME_SHAPE = 0.2
"""What the same shape alone is worth, beside a correlation of up to 1."""
SAME_SIZE = 0.1
"""What equal values are worth beside that: a value before and one after a scale or a bias correlate alike."""
SAMPLED = 4096
"""Elements of which a correlation is computed."""


@dataclass(frozen=True)
class Pair:
    """A value inside of an artifact and the node that it stands for.

    `position` is of the value; `channels_last`: its last axis is the node's second.
    """

    position: int
    node: str
    channels_last: bool = False

    def as_node(self, value: Float32, shape: tuple[int, ...]) -> Float32:
        """The value in the node's layout and shape."""
        return (np.moveaxis(value, -1, 1) if self.channels_last else value).reshape(shape)


def _layouts(value: Float32, shape: tuple[int, ...]) -> list[tuple[Float32, bool]]:
    """The value as a node of this shape, in every way that it may be one; and whether its channels are last then."""
    found = [(value, False)] if value.shape == shape else []
    if value.ndim >= 3 and np.moveaxis(value, -1, 1).shape == shape:
        found.append((np.moveaxis(value, -1, 1), True))
    if not found and _sides(value.shape) == _sides(shape):
        found.append((value.reshape(shape), False))
    return found


def _sides(shape: Sequence[int]) -> list[int]:
    return [side for side in shape if side != 1]


def match(traced: Sequence[TracedValue], nodes: Mapping[str, Float32], outputs: Mapping[str, str]) -> list[Pair]:
    """Which values stand for which nodes, in the order of the values.

    Args:
        traced: the values inside of the artifact for one image, in the order of execution.
        nodes: the nodes' values for the same image, likewise.
        outputs: the node of each output, by the output's name.
    """
    names = [outputs.get(value.name) or node_of(value.name, nodes) for value in traced]
    by_name = [
        Pair(position, node)
        for position, (value, node) in enumerate(zip(traced, names, strict=True))
        if node is not None and value.values.shape == nodes[node].shape
    ]
    return by_name if len(by_name) >= BY_NAME * len(traced) else _aligned(traced, nodes)


def _aligned(traced: Sequence[TracedValue], nodes: Mapping[str, Float32]) -> list[Pair]:
    names = list(nodes)
    worth = np.full((len(traced), len(names)), -1.0)
    last = np.zeros(worth.shape, np.bool_)
    for row, value in enumerate(traced):
        for column, name in enumerate(names):
            for candidate, channels_last in _layouts(value.values, nodes[name].shape):
                found = SAME_SHAPE + _likeness(candidate, nodes[name])
                if found > worth[row, column]:
                    worth[row, column], last[row, column] = found, channels_last
    best = np.zeros((len(traced) + 1, len(names) + 1))
    for row in range(1, best.shape[0]):
        for column in range(1, best.shape[1]):
            both = best[row - 1, column - 1] + max(0.0, worth[row - 1, column - 1])
            best[row, column] = max(best[row - 1, column], best[row, column - 1], both)
    pairs: list[Pair] = []
    row, column = len(traced), len(names)
    while row and column:
        if best[row, column] == best[row - 1, column]:
            row -= 1
        elif best[row, column] == best[row, column - 1]:
            column -= 1
        else:
            row, column = row - 1, column - 1
            pairs.append(Pair(row, names[column], bool(last[row, column])))
    return pairs[::-1]


def _likeness(value: Float32, node: Float32) -> float:
    """The correlation of some elements, evenly spaced, 0..1, and up to `SAME_SIZE` more the less they differ.

    0 for what does not vary or is not finite.
    """
    step = max(1, value.size // SAMPLED)
    a: npt.NDArray[np.float64] = value.reshape(-1)[::step].astype(np.float64)
    b: npt.NDArray[np.float64] = node.reshape(-1)[::step].astype(np.float64)
    noise = float((a - b) @ (a - b))
    a, b = a - a.mean(), b - b.mean()
    energy = float(np.sqrt((a @ a) * (b @ b)))
    if not np.isfinite(energy) or energy <= 0.0:
        return 0.0
    return max(0.0, float(a @ b) / energy) + SAME_SIZE * max(0.0, 1.0 - noise / max(float(b @ b), TINY))
