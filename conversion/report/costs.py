"""The report's table of what artifacts cost by their graphs alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from samesight.conversion.cost.cost import Cost
from samesight.conversion.report.text import plural, size

MOST = 4


@dataclass(frozen=True)
class CostRow:
    """One artifact; `kinds` are its most frequent operators, `parts` what executes them."""

    name: str
    macs: str
    parameters: str
    weights: str
    activations: str
    operators: str
    kinds: str
    parts: str


def make_cost_rows(costs: Mapping[str, Cost | None]) -> list[CostRow]:
    """A row for each artifact whose file could be read, in their order."""
    return [_row(name, cost) for name, cost in costs.items() if cost is not None]


def count(number: int) -> str:
    """A count in thousands or millions, as 9.28 M."""
    if number < 1000:
        return str(number)
    return f"{number / 1e3:.3g} k" if number < 999_500 else f"{number / 1e6:.4g} M"


def _row(name: str, cost: Cost) -> CostRow:
    operators = sum(cost.operators.values())
    frequent = sorted(cost.operators.items(), key=lambda item: (-item[1], item[0]))
    kinds = ", ".join(f"{number} {kind}" for kind, number in frequent[:MOST])
    return CostRow(
        name=name,
        macs="" if cost.macs is None else count(cost.macs),
        parameters=count(cost.parameters),
        weights=size(cost.weight_bytes),
        activations="" if cost.activation_bytes is None else size(cost.activation_bytes),
        operators=plural(operators, "operator"),
        kinds=kinds + (", …" if len(frequent) > MOST else ""),
        parts=", ".join(f"{number} in {part}" for part, number in cost.parts.items()),
    )
