"""`samesight train` as people type it."""

import json
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from samesight.cli.train import train
from samesight.contract.errors import UsageError

pytestmark = pytest.mark.slow

SMALL = ["--limit", "64", "--epochs", "1", "--threads", "1"]


def test_help_shows_examples_without_torch():
    code = (
        "import sys; from samesight.cli.train import train; "
        "train(['--help'], standalone_mode=False); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "samesight train digits --out" in done.stdout and done.stdout.endswith("False\n")


def test_two_devices_give_one_run_and_json_alone_on_standard_output(tmp_path):
    devices = ["--accelerator", "cpu", "--devices", "2", "--strategy", "ddp"]
    command = [sys.executable, "-m", "samesight", "train", "digits", *SMALL, *devices, "--json"]
    command += ["--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["run"] == str(tmp_path / "run") and 0 <= printed["metrics"]["top1"] <= 1
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert abs(record["metrics"]["top1"] * 359 % 1 - 0.5) > 0.49, "each test image is counted once"
    assert done.stderr.count("epoch 1/1") == 1 and "Traceback" not in done.stderr


def test_killed_and_resumed(tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "samesight", "train"]
    training = subprocess.Popen(
        [*command, "digits", "--limit", "400", "--epochs", "4", "--threads", "1", "--out", str(run)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    patience = time.monotonic() + 120
    while not (tmp_path / "run.partial" / "checkpoints" / "last.ckpt").exists():
        assert training.poll() is None and time.monotonic() < patience
        time.sleep(0.05)
    training.kill()
    training.wait()
    assert not run.exists()
    done = subprocess.run([*command, "--resume", str(run)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "epoch 4/4" in done.stderr and "epoch 1/4" not in done.stderr
    assert f"samesight convert {run}" in done.stdout and (run / "run.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "DATA"),
        (["digit"], "unknown"),
        (["digits", "--resume", "x"], "--resume"),
        (["--from", "x"], "--qat"),
        (["--qat"], "--from"),
        (["digits", "--lr", "-1"], "--lr"),
    ],
)
def test_contradicting_arguments(arguments, words):
    result = CliRunner().invoke(train, arguments)
    assert isinstance(result.exception, UsageError) and words in str(result.exception)


def test_a_size_is_a_number_or_two():
    result = CliRunner().invoke(train, ["digits", "--size", "64by64"])
    assert result.exit_code == 2 and "320x240" in result.output
