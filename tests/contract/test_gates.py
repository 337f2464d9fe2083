from pathlib import Path

from samesight.contract.gates import GATES

PAGE = Path(__file__).parents[2] / "docs/parity.md"


def test_the_page_shows_the_gates_that_are_in_force():
    rows = [
        f"| {precision} | {gate.snr_db:g} | {100 * gate.agreement:.1f} % | {gate.iou:g} "
        f"| {100 * gate.metric_drop:.1f} points |"
        for precision, gate in GATES.items()
    ]
    assert "\n".join(rows) in PAGE.read_text(encoding="utf-8")
