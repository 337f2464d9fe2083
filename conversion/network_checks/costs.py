"""The static cost of every artifact of a bundle."""

from samesight.contract.bundle import Bundle
from samesight.conversion.cost.cost import Cost
from samesight.conversion.cost.network import file_cost
from samesight.conversion.network_checks.document import read_facts

OF_TORCH = ("torchscript", "lite", "exported")
"""Formats that hold the prepared program as it is; its cost is theirs."""


def artifact_costs(bundle: Bundle) -> dict[str, Cost | None]:
    """By artifact's name, read from its file; None where nothing here reads it.

    Raises:
        SamesightError: `network.json` is damaged.
    """
    facts = read_facts(bundle.folder)
    program = facts.cost if facts else None
    return {
        artifact.name: program if artifact.format in OF_TORCH else file_cost(bundle.path(artifact), artifact.format)
        for artifact in bundle.manifest.artifacts
    }
