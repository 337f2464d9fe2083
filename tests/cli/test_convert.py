"""`samesight convert` with real workers, in the formats that need torch alone, and killed at every stage."""

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from samesight import convert
from samesight.contract.bundle import open_bundle

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRESS = re.compile(r"(digits\.fp32\.pt2|golden cases|network checks)  \d+\.\d s")


def environment(cache):
    return {**os.environ, "SAMESIGHT_CACHE": str(cache), "PYTHONPATH": str(ROOT / "src")}


def samesight(cache, *arguments, folder=None, prefix=()):
    return subprocess.run(
        [sys.executable, "-P", *prefix, "-m", "samesight", *map(str, arguments)],
        env=environment(cache),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def converted(shared_folder, digits_run):
    """A folder with a bundle `out` of a `.pt2` with its verdicts, the `cache` that has it, and what was `said`."""

    def make(folder):
        folder.mkdir()
        done = samesight(folder / "cache", "convert", digits_run, "--out", folder / "out", "--to", "pt2")
        assert done.returncode == 0, done.stderr
        (folder / "said").write_text(done.stdout + done.stderr)

    return shared_folder("converted", make)


def test_it_converts_verifies_and_says_so(converted):
    bundle, said = open_bundle(converted / "out"), (converted / "said").read_text()
    assert [artifact.name for artifact in bundle.manifest.artifacts] == ["digits.fp32.pt2"]
    assert bundle.verdicts().passed
    assert bundle.manifest.data.metric > 0.9
    assert f"{converted / 'out'}: written, 1 artifact (0 from the cache) in" in said
    assert "server model: top1 0.9" in said
    assert "golden cases  " in said


def test_with_nothing_changed_it_answers_at_once_and_imports_no_torch(converted, digits_run):
    arguments = ("convert", digits_run, "--out", converted / "out", "--to", "pt2", "--json")
    started = time.perf_counter()
    done = samesight(converted / "cache", *arguments, prefix=("-X", "importtime"))
    seconds = time.perf_counter() - started
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["unchanged"]
    assert told["passed"]
    assert told["artifacts"][0]["cached"]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "samesight.conversion.workflow.convert" in imported
    assert not imported & {"torch", "executorch", "litert_torch", "coremltools", "onnx", "onnxruntime"}
    assert seconds < 4


def test_from_python_an_artifact_answers_as_the_server_model_does(tmp_path, converted, digits_run, monkeypatch):
    monkeypatch.setenv("SAMESIGHT_CACHE", str(converted / "cache"))
    convert(digits_run, tmp_path / "out", to=["pt2"])
    bundle = convert(str(digits_run), str(tmp_path / "out"), to=["pt2"])
    ask = bundle.artifact("digits.fp32.pt2")
    for case in bundle.golden_cases():
        given = ask(case.picture)
        assert [answer.label for answer in given] == [answer.label for answer in case.answers]
        np.testing.assert_allclose([a.score for a in given], [a.score for a in case.answers], atol=1e-5)


THEIRS = "from torch import nn\ndef make():\n    return nn.Sequential(nn.Flatten(1), nn.Linear(3 * 32 * 32, 10))\n"


@pytest.fixture
def theirs(tmp_path, digits_run):
    """A person's own folder: code, a spec and some images."""
    (tmp_path / "their_net.py").write_text(THEIRS)
    shutil.copy(digits_run / "model.json", tmp_path / "spec.json")
    shutil.copytree(digits_run / "calibration", tmp_path / "photos")
    return tmp_path


OWN = ("--spec", "spec.json", "--calibration", "photos", "--to", "pt2", "--no-verify")


def test_a_persons_function_becomes_a_bundle(theirs):
    done = samesight(theirs / "cache", "convert", "their_net:make", "--out", "out", *OWN, folder=theirs)
    assert done.returncode == 0, done.stderr
    bundle = open_bundle(theirs / "out")
    assert bundle.manifest.data is None
    assert len(bundle.golden_cases()) == 24
    program = torch.export.load(str(theirs / "out/artifacts/digits.fp32.pt2")).module()
    assert program(torch.zeros(1, 3, 32, 32))[0].shape == (1, 10)


def test_their_packages_may_be_called_like_folders_of_ours(theirs):
    for package in ("training", "conversion", "contract", "datasets", "tests"):
        (theirs / package).mkdir()
        (theirs / package / "__init__.py").write_text("")
        (theirs / package / "parts.py").write_text("from torch import nn\n\n\ndef part():\n    return nn.Identity()\n")
    imports = "".join(
        f"from {package} import parts as {package}_parts\n" for package in ("contract", "conversion", "tests")
    )
    (theirs / "training" / "nets.py").write_text(
        f"{imports}\n{THEIRS}".replace("nn.Flatten(1)", "contract_parts.part(), tests_parts.part(), nn.Flatten(1)")
    )
    done = samesight(theirs / "cache", "convert", "training.nets:make", "--out", "out", *OWN, folder=theirs)
    assert done.returncode == 0, done.stderr
    assert open_bundle(theirs / "out").find("digits.fp32.pt2")


def test_a_spec_that_contradicts_the_network_is_one_sentence(theirs):
    network = torch.nn.Sequential(torch.nn.Flatten(1), torch.nn.Linear(3 * 32 * 32, 9))
    torch.export.save(torch.export.export(network, (torch.zeros(1, 3, 32, 32),)), str(theirs / "mine.pt2"))
    done = samesight(theirs / "cache", "convert", "mine.pt2", "--out", "out", *OWN, folder=theirs)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "output 'logits' is [1, 9], but the spec means [1, 10]" in line
    assert not (theirs / "out").exists()


def test_a_full_disk_is_one_sentence_and_leaves_nothing(small_disk, tmp_path, digits_run):
    done = samesight(
        tmp_path / "cache", "convert", digits_run, "--out", small_disk / "out", "--to", "pt2", "--no-verify"
    )
    assert done.returncode == 1
    # What was made before the disk was full has its line of progress.
    (line,) = (line for line in done.stderr.splitlines() if not PROGRESS.fullmatch(line))
    assert "no space left on device" in line.lower()
    assert list(small_disk.iterdir()) == []


def wrong(arguments):
    return subprocess.run(
        [sys.executable, "-m", "samesight", "convert", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--to", "tfjs"],
            "unknown format 'tfjs'; choose among pt, ptl, pt2, onnx, pte, tflite, mlpackage, coreml.pte, vulkan.pte, "
            "aimodel",
        ),
        (
            ["--precision", "int4"],
            "unknown precision 'int4'; choose among fp32, fp16, int8, dynamic-int8, int8-weights, palette6, palette4, "
            "w8a16, int4-weights, mixed",
        ),
        (["--to", "pt", "--precision", "int8"], "TorchScript (.pt) holds no int8, only fp32"),
        (["--spec", "x.json"], "is a run, which holds its own spec and images"),
    ],
)
def test_a_wrong_request_is_one_sentence_with_code_2(tmp_path, digits_run, arguments, sentence):
    done = wrong([str(digits_run), "--out", str(tmp_path / "out"), *arguments])
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert sentence in line


