"""Holds the table of known faults against one file."""

from collections.abc import Callable
from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.contract.verdicts import FaultWarning
from samesight.conversion.known_faults import KNOWN_FAULTS
from samesight.conversion.known_faults.network import Network
from samesight.conversion.known_faults.readers import READERS
from samesight.conversion.quiet import mute

NAMED = 3
"""How many operators a warning names."""


def network_of(path: Path, format: str) -> Network | None:
    """What a file computes; None where the format has no reader, or a library that reads it is not installed.

    Raises:
        SamesightError: it is damaged.
    """
    reader: Callable[[Path], Network] | None = READERS.get(format)
    if reader is None:
        return None
    with mute():  # what it imports may print
        try:
            return reader(path)
        except ImportError:
            return None


def warnings_of(path: Path, format: str) -> tuple[FaultWarning, ...]:
    """The known faults whose pattern a file has, in the table's order.

    A file that cannot be read has none: its runner says what is wrong with it.
    """
    try:
        network = network_of(path, format)
    except SamesightError:
        return ()
    return () if network is None else matching(network, format)


def matching(network: Network, format: str) -> tuple[FaultWarning, ...]:
    """The known faults of a format whose pattern a network has."""
    warnings = []
    for fault in KNOWN_FAULTS.values():
        found = fault.matches(network) if format in fault.formats else ()
        if found:
            warnings.append(
                FaultWarning(
                    id=fault.id,
                    title=fault.title,
                    severity=fault.severity,
                    units=fault.units,
                    versions=fault.versions,
                    operators=tuple(operator.name or operator.kind for operator in found[:NAMED]),
                    count=len(found),
                    remedy=fault.remedy,
                    source=fault.source,
                )
            )
    return tuple(warnings)
