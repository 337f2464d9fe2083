"""The report's table of artifacts with its small drawings, from verdicts and latencies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from samesight.contract.bundle import Bundle
from samesight.contract.gates import Gate, gate_for
from samesight.contract.manifest import Artifact
from samesight.contract.spec import ModelSpec
from samesight.contract.tasks import TASKS
from samesight.contract.verdicts import FaultWarning, MetricFigures, RoleFigures, Verdict, Verdicts
from samesight.conversion.formats import FORMATS
from samesight.conversion.npu.words import plan_note, plan_warnings
from samesight.conversion.parity.advice import advise
from samesight.conversion.report.text import (
    TIMES,
    State,
    format_decibels,
    milliseconds,
    percent,
    signed,
    size,
    state_of,
)
from samesight.conversion.runners import runner_of, runners_of
from samesight.conversion.runners.bench import Latencies

STATE_TITLES: dict[State, str] = {"pass": "Passed", "fail": "Failed", "not-run": "Not run here"}
FULL_SCALE_DB = 120.0
# The loss is drawn up to this many times the widest gate; larger losses become an arrow.
LOSS_SCALE = 4.0
# Bars of latencies above this many times the reference's are cut off, or one slow runner would flatten all others.
LATENCY_SCALE = 4.0
INTERVAL_WIDTH = 160.0
INTERVAL_MARGIN = 8.0


@dataclass(frozen=True)
class Snr:
    """One raw output's ratio; `bar` and `gate` are shares of the drawn scale, 0 to 120 dB."""

    role: str
    text: str
    detail: str
    gate_text: str
    passed: bool
    bar: float
    gate: float


@dataclass(frozen=True)
class Interval:
    """The loss of the metric: x positions in a drawing of `INTERVAL_WIDTH`; larger is worse."""

    zero: float
    gate: float
    low: float
    high: float
    point: float
    beyond_left: bool
    beyond_right: bool
    kind: Literal["inside", "crossing", "beyond"]
    text: str


@dataclass(frozen=True)
class Loss:
    """The task metric of one artifact and its loss against the server model."""

    value: str
    drop: str
    span: str
    gate_text: str
    passed: bool
    interval: Interval


@dataclass(frozen=True)
class Bar:
    """A figure with a bar, `share` 0..1 of the scale; `mark` is the reference, `cut` that the bar is longer."""

    text: str
    detail: str
    share: float
    mark: float | None = None
    cut: bool = False


@dataclass(frozen=True)
class Row:
    """One artifact as the table shows it."""

    number: int
    name: str
    format: str
    precision: str
    runner: str
    unit: str
    state: State
    inconclusive: bool
    reason: str
    advice: tuple[str, ...]
    snr: tuple[Snr, ...]
    agreement: str
    agreement_details: tuple[str, ...]
    agreement_gate: str
    agreement_passed: bool
    loss: Loss | None
    size: Bar
    latency: Bar | None
    warnings: tuple[FaultWarning, ...]
    plan: str
    plan_warnings: tuple[str, ...]

    @property
    def word(self) -> str:
        """The state as a word for people."""
        return STATE_TITLES[self.state]


def make_rows(bundle: Bundle, verdicts: Verdicts, latencies: Latencies | None) -> list[Row]:
    """One row per verdict, in their order; all drawings of a column share one scale."""
    drop_position = loss_scale([(v.metric, gate_for(v.precision, v.unit)) for v in verdicts.artifacts if v.metric])
    advice = advise(bundle, verdicts)
    largest = max((verdict.bytes for verdict in verdicts.artifacts), default=1) or 1
    return [
        Row(
            number=number,
            name=verdict.name,
            format=FORMATS[verdict.format].title if verdict.format in FORMATS else verdict.format,
            precision=verdict.precision,
            runner=verdict.runner or "",
            unit=_unit(bundle.find(verdict.name)),
            state=state_of(verdict.passed),
            inconclusive=verdict.inconclusive,
            reason=verdict.reason,
            advice=advice.get(verdict.name, ()),
            snr=tuple(_snr(role, gate_for(verdict.precision, verdict.unit)) for role in verdict.roles),
            agreement="" if verdict.agreement is None else percent(verdict.agreement),
            agreement_details=_agreement_details(verdict, bundle.spec),
            agreement_gate=f"{100 * gate_for(verdict.precision, verdict.unit).agreement:g}%",
            agreement_passed=verdict.agreement is None
            or verdict.agreement >= gate_for(verdict.precision, verdict.unit).agreement,
            loss=_loss(verdict.metric, gate_for(verdict.precision, verdict.unit), drop_position)
            if verdict.metric
            else None,
            size=Bar(
                size(verdict.bytes),
                ""
                if verdict.bytes_ratio is None or verdict.precision == "fp32"
                else f"{verdict.bytes_ratio:.2f} of fp32",
                verdict.bytes / largest,
            ),
            latency=_latency(verdict.name, latencies) if latencies else None,
            warnings=verdict.warnings,
            plan=plan_note(bundle.find(verdict.name)),
            plan_warnings=tuple(plan_warnings(bundle.find(verdict.name))),
        )
        for number, verdict in enumerate(verdicts.artifacts)
    ]


