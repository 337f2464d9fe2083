"""Artifacts in a child process: the same results, crashes that are sentences, and rights that are gone."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from samesight.contract.errors import SamesightError
from samesight.contract.manifest import TensorInfo
from samesight.conversion.runners.interface import Runner
from samesight.conversion.runners.isolated import Runtimes

HERE = Path(__file__).parent
IMAGE = TensorInfo(name="image", role="image", shape=(1, 2, 2, 3), dtype="float32")
LOGITS = TensorInfo(name="logits", role="logits", shape=(1, 3), dtype="float32")


@dataclass(frozen=True)
class Tensors:
    input_layout = "float32_nhwc"
    input = IMAGE
    outputs = (LOGITS,)


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Load a file whose text is the behaviour of `hostile_runtime.py`."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(HERE), os.environ.get("PYTHONPATH", ""))))
    # The child imports the table anew, so it finds the row through a module that adds it.
    monkeypatch.setattr("samesight.conversion.runners.isolated.SERVE", "hostile_runtime")
    runtimes = Runtimes()
    runner = Runner("hostile", "Hostile", ("hostile",), "hostile_runtime", "cpu", ())

    def load(behaviour):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.model"
        path.write_text(behaviour)
        return runtimes.load(runner, path, Tensors())

    return load


TENSOR = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


def test_the_results_are_those_of_the_runtime(load):
    first, second = load("sum"), load("sum")
    assert first(TENSOR)["logits"].tolist() == [[66.0, 0.0, 0.0]]
    assert second.seconds_per_call(TENSOR, 3) > 0
    assert first.child is second.child and first.child.starts == 1


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS"])
def test_a_native_crash_is_a_sentence_and_costs_only_its_artifact(load, name):
    good, bad = load("sum"), load(f"call:{name}")
    with pytest.raises(SamesightError, match=f"its runtime was killed by {name}"):
        bad(TENSOR)
    assert good(TENSOR)["logits"][0, 0] == 66
    with pytest.raises(SamesightError, match=f"its runtime was killed by {name}"):
        load(f"load:{name}")
    assert good(TENSOR)["logits"][0, 0] == 66


def test_an_error_of_the_runtime_is_its_sentence(load):
    with pytest.raises(SamesightError, match=r"^RuntimeError: no such kernel$"):
        load("raise")(TENSOR)


@pytest.mark.parametrize("reply", ["garbage", "huge", "objects"])
def test_a_reply_that_is_no_message_is_refused(load, reply):
    model = load(reply)
    with pytest.raises(SamesightError, match="its runtime"):
        model(TENSOR)


@pytest.mark.skipif(sys.platform != "linux", reason="rights are taken away on Linux alone")
@pytest.mark.parametrize(
    "act", ["write", "append", "remove", "rename", "make", "run", "connect", "udp", "kill", "ptrace"]
)
def test_what_running_a_model_does_not_need_is_refused(load, tmp_path, act):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    sleeper = subprocess.Popen(["sleep", "60"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        try:
            with pytest.raises(SamesightError, match="PermissionError"):
                load(f"{act}:{victim}:{server.getsockname()[1]}:{sleeper.pid}")(TENSOR)
            assert sleeper.poll() is None
        finally:
            sleeper.send_signal(signal.SIGKILL)
            sleeper.wait()
    assert victim.read_text() == "mine" and not (tmp_path / "victim-made").exists()


def test_a_process_ends_with_its_models(load):
    model = load("sum")
    process, scratch = model.child.process, Path(model.child.process.args[-1])
    assert process.poll() is None and scratch.is_dir()
    model.child._end()
    assert process.poll() is not None and not scratch.exists()
