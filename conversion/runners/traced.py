"""A value inside an artifact while it runs, as a runner's `trace` gives it."""

from dataclasses import dataclass

from samesight.conversion.qparams import Float32


@dataclass(frozen=True)
class TracedValue:
    """One value: its name in the file, the operator that computed it, and what it was, in real numbers.

    `values` has the file's own layout, with the batch of 1.
    """

    name: str
    operator: str
    values: Float32
