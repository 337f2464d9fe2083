"""Real workers, on the small classifier and in formats that need torch alone."""

import selectors
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from samesight.contract.files import sha256
from samesight.contract.golden import read_cases
from samesight.contract.image import load_picture
from samesight.contract.preprocess import preprocess
from samesight.conversion import environments
from samesight.conversion.sources.source import open_source
from samesight.conversion.workflow import processes
from samesight.conversion.workflow.jobs import make_job
from samesight.conversion.workflow.plan import choose
from samesight.conversion.workflow.processes import Child, _serve, run_workers
from samesight.conversion.workflow.worker import run
from samesight.conversion.workflow.worker_protocol import GOLDEN, GoldenJob

pytestmark = pytest.mark.slow

SAID = "its converter ended with code 3; its last lines: one | no python here"


@pytest.fixture
def job(tmp_path, digits_run):
    """The job of making a `.pt`, a `.ptl` and a `.pt2`, each in its own folder below `tmp_path`."""
    source = open_source(str(digits_run))
    return make_job(source, source.network, choose("digits", ["pt", "ptl", "pt2"]), lambda name: tmp_path / name)


def children():
    return psutil.Process().children(recursive=True)


def test_items_are_made_in_order_and_a_failure_costs_itself_alone(tmp_path, job):
    (tmp_path / "golden").mkdir()
    unwritable = job.targets[1].model_copy(update={"output": str(tmp_path / "nowhere" / "digits.fp32.ptl")})
    golden = GoldenJob(output=str(tmp_path / "golden"), source=None, seed=0)
    changed = job.model_copy(update={"golden": golden, "targets": (job.targets[0], unwritable, job.targets[2])})
    (tmp_path / "nowhere").write_text("")
    events = []
    peak = run_workers([changed], tmp_path, events.append)

    story = [(event.kind, event.name) for event in events if event.kind != "step"]
    assert story == [
        ("begin", GOLDEN),
        ("end", GOLDEN),
        ("begin", "digits.fp32.pt"),
        ("end", "digits.fp32.pt"),
        ("begin", "digits.fp32.ptl"),
        ("failed", "digits.fp32.ptl"),
        ("begin", "digits.fp32.pt2"),
        ("end", "digits.fp32.pt2"),
    ]
    (step,) = [event for event in events if event.kind == "step"]
    assert (step.name, step.text) == ("digits.fp32.pt", "preparing")
    (failure,) = [event for event in events if event.kind == "failed"]
    assert failure.text.startswith("unexpected RuntimeError: ")
    assert "\n" not in failure.text
    assert not failure.fatal
    artifact = next(event.artifact for event in events if event.kind == "end" and event.artifact)
    assert (artifact.name, artifact.file) == ("digits.fp32.pt", "artifacts/digits.fp32.pt")
    assert (artifact.format, artifact.precision, artifact.input_layout) == ("torchscript", "fp32", "float32_nchw")
    assert (tmp_path / "digits.fp32.pt" / artifact.file).stat().st_size > 10_000
    assert len(read_cases(tmp_path / "golden")) == 24
    assert 100 << 20 < peak < 4 << 30


def test_a_worker_that_dies_costs_what_it_was_making_and_another_takes_over(tmp_path, job):
    events = []

    def tell(event):
        events.append(event)
        if event.kind == "begin" and event.name == "digits.fp32.pt":
            (worker,) = children()
            worker.send_signal(signal.SIGSEGV)

    run_workers([job], tmp_path, tell)
    failed = {event.name: event.text for event in events if event.kind == "failed"}
    assert list(failed) == ["digits.fp32.pt"]
    assert failed["digits.fp32.pt"].startswith("its converter was killed by SIGSEGV; its last lines: ")
    assert [event.name for event in events if event.kind == "end"] == ["digits.fp32.ptl", "digits.fp32.pt2"]