def workers_of(folder):
    """Workers that work on a job below `folder`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "samesight.conversion.workflow.worker" in line and any(str(folder) in word for word in line):
            found.append(process)
    return found


def holds(folder, pattern):
    """Whether `folder` holds such a file; it may vanish under the look, when the command moves on or clears it."""
    try:
        return any(fnmatch.fnmatch(path.name, pattern) for path in Path(folder).iterdir())
    except FileNotFoundError:
        return False


STAGES = {
    "begun": lambda out: (out.with_name("out.new") / "work").exists(),
    "workers running": lambda out: holds(out.with_name("out.new") / "work", "worker-*.json"),
    "something made": lambda out: holds(out.with_name("out.new") / "golden", "*"),
    "sealed": lambda out: (out.with_name("out.new") / "manifest.json").exists(),
    "exchanging": lambda out: out.with_name("out.old").exists(),
}


def test_a_kill_at_any_moment_loses_nothing_and_a_rerun_finishes(tmp_path, digits_run, converted):
    out = tmp_path / "out"
    shutil.copytree(converted / "out", out)
    shutil.copytree(converted / "cache", tmp_path / "cache")
    old = open_bundle(out)
    command = [sys.executable, "-P", "-m", "samesight", "convert", str(digits_run), "--out", str(out), "--no-verify"]
    reached = []
    for stage, is_reached in STAGES.items():
        # Two formats beside the old one: a new bundle each time, and workers that have something to do.
        arguments = ["--to", "pt2,pt,ptl", *(["--no-cache"] if stage in ("workers running", "something made") else [])]
        running = subprocess.Popen(
            [*command, *arguments], env=environment(tmp_path / "cache"), stderr=subprocess.DEVNULL
        )
        while running.poll() is None and not is_reached(out):
            time.sleep(0.0005)
        if running.poll() is None:
            reached.append(stage)
        running.kill()
        running.wait()
        found = open_bundle(out)
        assert len(found.manifest.artifacts) in (1, 3)
        assert found.manifest == old.manifest or len(found.manifest.artifacts) == 3
        deadline = time.monotonic() + 20
        while workers_of(tmp_path):
            assert time.monotonic() < deadline, "a worker outlived its command"
            time.sleep(0.1)
    assert {"begun", "workers running", "something made"} <= set(reached)
    done = samesight(tmp_path / "cache", *command[4:], "--to", "pt2,pt,ptl")
    assert done.returncode == 0, done.stderr
    assert len(open_bundle(out).manifest.artifacts) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "out"]


def test_an_interrupt_leaves_the_old_bundle_and_no_process(tmp_path, digits_run, converted):
    out = tmp_path / "out"
    shutil.copytree(converted / "out", out)
    command = [sys.executable, "-P", "-m", "samesight", "convert", str(digits_run), "--out", str(out), "--no-verify"]
    running = subprocess.Popen(command, env=environment(tmp_path / "cache"), stderr=subprocess.PIPE, text=True)
    while not workers_of(tmp_path):
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 130
    assert errors.strip() == "samesight: interrupted"
    assert open_bundle(out).manifest == open_bundle(converted / "out").manifest
    assert workers_of(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out"]
