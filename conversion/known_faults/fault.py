"""One row: a fault that was reported publicly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from samesight.contract.manifest import Unit
from samesight.contract.verdicts import Severity
from samesight.conversion.known_faults.network import Network, Operator

Pattern = Callable[[Network], Sequence[Operator]]


@dataclass(frozen=True)
class Fault:
    """A fault of a runtime.

    Attributes:
        id: runtime, unit and pattern, with dashes; stands in verdicts.
        title: what goes wrong with what, in half a sentence.
        formats: of the table of formats whose files it concerns.
        units: where it was seen.
        versions: of the runtime, the system or the device in the report; and in which it was mended.
        pattern: the operators, in words.
        matches: the operators of a network that have the pattern.
        wrong: what was seen.
        source: the report.
        remedy: the rewrite or the setting that avoids it.
        severity: `wrong` values without an error, it `fails`, or it is `slow` because the unit does not take it.
    """

    id: str
    title: str
    formats: tuple[str, ...]
    units: tuple[Unit, ...]
    versions: str
    pattern: str
    matches: Pattern
    wrong: str
    source: str
    remedy: str
    severity: Severity
