"""`samesight spec` at a real terminal: a child process on a pseudo-terminal, answered, answered badly, and left."""

import os
import pty
import select
import sys
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from samesight.contract.spec import read_spec

pytestmark = pytest.mark.slow

NETS = """
from torch import nn

def classifier():
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
"""
SIZE, LABELS, MEAN, DEVIATION, FRAMING = (
    "Width and height",
    "Names of the 4",
    "Mean that",
    "Deviation that",
    "How do images",
)
MINUTES = 5


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "nets_at_terminal.py").write_text(NETS)
    weight = numpy_helper.from_array(np.ones((4, 3, 16, 16), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], strides=[16, 16]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, "h", "w"))
    graph = helper.make_graph(nodes, "g", [image], [helper.make_tensor_value_info("scores", 1, ("n", 4))], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    return tmp_path


def at_terminal(folder, arguments, answers):
    """Run `samesight` on a terminal, and type each answer once its question stands there; exit code, and all that
    stood there, but for what was asked and never came."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ["PYTHONIOENCODING"] = "utf-8:strict"  # as where the locale is not C
        os.execv(sys.executable, [sys.executable, "-m", "samesight", *arguments])
    shown, read, waiting = "", 0, list(answers)
    end = time.monotonic() + 60 * MINUTES
    try:
        while time.monotonic() < end:
            if select.select([terminal], [], [], 1.0)[0]:
                try:
                    data = os.read(terminal, 4096)
                except OSError:  # the child has ended
                    break
                shown += data.decode(errors="replace")
            # The colon, and the default before it, end a question.
            if waiting and waiting[0][0] in shown[read:] and shown.endswith(": "):
                read = len(shown)
                os.write(terminal, waiting.pop(0)[1])
    finally:
        os.close(terminal)
    assert not waiting, shown
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.replace("\r\n", "\n")


def test_nonsense_is_asked_again_and_answers_are_written(folder):
    code, shown = at_terminal(
        folder,
        ["spec", "nets_at_terminal:classifier", "--out", "model.json"],
        [
            (SIZE, b"large\n"),
            (SIZE, b"48x64\n"),
            (LABELS, b"cat,dog\n"),
            (LABELS, ",".join(f"{name} {'long ' * 60}" for name in ("a", "b", "c")).encode() + b"\n"),
            (LABELS, b"\xff\xfe\n"),
            (LABELS, b"cat,dog,fox\n"),
            (LABELS, b"cat,dog,fox,owl\n"),
            (MEAN, b"nan,0,0\n"),
            (MEAN, b"0.5,0.4,0.3\n"),
            (DEVIATION, b"0,1,1\n"),
            (DEVIATION, b"0.2,0.2,0.2\n"),
            (FRAMING, b"middle\n"),
            (FRAMING, b"crop\n"),
        ],
    )
    assert code == 0, shown
    spec = read_spec(folder / "model.json")
    assert (spec.input.width, spec.input.height, spec.labels) == (48, 64, ("cat", "dog", "fox", "owl"))
    assert (spec.input.mean, spec.input.std) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
    assert spec.input.framing.rule == "crop"
    said = [line.partition(":")[2].strip() for line in shown.splitlines() if line.startswith("Error")]
    for sentence, words in zip(
        said,
        (
            "is no size",
            "neither a file",
            "neither a file",
            "UTF-8",
            "names of 4",
            "a number per channel",
            "above 0",
            "'middle' is not one of",
        ),
        strict=True,
    ):
        assert words in sentence
    assert "Traceback" not in shown


def test_empty_answers_take_what_is_proposed(folder):
    answers = [(question, b"\n") for question in (SIZE, LABELS, MEAN, DEVIATION, FRAMING)]
    code, shown = at_terminal(folder, ["spec", "m.onnx", "--out", "model.json"], answers)
    assert code == 0, shown
    spec = read_spec(folder / "model.json")
    assert (spec.input.width, spec.input.mean, spec.input.std) == (224, (0.0,) * 3, (1.0,) * 3)
    assert spec.labels[0] == "class 0" and spec.input.framing.rule == "stretch"


def test_a_librarys_spec_needs_no_answers(folder):
    code, shown = at_terminal(folder, ["spec", "timm:test_resnet", "--out", "model.json"], [])
    assert code == 0 and shown.splitlines()[-1] == "model.json: written"
    assert read_spec(folder / "model.json").input.width == 160


@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_who_leaves_gets_one_sentence_and_no_file(folder, key):
    before = {path.name for path in folder.iterdir()}
    code, shown = at_terminal(folder, ["spec", "m.onnx", "--out", "model.json"], [(SIZE, b"64\n"), (LABELS, key)])
    assert code == 130
    assert shown.splitlines()[-1] == "samesight: interrupted" and "Traceback" not in shown
    assert {path.name for path in folder.iterdir()} == before


def test_a_place_where_nothing_can_be_written_is_said_before_it_asks(folder):
    code, shown = at_terminal(folder, ["spec", "m.onnx", "--out", "nowhere/model.json"], [])
    assert code == 2 and shown.splitlines() == [
        "samesight: --out nowhere/model.json: its folder does not exist; give the file to write"
    ]
