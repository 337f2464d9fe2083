import io

import pytest
from rich.console import Console

from samesight.cli.progress import Rows, result_line
from samesight.conversion.workflow.worker_protocol import Event


def drawn(rows):
    console = Console(file=io.StringIO(), width=120)
    console.print(rows)
    return console.file.getvalue().splitlines()


def test_each_artifact_has_one_row_that_follows_its_events():
    rows = Rows()
    for name in ("a.tflite", "b.pte", "c.onnx", "d.pt"):
        rows.on_event(Event(kind="waiting", name=name))
    rows.on_event(Event(kind="cached", name="d.pt"))
    rows.on_event(Event(kind="begin", name="a.tflite"))
    rows.on_event(Event(kind="step", name="a.tflite", text="calibrating"))
    rows.on_event(Event(kind="begin", name="b.pte"))
    rows.on_event(Event(kind="end", name="b.pte", seconds=4.25))
    waiting, *_ = drawn(Rows({"c.onnx": rows.rows["c.onnx"]}))
    assert waiting.split() == ["·", "c.onnx"]
    lines = drawn(rows)
    assert [line.split()[1] for line in lines] == ["a.tflite", "b.pte", "c.onnx", "d.pt"]
    assert "calibrating" in lines[0]
    assert lines[1].split() == ["✓", "b.pte", "4.2", "s"]
    assert lines[3].split() == ["✓", "d.pt", "cached"]
    rows.on_event(Event(kind="failed", name="a.tflite", text="no such operator"))
    assert drawn(rows)[0].split() == ["✗", "a.tflite", "no", "such", "operator"]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event(kind="end", name="a", seconds=1.0), "a  1.0 s"),
        (Event(kind="cached", name="a"), "a  cached"),
        (Event(kind="begin", name="a"), None),
        (Event(kind="failed", name="a", text="why"), None),
    ],
)
def test_a_log_gets_results_alone(event, line):
    assert result_line(event) == line
