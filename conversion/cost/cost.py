"""Static cost: what can be counted in a graph without running it."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from samesight.contract.documents import Int64, Strict

Count = Annotated[Int64, Field(ge=0)]


class Cost(Strict):
    """The static cost of a program or a file.

    Attributes:
        macs: multiply-accumulates of convolutions, linear layers and matrix products for one image; None where the
            file does not say all shapes. Other operators are counted in `operators` alone.
        parameters: numbers that were learned or fixed before, each counted once.
        weight_bytes: what they take in the file, with scales, zero points and palettes.
        activation_bytes: peak memory of values: the most that the input and all computed values that are still read
            take at one time, in the graph's order of execution. Reshapes take no room of their own, and nothing is
            computed in place; a runtime that fuses or tiles needs less. None where the file does not say all shapes.
        operators: how many of each kind, under the format's own names.
        parts: how many operators each part of the runtime executes (XNNPACK, and the rest), where the file says it.
    """

    macs: Count | None
    parameters: Count
    weight_bytes: Count
    activation_bytes: Count | None
    operators: dict[str, Count]
    parts: dict[str, Count] = Field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One operator for `peak`: the values that it reads and those that it makes."""

    reads: Sequence[Hashable]
    makes: Sequence[Hashable]


def peak(
    steps: Sequence[Step],
    inputs: Iterable[Hashable],
    outputs: Iterable[Hashable],
    size: Mapping[Hashable, int],
) -> int:
    """The most bytes that values take at one time; several names of one value are to be merged before.

    A value is there from the step that makes it to its last reader, both included; `outputs` to the end, and `inputs`,
    which the caller keeps, from the beginning to the end.
    """
    begin = dict.fromkeys(inputs, 0)
    kept = (*begin, *outputs)
    end: dict[Hashable, int] = {}
    for number, step in enumerate(steps):
        for value in step.makes:
            begin.setdefault(value, number)
            end[value] = max(end.get(value, 0), number)
        for value in step.reads:
            end[value] = number
    end |= dict.fromkeys(kept, len(steps))
    changes = [0] * (len(steps) + 2)
    for value, first in begin.items():
        changes[first] += size[value]
        changes[end.get(value, first) + 1] -= size[value]
    total = most = 0
    for change in changes:
        total += change
        most = max(most, total)
    return most


class Merged:
    """Names of values, of which some name the same memory (union-find)."""

    def __init__(self) -> None:
        """Every name is its own value at first."""
        self._parents: dict[Hashable, Hashable] = {}

    def __call__(self, name: Hashable) -> Hashable:
        """The name that stands for all that were merged with this one."""
        while (parent := self._parents.get(name, name)) != name:
            name = parent
        return name

    def merge(self, one: Hashable, other: Hashable) -> None:
        """Both name the same memory from now on."""
        self._parents[self(other)] = self(one)
