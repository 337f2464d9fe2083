"""Rows of the report's second table: the verdicts on apps' own code."""

from collections.abc import Sequence
from dataclasses import dataclass

from samesight.contract.device_results import Proof
from samesight.contract.verdicts import AppVerdict
from samesight.conversion.apps.host import THIS_COMPUTER
from samesight.conversion.report.text import State, format_decibels, milliseconds, percent, state_of

STATE_TITLES: dict[State, str] = {"pass": "Passed", "fail": "Failed", "not-run": "Not used"}
PROOF_TITLES: dict[Proof, str] = {
    "certain": "certain",
    "timing": "faster than the CPU can be",
    "requested": "requested, not proven",
}


@dataclass(frozen=True)
class AppRow:
    """One artifact on one unit of one device."""

    name: str
    app: str
    device: str
    unit: str
    state: State
    word: str
    reason: str
    proof: str
    snr: str
    agreement: str
    time: str
    detail: str


def make_app_rows(verdicts: Sequence[AppVerdict]) -> list[AppRow]:
    """One row per verdict, in their order."""
    return [_row(verdict) for verdict in verdicts]


def phones(verdicts: Sequence[AppVerdict]) -> list[str]:
    """The devices that are not this computer, each once."""
    return list(dict.fromkeys(v.device for v in verdicts if not v.device.startswith(THIS_COMPUTER)))


def _row(verdict: AppVerdict) -> AppRow:
    state = state_of(verdict.passed)
    ran = verdict.proof is not None
    times = verdict.times
    return AppRow(
        name=verdict.name,
        app=verdict.app,
        device=f"{verdict.device}, {verdict.system}",
        unit=verdict.unit.upper(),
        state=state,
        word=STATE_TITLES[state],
        reason=verdict.reason,
        proof=PROOF_TITLES[verdict.proof] if verdict.proof else "",
        snr=format_decibels(verdict.snr_db) if ran else "",
        agreement="" if verdict.agreement is None else percent(verdict.agreement),
        time=milliseconds(times.steady) if times else "",
        detail=_detail(verdict),
    )


def _detail(verdict: AppVerdict) -> str:
    if verdict.times is None:
        return ""
    parts = [f"first {milliseconds(verdict.times.first)}", f"load {milliseconds(verdict.times.load)}"]
    return " · ".join([*(["slower than the CPU"] if verdict.slower else []), *parts, *verdict.delegates])
