"""The precisions that an artifact can have: one table. Their gates are in `contract/gates.py` under the same names."""

from dataclasses import dataclass
from typing import Literal

from samesight.contract.gates import GATES, Gate

PrecisionName = Literal[
    "fp32",
    "fp16",
    "int8",
    "dynamic-int8",
    "int8-weights",
    "palette6",
    "palette4",
    "w8a16",
    "int4-weights",
    "mixed",
]


@dataclass(frozen=True)
class Precision:
    """One row.

    Attributes:
        name: as in file names and on the command line.
        calibrated: lowered from a quantized program, so calibration images and saved ranges decide its bytes; the
            others are lowered from the float program. All formats have the same program at one precision.
        interest: a report compares the server model with the artifact of the largest interest among those that ran;
            precisions that lose most have the largest.
        named: made only where it is asked for by name.
    """

    name: PrecisionName
    calibrated: bool
    interest: int
    named: bool = False

    @property
    def gate(self) -> Gate:
        """What an artifact of this precision must reach."""
        return GATES[self.name]


PRECISIONS: dict[PrecisionName, Precision] = {
    row.name: row
    for row in (
        Precision("fp32", calibrated=False, interest=0),
        Precision("fp16", calibrated=False, interest=1),
        Precision("int8", calibrated=True, interest=6),
        Precision("dynamic-int8", calibrated=False, interest=5),
        Precision("int8-weights", calibrated=False, interest=4),
        Precision("palette6", calibrated=False, interest=3),
        Precision("palette4", calibrated=False, interest=2),
        Precision("w8a16", calibrated=True, interest=1, named=True),
        Precision("int4-weights", calibrated=False, interest=2, named=True),
        Precision("mixed", calibrated=True, interest=5, named=True),
    )
}
