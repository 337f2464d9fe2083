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


def write_options(folder, text):
    path = folder / "training.yaml"
    path.write_text(text)
    return path


def test_options_come_from_a_file_and_the_command_line_wins(tmp_path, samesight_here):
    text = f"data: digits\nout: {tmp_path / 'run'}\nepochs: 1\nlr: 2e-3\nlimit: 32\nthreads: 1\nsize: 32x48\nseed: 7\n"
    done = samesight_here("train", "--config", write_options(tmp_path, text + "batch-size: 16\n"), "--limit", "16")
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    wanted = {"epochs": 1, "learning_rate": 2e-3, "limit": 16, "width": 32, "height": 48, "seed": 7, "batch_size": 16}
    assert {key: config[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch: 1", "unknown key 'epoch'; the keys are accelerator, "),
        ("resume: x", "unknown key 'resume'"),
        ("epochs: [1]", "epochs is a list; give one value"),
        ("lr: 1\nlearning-rate: 2", "unknown key 'learning-rate'"),
        ("batch-size: 1\nbatch_size: 2", "batch_size stands there twice"),
        ("- epochs", "holds no options"),
        ("epochs: 'a", "not a YAML document in line 1"),
        ("a: !!python/object/apply:os.system [true]", "not a YAML document"),
    ],
)
def test_a_file_that_is_wrong_has_one_sentence(tmp_path, text, words):
    path = write_options(tmp_path, text)
    result = CliRunner().invoke(train, ["--config", str(path), "digits"])
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith(str(path)) and words in str(result.exception)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize(
    ("text", "words"),
    [("epochs: many", "--epochs"), ("epochs: yes", "--epochs"), ("framing: none", "--framing"), ("qat: much", "--qat")],
)
def test_a_value_that_is_wrong_is_refused_as_on_the_command_line(tmp_path, text, words):
    result = CliRunner().invoke(train, ["--config", str(write_options(tmp_path, text)), "digits"])
    assert result.exit_code == 2 and words in result.output


def test_damaged_images_are_listed_as_json(tmp_path, samesight_here):
    for i in range(20):
        path = tmp_path / "data" / ("a" if i % 2 else "b") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no image %d" % i)
    done = samesight_here("train", f"folder:{tmp_path / 'data'}", "--out", tmp_path / "run", "--json")
    assert done.returncode == 1 and "20 images cannot be read" in done.stderr
    listed = json.loads(done.stdout)["damaged"]
    assert len(listed) == 20 and {"image", "reason"} == listed[0].keys()