def loss_scale(metrics: Sequence[tuple[MetricFigures, Gate]]) -> Callable[[float], float]:
    """From a drop (0..1) to x: all intervals and gates fit, or reach `LOSS_SCALE` times the widest gate."""
    widest = max((gate.metric_drop for _, gate in metrics), default=0.01)
    limit = LOSS_SCALE * widest
    high = min(limit, max([1.25 * widest, *(metric.drop_high for metric, _ in metrics)]))
    low = max(-limit, min([-0.5 * widest, *(metric.drop_low for metric, _ in metrics)]))
    span = INTERVAL_WIDTH - 2 * INTERVAL_MARGIN

    def position(drop: float) -> float:
        return INTERVAL_MARGIN + span * (min(max(drop, low), high) - low) / (high - low)

    return position


def _loss(metric: MetricFigures, gate: Gate, position: Callable[[float], float]) -> Loss:
    low, high = signed(100 * metric.drop_low), signed(100 * metric.drop_high)
    crossing = metric.drop_low <= gate.metric_drop < metric.drop_high
    passed = metric.drop <= gate.metric_drop
    text = f"loses {signed(100 * metric.drop)} points, 95% interval {low} to {high}, gate {100 * gate.metric_drop:g}"
    edge, start = position(float("inf")), position(float("-inf"))
    return Loss(
        value=percent(metric.artifact, 2),
        drop=signed(100 * metric.drop),
        span=f"{low} … {high}",
        gate_text=f"{100 * gate.metric_drop:g}",
        passed=passed,
        interval=Interval(
            zero=position(0.0),
            gate=position(gate.metric_drop),
            low=position(metric.drop_low),
            high=position(metric.drop_high),
            point=position(metric.drop),
            beyond_left=position(metric.drop_low) == start and metric.drop_low < 0,
            beyond_right=position(metric.drop_high) == edge and metric.drop_high > LOSS_SCALE * gate.metric_drop,
            kind="crossing" if crossing else "inside" if passed else "beyond",
            text=text,
        ),
    )


def _snr(figures: RoleFigures, gate: Gate) -> Snr:
    details = []
    if figures.worst_db is not None:
        details.append(f"worst {format_decibels(figures.worst_db)}")
    if figures.answering_db is not None:
        details.append(f"answering {format_decibels(figures.answering_db)}")
    ratio = FULL_SCALE_DB if figures.snr_db is None else figures.snr_db
    return Snr(
        role=figures.role,
        text=format_decibels(figures.snr_db),
        detail=" · ".join(details),
        gate_text=f"{gate.snr_db:g}",
        passed=ratio >= gate.snr_db,
        bar=min(max(ratio / FULL_SCALE_DB, 0.0), 1.0),
        gate=gate.snr_db / FULL_SCALE_DB,
    )


def _agreement_details(verdict: Verdict, spec: ModelSpec) -> tuple[str, ...]:
    details = []
    if TASKS[spec.task].has_boxes and verdict.mean_iou is not None:
        details.append(f"mean IoU {verdict.mean_iou:.3f}")
    if verdict.score_difference is not None and verdict.score_difference >= 5e-5:
        details.append(f"score ± {verdict.score_difference:.4f}")
    return tuple(details)


def _unit(artifact: Artifact) -> str:
    """The unit that the runner computes on, and the unit that the artifact was made for if it is another."""
    unit = (
        runner_of(artifact.format, artifact.unit).unit if runners_of(artifact.format, artifact.unit) else artifact.unit
    )
    target_unit = "" if artifact.unit == unit else f"; made for {artifact.unit.upper()}"
    return f"on {'an' if unit == 'npu' else 'a'} {unit.upper()}{target_unit}"


def _latency(name: str, latencies: Latencies) -> Bar | None:
    longest = max(row.median_ms for row in latencies.artifacts)
    reference = next((row.median_ms for row in latencies.artifacts if row.name == latencies.reference), longest)
    scale = min(longest, LATENCY_SCALE * reference) or 1.0
    for row in latencies.artifacts:
        if row.name == name:
            text = milliseconds(row.median_ms) if row.ratio is None else f"{row.ratio:.2f}{TIMES}"
            share = row.median_ms / scale
            return Bar(text, milliseconds(row.median_ms), min(share, 1.0), reference / scale, share > 1.0)
    return None
