"""The gates that an artifact must pass to ship, by precision. docs/parity.md shows this table; a test compares both."""

from dataclasses import dataclass

from samesight.contract.errors import SamesightError
from samesight.contract.manifest import Unit


@dataclass(frozen=True)
class Gate:
    """The least that an artifact of one precision must reach.

    Attributes:
        snr_db: pooled signal-to-noise ratio of every raw output, in dB; the signal is the reference's energy about its
            mean per channel, so that a constant output scores 0 dB or less.
        agreement: share of answers that are the server model's (top-1; boxes of the same label and IoU >= `iou`).
        iou: least overlap of two boxes of the same label that count as the same answer.
        metric_drop: the most that the task metric (0..1) may lose.
    """

    snr_db: float
    agreement: float
    iou: float
    metric_drop: float


GATES: dict[str, Gate] = {
    "fp32": Gate(snr_db=80.0, agreement=0.995, iou=0.95, metric_drop=0.002),
    "fp16": Gate(snr_db=40.0, agreement=0.995, iou=0.95, metric_drop=0.002),
    "int8": Gate(snr_db=18.0, agreement=0.98, iou=0.8, metric_drop=0.01),
    "dynamic-int8": Gate(snr_db=18.0, agreement=0.98, iou=0.8, metric_drop=0.01),
    "int8-weights": Gate(snr_db=30.0, agreement=0.99, iou=0.8, metric_drop=0.005),
    "palette6": Gate(snr_db=22.0, agreement=0.98, iou=0.8, metric_drop=0.01),
    "palette4": Gate(snr_db=13.0, agreement=0.96, iou=0.8, metric_drop=0.01),
    "w8a16": Gate(snr_db=30.0, agreement=0.99, iou=0.8, metric_drop=0.005),
    "int4-weights": Gate(snr_db=13.0, agreement=0.96, iou=0.8, metric_drop=0.01),
    "mixed": Gate(snr_db=18.0, agreement=0.98, iou=0.8, metric_drop=0.01),
}

# Int8 artifacts of one bundle come from one quantized program: the mean distance of their outputs, in steps, that is
# still due to the runtimes' rounding.
STEPS_APART = 0.5


def gate_for(precision: str, unit: Unit) -> Gate:
    """The gate of an artifact of this precision on this unit.

    A GPU or an NPU computes float networks in halves, so fp32 has the gate of fp16 there.

    Raises:
        SamesightError: a precision of a newer samesight.
    """
    if precision not in GATES:
        raise SamesightError(f"precision {precision!r} has no gate here (known: {', '.join(GATES)}); update samesight")
    return GATES["fp16" if precision == "fp32" and unit != "cpu" else precision]
