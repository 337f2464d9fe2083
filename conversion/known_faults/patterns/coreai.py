"""Patterns of Core AI's operators."""

from samesight.conversion.known_faults.network import Network, Operator


def together(network: Network, *kinds: tuple[str, ...]) -> list[Operator]:
    """One operator of each group of kinds, if there is one of each, in half precision."""
    found = [next(iter(network.of(*group)), None) for group in kinds]
    operators = [operator for operator in found if operator is not None]
    return operators if len(operators) == len(kinds) and operators[0].result.dtype == "float16" else []