def test_a_worker_that_cannot_start_fails_all_its_items_and_ends(tmp_path, job, monkeypatch):
    crash = tmp_path / "python"
    crash.write_text("#!/bin/sh\necho one >&2; echo no python here >&2; exit 3\n")
    crash.chmod(0o755)
    monkeypatch.setattr(environments.sys, "executable", str(crash))
    events = []
    run_workers([job], tmp_path, events.append)
    assert [event.name for event in events] == ["digits.fp32.pt", "digits.fp32.ptl", "digits.fp32.pt2"]
    assert {event.text for event in events} == {SAID}
    # Both pipes may have ended before either is looked at; then the one for events may come first.
    child = Child(job, 1, tmp_path, list(job.items))
    with selectors.DefaultSelector() as selector:
        child.start(selector)
        child.process.wait()
        for key, _ in sorted(selector.select(), key=lambda ready: ready[0].fileobj is child.process.stderr):
            _serve(key, selector, events.append)
        assert not selector.get_map()
    assert events[3:] == events[:3]


def test_who_stops_listening_ends_all_workers(tmp_path, job):
    second = job.model_copy(update={"targets": job.targets[1:]})

    def tell(event):
        assert len(children()) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_workers([job, second], tmp_path, tell)
    assert children() == []


def test_an_interrupt_while_a_worker_starts_ends_it_too(tmp_path, job, monkeypatch):
    started = []

    def start(*words, **options):
        started.append(subprocess.Popen(*words, **options))
        signal.raise_signal(signal.SIGINT)
        return started[-1]

    processes.fixed_addresses()  # starts one of its own, once
    pipes = {"PIPE": subprocess.PIPE, "DEVNULL": subprocess.DEVNULL}
    monkeypatch.setattr(processes, "subprocess", SimpleNamespace(Popen=start, **pipes))
    with pytest.raises(KeyboardInterrupt):
        run_workers([job], tmp_path, lambda event: None)
    assert [process.returncode for process in started] == [-signal.SIGKILL]


def test_a_corrupt_image_is_one_sentence(tmp_path, job):
    """In this process, as nothing dies."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(job.calibration[0]).read_bytes()[:60])
    (tmp_path / "golden").mkdir()
    golden = GoldenJob(output=str(tmp_path / "golden"), source=None, seed=0)
    changed = job.model_copy(update={"calibration": (str(broken),), "golden": golden, "targets": job.targets[:1]})
    events = []
    run(changed, events.append)
    failed = {event.name: event.text for event in events if event.kind == "failed"}
    sentence = f"{broken}: the image is damaged or cut off (image file is truncated); replace it"
    assert failed == {GOLDEN: sentence, "digits.fp32.pt": sentence}


def test_calibrating_is_repeatable_and_saved_ranges_replace_it(tmp_path, digits_run, digits_prepared):
    """What lets two processes quantize one model alike."""
    from samesight.conversion.quantization.quantize import quantize

    source = open_source(str(digits_run))
    targets = choose("digits", ["onnx"], ["int8"])

    def ranges_of(job):
        events = []
        run(job, events.append)
        (end,) = [event for event in events if event.kind == "end"]
        return end.ranges

    calibrated = make_job(source, source.network, targets, lambda name: tmp_path / "one" / name)
    pictures = [load_picture(path) for path in source.calibration]
    inputs = np.stack([preprocess(picture, source.spec.input)[0] for picture in pictures])
    quantized = quantize(digits_prepared, inputs)
    assert ranges_of(calibrated) == quantized.sha256

    other = quantize(digits_prepared, inputs[:2]).ranges.to_json()
    assert other != quantized.ranges.to_json()
    (tmp_path / "quantization.json").write_text(other)
    trained = make_job(source, source.network, targets, lambda name: tmp_path / "two" / name)
    trained = trained.model_copy(update={"ranges": str(tmp_path / "quantization.json")})
    assert ranges_of(trained) == sha256(other.encode())
