"""network.json: what is known of the prepared network that a bundle's artifacts were made from.

It stays on this computer, as server.json does; `verify`, `inspect` and the report read it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from samesight.contract.documents import Document, Int32, read_document
from samesight.contract.verdicts import FaultWarning
from samesight.conversion.cost.cost import Cost

if TYPE_CHECKING:
    from samesight.conversion.preparation.prepare import Prepared
    from samesight.conversion.qparams import UInt8

FILE = "network.json"
IMAGES = 4
"""How many calibration images are run in halves: each costs three runs of the network."""
NAMED = 3
IN_INTEGERS = ("int8", "w8a16")
BEYOND_HALVES = ("half-overflow", "half-long-sum")
"""Risks of an int8 `.tflite` too: LiteRT's GPU computes its steps times their scale, in halves."""
APPLE = ("coreml", "executorch-coreml", "coreai")


class NetworkFacts(Document):
    """The prepared network.

    Attributes:
        cost: what it costs.
        images: how many calibration images `risks` come from; without any, nothing is known of them.
        risks: what goes wrong in half precision.
        places: by known fault, the operators that it may be about and the modules that they stand in.
    """

    schema_version: Literal[1] = 1
    cost: Cost
    images: Int32
    risks: tuple[FaultWarning, ...] = ()
    places: dict[str, tuple[str, ...]] = Field(default_factory=dict)


def facts_of(prepared: "Prepared", images: "UInt8 | None") -> NetworkFacts:
    """Look at a prepared network; `images` are calibration inputs, uint8 [n, H, W, C], of which the first are run."""
    from samesight.conversion.cost.program import program_cost
    from samesight.conversion.network_checks.halves import half_risks
    from samesight.conversion.network_checks.places import places_of

    shown = None if images is None else images[:IMAGES]
    return NetworkFacts(
        cost=program_cost(prepared.exported),
        images=0 if shown is None else len(shown),
        risks=() if shown is None else tuple(half_risks(prepared, shown)),
        places=places_of(prepared.exported),
    )


def read_facts(bundle: Path) -> NetworkFacts | None:
    """Read `network.json`; None for a bundle without, as earlier versions made them.

    Raises:
        SamesightError: it is damaged.
    """
    return read_document(NetworkFacts, bundle / FILE) if (bundle / FILE).exists() else None


def computes_in_halves(format: str, precision: str) -> bool:
    """Whether phones' GPUs or NPUs compute an artifact in half precision.

    LiteRT's and Vulkan's do so with float files by default; Apple's with float16 programs.
    """
    if format in APPLE or format == "executorch-vulkan":
        return precision not in ("fp32", *IN_INTEGERS)
    return format == "litert" and precision not in IN_INTEGERS


def with_facts(
    warnings: Iterable[FaultWarning], facts: NetworkFacts | None, format: str, precision: str
) -> tuple[FaultWarning, ...]:
    """The warnings about a file, with the modules of its operators, and those about its network in halves."""
    if facts is None:
        return tuple(warnings)
    named = []
    for warning in warnings:
        names = facts.places.get(warning.id, ())[:NAMED]
        named.append(warning.model_copy(update={"operators": names}) if names else warning)
    return (*named, *_risks(facts, format, precision))


def _risks(facts: NetworkFacts, format: str, precision: str) -> Iterable[FaultWarning]:
    if computes_in_halves(format, precision):
        return facts.risks
    if (format, precision) != ("litert", "int8"):
        return ()
    return [risk.model_copy(update={"units": ("gpu",)}) for risk in facts.risks if risk.id in BEYOND_HALVES]
