"""Rows of the report's table of phones' processors: artifacts on what plays them here."""

from collections.abc import Sequence
from dataclasses import dataclass

from samesight.contract.verdicts import TargetVerdict
from samesight.conversion.report.text import State, format_decibels, percent

STATE_TITLES: dict[State, str] = {"pass": "Passed", "fail": "Failed"}


@dataclass(frozen=True)
class TargetRow:
    """One artifact on one runner."""

    name: str
    title: str
    note: str
    unit: str
    state: State
    word: str
    reason: str
    snr: str
    agreement: str
    equal: str
    near: str


def make_target_rows(verdicts: Sequence[TargetVerdict]) -> list[TargetRow]:
    """One row per verdict, in their order."""
    return [_row(verdict) for verdict in verdicts]


def _row(verdict: TargetVerdict) -> TargetRow:
    state: State = "pass" if verdict.passed else "fail"
    ran = verdict.images > 0
    return TargetRow(
        name=verdict.name,
        title=verdict.title,
        note=verdict.note,
        unit=verdict.unit.upper(),
        state=state,
        word=STATE_TITLES[state],
        reason=verdict.reason,
        snr=format_decibels(verdict.snr_db) if ran else "",
        agreement="" if verdict.agreement is None else percent(verdict.agreement),
        equal="" if verdict.equal is None else percent(verdict.equal),
        near="" if verdict.near is None else percent(verdict.near),
    )
