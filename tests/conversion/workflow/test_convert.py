"""The workflow with workers that only pretend: what is made anew, and what is lost when something fails."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

import samesight
from samesight.cli.main import main
from samesight.contract.answers import Answer
from samesight.contract.bundle import open_bundle
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.golden import write_cases
from samesight.contract.manifest import Artifact, TensorInfo
from samesight.conversion import api, environments
from samesight.conversion.api import PartialError
from samesight.conversion.formats import find_row
from samesight.conversion.npu.chips import find_chips
from samesight.conversion.workflow import bench, jobs
from samesight.conversion.workflow import conversion as conversion_module
from samesight.conversion.workflow import convert as convert_module
from samesight.conversion.workflow.cache import Cache
from samesight.conversion.workflow.convert import convert_source
from samesight.conversion.workflow.server_answers import server_answers
from samesight.conversion.workflow.worker_protocol import CHECKS, GOLDEN, INTERCHANGE, Event

INT8 = {"digits.int8.onnx", "digits.int8.pte", "digits.int8.tflite"}
ALL = {
    GOLDEN,
    CHECKS,
    "digits.fp32.pt",
    "digits.fp32.ptl",
    "digits.fp32.pt2",
    "digits.fp32.onnx",
    "digits.fp32.pte",
    "digits.fp32.tflite",
    "digits.fp16.tflite",
    "digits.dynamic-int8.tflite",
    "digits.fp16.mlpackage",
    "digits.fp16.aimodel",
    *INT8,
}


class Pretender:
    """Workers that write each item's name instead of converting. `made` lists the items of the last conversion."""

    def __init__(self):
        self.note, self.failing, self.fatal, self.ranges, self.made, self.during = (
            "",
            {},
            False,
            {},
            [],
            lambda name: None,
        )
        self.calibrations = 0

    def run(self, given, folder, on_event):
        for job in given:
            if job.golden:
                self.item(GOLDEN, on_event, lambda job=job: self.golden(job))
            if job.checks:
                self.item(CHECKS, on_event, lambda job=job: self.checks(job))
            if job.interchange:
                self.item(INTERCHANGE, on_event, lambda: Event(kind="end"))
            for target in job.targets:
                if target.precision == "int8" and job.kept_calibration:
                    self.calibrate(Path(job.kept_calibration))
                self.item(target.name, on_event, lambda target=target: self.target(target))
        return 1 << 30

    def calibrate(self, kept):
        if not kept.is_file():
            self.calibrations += 1
            kept.write_text("found")

    def item(self, name, on_event, make):
        self.made.append(name)
        on_event(Event(kind="begin", name=name))
        self.during(name)
        if name in self.failing:
            on_event(Event(kind="failed", name=name, text=self.failing[name], fatal=self.fatal))
        else:
            on_event(make().model_copy(update={"name": name, "seconds": 1.5}))

    def golden(self, job):
        folder = Path(job.golden.output)
        write_cases(folder, [])
        if job.golden.source:
            given = [[Answer("3", 3, 0.5)], [Answer("4", 4, 0.75)]]
            (folder / "server.json").write_text(server_answers(job.spec, 0.5, given).to_json())
        return Event(kind="end", text=self.note)

    def checks(self, job):
        (Path(job.checks) / "network.json").write_text("{}")
        return Event(kind="end")

    def target(self, target):
        output = Path(target.output)
        if output.suffix == ".mlpackage":
            output.mkdir()
            output = output / "weights"
        output.write_text(target.name)
        shape = (1, 32, 32, 3)
        artifact = Artifact(
            name=target.name,
            file=target.file,
            format=find_row(target.format).written,
            precision=target.precision,
            runtime="none",
            runtime_version="1",
            input_layout="float32_nhwc",
            input=TensorInfo(name="image", role="image", shape=shape, dtype="float32", layout="nhwc"),
            outputs=(TensorInfo(name="logits", role="logits", shape=(1, 10), dtype="float32"),),
            tools={},
            bytes=0,
        )
        ranges = self.ranges.get(target.name, "same") if target.precision == "int8" else None
        return Event(kind="end", artifact=artifact, ranges=ranges)


@pytest.fixture
def workers(monkeypatch):
    pretender = Pretender()
    monkeypatch.setattr(conversion_module, "run_workers", pretender.run)
    # Ours may change under a running test only while it is written; then nothing would come from the cache.
    monkeypatch.setattr(jobs, "code_version", lambda: "one")
    return pretender


@pytest.fixture
def run(tmp_path, digits_run):
    return shutil.copytree(digits_run, tmp_path / "run")


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def again(workers, *arguments, **options):
    workers.made.clear()
    return convert_source(*arguments, **options)


def test_a_bundle_holds_everything_and_says_so(tmp_path, run, cache, workers, digits_spec):
    events = []
    outcome = convert_source(run, tmp_path / "out", cache=cache, on_event=events.append)
    bundle = open_bundle(tmp_path / "out")
    assert outcome.bundle == bundle
    assert set(workers.made) == ALL
    assert {artifact.name for artifact in bundle.manifest.artifacts} == ALL - {GOLDEN, CHECKS}
    assert bundle.spec == digits_spec
    assert bundle.manifest.data.model_dump() == {
        "source": "digits",
        "seed": 0,
        "split": "test",
        "metric_name": "top1",
        "metric": 0.5,
    }
    assert bundle.path(bundle.find("digits.int8.pte")).read_text() == "digits.int8.pte"
    assert bundle.find("digits.fp16.mlpackage").bytes == len("digits.fp16.mlpackage")
    assert not (tmp_path / "out/work").exists()
    assert (outcome.unchanged, outcome.failures, outcome.cached) == (False, {}, [])
    assert outcome.seconds == dict.fromkeys(workers.made, 1.5)
    waiting = [event.name for event in events if event.kind == "waiting"]
    assert waiting[0] == GOLDEN
    assert set(waiting) == ALL


def test_with_nothing_changed_nothing_is_made_and_the_bundle_is_left_alone(tmp_path, run, cache, workers):
    first = convert_source(run, tmp_path / "out", cache=cache)
    (tmp_path / "out/parity.json").write_text("{}")
    (tmp_path / "out/report.html").write_text("look")
    before = os.stat(tmp_path / "out")  # noqa: PTH116
    outcome = again(workers, run, tmp_path / "out", cache=cache)
    assert workers.made == []
    assert outcome.unchanged
    assert set(outcome.cached) == ALL
    assert outcome.bundle == first.bundle
    assert os.stat(tmp_path / "out").st_ino == before.st_ino  # noqa: PTH116
    assert (tmp_path / "out/report.html").read_text() == "look"
    elsewhere = again(workers, run, tmp_path / "elsewhere", cache=cache)
    assert workers.made == []
    assert not elsewhere.unchanged
    assert elsewhere.bundle.manifest == first.bundle.manifest


def test_workers_and_later_conversions_calibrate_once(tmp_path, run, cache, workers):
    convert_source(run, tmp_path / "out", ("pte", "tflite"), ("int8",), cache=cache)
    assert {"digits.int8.pte", "digits.int8.tflite"} < set(workers.made) and workers.calibrations == 1
    again(workers, run, tmp_path / "out", ("onnx",), ("int8",), cache=cache)
    assert "digits.int8.onnx" in workers.made and workers.calibrations == 1
    again(workers, run, tmp_path / "out", ("onnx",), ("int8",), cache=None)
    assert workers.calibrations == 2
    change_calibration(run)
    again(workers, run, tmp_path / "out", ("onnx",), ("int8",), cache=cache)
    assert workers.calibrations == 3
    # What nobody calibrates for takes no calibration along.
    kept = len(list(cache.root.glob("*/files/calibration.pt")))
    again(workers, run, tmp_path / "floats", ("onnx",), ("fp32",), cache=cache)
    assert kept == len(list(cache.root.glob("*/files/calibration.pt"))) == 2


def change_weights(run):
    import zipfile

    with zipfile.ZipFile(run / "network.pt2", "a") as archive:
        archive.writestr("network/extra/more", "x")


def change_spec(run):
    text = (run / "model.json").read_text()
    (run / "model.json").write_text(text.replace('"top_k": 5', '"top_k": 3'))


def change_calibration(run):
    Image.new("RGB", (9, 9), (1, 2, 3)).save(run / "calibration" / "000.png")


def change_ranges(run):
    (run / "quantization.json").write_text("{}")


def change_seed(run):
    (run / "run.json").write_text(json.dumps({"data": {"source": "digits", "seed": 1}}))


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        (change_weights, ALL),
        (change_spec, ALL),
        (change_calibration, {GOLDEN, CHECKS, *INT8}),  # golden cases: their note says what kind the images are
        (change_ranges, INT8),
        (change_seed, {GOLDEN}),
    ],
)
def test_what_changed_is_made_anew_and_nothing_else(tmp_path, run, cache, workers, change, anew):
    convert_source(run, tmp_path / "out", cache=cache)
    change(run)
    again(workers, run, tmp_path / "out", cache=cache)
    assert set(workers.made) == anew


def test_a_network_that_cannot_be_checked_is_a_note(tmp_path, run, cache, workers):
    workers.failing = {CHECKS: "unexpected ValueError: odd"}
    outcome = convert_source(run, tmp_path / "out", cache=cache)
    assert not outcome.failures and "the network itself was not checked: unexpected ValueError: odd" in outcome.notes
    assert not (tmp_path / "out/network.json").exists()


def test_another_version_of_a_converter_makes_its_formats_anew(tmp_path, run, cache, workers, monkeypatch):
    convert_source(run, tmp_path / "out", cache=cache)
    original = jobs.tool_versions
    monkeypatch.setattr(
        jobs,
        "tool_versions",
        lambda packages: {**original(packages), **({"executorch": "9"} if "executorch" in packages else {})},
    )
    again(workers, run, tmp_path / "out", cache=cache)
    assert set(workers.made) == {"digits.fp32.pte", "digits.int8.pte"}
    monkeypatch.setattr(jobs, "code_version", lambda: "two")
    again(workers, run, tmp_path / "out", cache=cache)
    assert set(workers.made) == ALL


def test_without_a_cache_everything_is_made(tmp_path, run, cache, workers):
    convert_source(run, tmp_path / "out", cache=cache)
    assert again(workers, run, tmp_path / "out").unchanged
    assert set(workers.made) == ALL


def test_a_failure_leaves_the_others_and_is_tried_again(tmp_path, run, cache, workers):
    workers.failing = {"digits.int8.pte": "no such operator"}
    outcome = convert_source(run, tmp_path / "out", cache=cache)
    assert outcome.failures == {"digits.int8.pte": "no such operator"}
    assert {artifact.name for artifact in outcome.bundle.manifest.artifacts} == ALL - {
        GOLDEN,
        CHECKS,
        "digits.int8.pte",
    }
    workers.failing = {}
    assert again(workers, run, tmp_path / "out", cache=cache).failures == {}
    assert workers.made == ["digits.int8.pte"]
    assert open_bundle(tmp_path / "out").find("digits.int8.pte")


def install_routes(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "tools_root", lambda: tmp_path / "tools")
    (tmp_path / "tools/classic").mkdir(parents=True)
    for name in ("python-onnx-tf", "python-onnx2tf"):
        (tmp_path / "tools/classic" / name).touch(0o755)
    (tmp_path / "tools/classic/installed").touch()


def test_python_takes_other_routes_too(tmp_path, run, cache, workers, monkeypatch):
    install_routes(tmp_path, monkeypatch)
    monkeypatch.setattr(api, "default_root", lambda: cache.root)
    bundle = api.convert(str(run), tmp_path / "out", to=["tflite"], precision=["int8"], via=["onnx2tf"])
    assert [artifact.name for artifact in bundle.manifest.artifacts] == ["digits.int8.onnx2tf.tflite"]
    with pytest.raises(UsageError, match="no route 'onnx2tff'; did you mean onnx2tf"):
        api.convert(str(run), tmp_path / "other", via=["onnx2tff"])


def test_other_routes_wait_for_their_onnx_file_and_fail_without_it(tmp_path, run, cache, workers, monkeypatch):
    install_routes(tmp_path, monkeypatch)
    arguments = (run, tmp_path / "out", ["tflite"], ["int8"])
    workers.failing = {INTERCHANGE: "no such operator"}
    outcome = convert_source(*arguments, cache=cache, via=["own", "onnx-tf", "onnx2tf"])
    assert workers.made == [GOLDEN, CHECKS, INTERCHANGE, "digits.int8.tflite"]
    assert outcome.failures == dict.fromkeys(
        ["digits.int8.onnx-tf.tflite", "digits.int8.onnx2tf.tflite"], "no such operator"
    )
    workers.failing = {}
    outcome = again(workers, *arguments, cache=cache, via=["onnx-tf", "onnx2tf"])
    assert workers.made == [INTERCHANGE, "digits.int8.onnx-tf.tflite", "digits.int8.onnx2tf.tflite"]
    assert [artifact.format for artifact in outcome.bundle.manifest.artifacts] == ["litert", "litert"]
    assert again(workers, *arguments, cache=cache, via=["onnx-tf"]).cached == [
        GOLDEN,
        CHECKS,
        "digits.int8.onnx-tf.tflite",
    ]
    assert workers.made == []


def test_compiled_files_follow_their_sources(tmp_path, run, cache, workers, monkeypatch):
    """A chip more is one file more; a source that fails takes its files along, and no other."""
    monkeypatch.setattr(convert_module, "require_compilers", lambda chips: None)

    def made(*chips, cache=cache):
        wanted = {"formats": ["tflite"], "precisions": ["fp32", "int8"], "cache": cache, "chips": find_chips(chips)}
        outcome = again(workers, run, tmp_path / "b", **wanted)
        return outcome, set(workers.made)

    outcome, items = made("SM8650")
    both = {f"digits.{precision}.SM8650.tflite" for precision in ("fp16", "int8")}
    assert items == {GOLDEN, CHECKS, "digits.fp32.tflite", "digits.int8.tflite"} | both
    assert [artifact.name for artifact in outcome.bundle.manifest.artifacts][2:] == sorted(both)
    assert made("SM8650", "SM8750")[1] == {f"digits.{precision}.SM8750.tflite" for precision in ("fp16", "int8")}
    assert made("SM8650", "SM8750")[1] == set()
    workers.failing = {"digits.int8.tflite": "it is bad"}

    outcome, items = made("SM8650", cache=None)
    assert outcome.failures == {
        "digits.int8.tflite": "it is bad",
        "digits.int8.SM8650.tflite": "digits.int8.tflite, from which it is compiled, could not be made",
    }
    assert "digits.fp16.SM8650.tflite" in items and "digits.int8.SM8650.tflite" not in items


def test_routes_and_chips_in_one_conversion(tmp_path, run, cache, workers, monkeypatch):
    """Only the own converter's files are compiled; a route that fails takes none of them along."""
    install_routes(tmp_path, monkeypatch)
    monkeypatch.setattr(convert_module, "require_compilers", lambda chips: None)
    workers.failing = {INTERCHANGE: "no such operator"}
    outcome = convert_source(
        run, tmp_path / "b", ["tflite"], ["int8"], cache=cache, chips=find_chips(["SM8650"]), via=["own", "onnx-tf"]
    )
    assert outcome.failures == {"digits.int8.onnx-tf.tflite": "no such operator"}
    names = [artifact.name for artifact in outcome.bundle.manifest.artifacts]
    assert names == ["digits.int8.tflite", "digits.int8.SM8650.tflite"]


def test_from_python_a_failure_is_raised_with_the_bundle_of_the_others(tmp_path, run, workers):
    workers.failing = {"digits.fp32.ptl": "deprecated at last"}
    with pytest.raises(PartialError, match=r"digits\.fp32\.ptl could not be made: deprecated at last") as caught:
        samesight.convert(run, tmp_path / "out", to=["pt", "ptl"], cache=False)
    assert [artifact.name for artifact in caught.value.bundle.manifest.artifacts] == ["digits.fp32.pt"]


@pytest.mark.parametrize("fault", ["all fail", "golden cases fail", "disk full", "ranges differ", "interrupted"])
def test_what_spoils_the_whole_conversion_leaves_the_old_bundle(tmp_path, run, workers, fault):
    convert_source(run, tmp_path / "out", ["pt"])
    old = open_bundle(tmp_path / "out")
    expected, error = {
        "all fail": ("no artifact could be made: broken", SamesightError),
        "golden cases fail": ("spec and network differ", SamesightError),
        "disk full": ("no space", SamesightError),
        "ranges differ": ("the processes found different activation ranges", SamesightError),
        "interrupted": ("", KeyboardInterrupt),
    }[fault]
    if fault == "all fail":
        workers.failing = dict.fromkeys(ALL - {GOLDEN, CHECKS}, "broken")
    elif fault == "golden cases fail":
        workers.failing = {GOLDEN: "spec and network differ"}
    elif fault == "disk full":
        workers.failing, workers.fatal = {"digits.fp32.pte": "no space"}, True
    elif fault == "ranges differ":
        workers.ranges = {"digits.int8.pte": "other"}
    else:

        def interrupt(name):
            if name == "digits.int8.tflite":
                raise KeyboardInterrupt

        workers.during = interrupt
    with pytest.raises(error, match=expected):
        convert_source(run, tmp_path / "out")
    assert open_bundle(tmp_path / "out") == old
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == ["out"]


def test_what_was_made_before_an_interruption_is_not_made_again(tmp_path, run, cache, workers):
    def interrupt(name):
        if name == "digits.fp32.pte":
            raise KeyboardInterrupt

    workers.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        convert_source(run, tmp_path / "out", cache=cache)
    before = set(workers.made) - {"digits.fp32.pte"}
    workers.during = lambda name: None
    again(workers, run, tmp_path / "out", cache=cache)
    assert before
    assert set(workers.made) == ALL - before


def test_a_bundle_that_was_damaged_is_made_good(tmp_path, run, cache, workers):
    convert_source(run, tmp_path / "out", cache=cache)
    (tmp_path / "out/artifacts/digits.fp32.pt").write_text("tampered")
    assert not convert_source(run, tmp_path / "out", cache=cache).unchanged
    assert open_bundle(tmp_path / "out").find("digits.fp32.pt").bytes == len("digits.fp32.pt")


def test_a_cache_that_cannot_be_written_is_noted(tmp_path, run, workers):
    (tmp_path / "file").write_text("")
    outcome = convert_source(run, tmp_path / "out", ["pt"], cache=Cache(tmp_path / "file" / "cache"))
    (note,) = outcome.notes
    assert "file/cache: cannot be written" in note
    assert outcome.bundle.find("digits.fp32.pt")


def test_a_note_of_a_worker_is_told_again_when_its_work_comes_from_the_cache(tmp_path, run, cache, workers):
    workers.note = "the data is not here"
    assert convert_source(run, tmp_path / "out", ["pt"], cache=cache).notes == ["the data is not here"]
    assert again(workers, run, tmp_path / "out", ["pt"], cache=cache).notes == ["the data is not here"]
    assert workers.made == []


def test_a_folder_that_is_no_bundle_is_left_alone(tmp_path, run, workers):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("precious")
    with pytest.raises(SamesightError, match="photos: exists and is not a bundle, so it is left alone"):
        convert_source(run, tmp_path / "photos")
    assert (tmp_path / "photos" / "holiday.jpg").read_text() == "precious"
    assert workers.made == []


def test_an_unwritable_place_is_refused_before_any_work(tmp_path, run, workers):
    (tmp_path / "file").write_text("")
    with pytest.raises(SamesightError, match="file: is a file where a folder has to be; choose another place"):
        convert_source(run, tmp_path / "file" / "out")
    with pytest.raises(SamesightError, match=r"/proc/out: cannot be written .*; choose another place"):
        convert_source(run, "/proc/out")
    assert workers.made == []


@pytest.mark.parametrize(("formats", "precisions"), [(["tfjs"], []), ([], ["int4"]), (["pt"], ["int8"])])
def test_a_wrong_request_is_refused_before_any_work(tmp_path, run, workers, formats, precisions):
    with pytest.raises(UsageError):
        convert_source(run, tmp_path / "out", formats, precisions)
    assert workers.made == []
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_failed_and_exits_with_1(tmp_path, run, workers, monkeypatch, capsys):
    monkeypatch.setenv("SAMESIGHT_CACHE", str(tmp_path / "cache"))
    workers.failing, workers.note = {"digits.fp32.ptl": "deprecated at last"}, "the data is not here"
    arguments = ["convert", str(run), "--out", str(tmp_path / "out"), "--to", "pt,ptl", "--no-verify"]
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--json"])
    assert caught.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert told["failed"] == [{"name": "digits.fp32.ptl", "reason": "deprecated at last"}]
    assert told["artifacts"] == [{"name": "digits.fp32.pt", "bytes": 14, "cached": False, "seconds": 1.5}]
    assert set(told["notes"]) == {"the data is not here"}
    assert told["passed"] is None
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 1
    said = capsys.readouterr()
    assert "samesight: digits.fp32.ptl could not be made: deprecated at last" in said.err
    assert "note: the data is not here" in said.err
    assert f"{tmp_path / 'out'}: unchanged, 1 artifact (1 from the cache)" in said.out
    workers.failing = {}
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0


def test_timing_compares_together_with_one_after_another(run, workers, monkeypatch):
    monkeypatch.setattr(bench, "run_workers", workers.run)
    workers.during = lambda name: time.sleep(0.01)
    seen = []
    measured = bench.time_conversion(str(run), seen.append)
    names = [one.name for one in measured.alone]
    assert seen == ["all together", *names]
    assert set(names) == ALL - {GOLDEN, CHECKS}
    assert workers.made[: len(ALL)].count(GOLDEN) == 1
    assert workers.made[len(ALL) :] == names
    assert all(one.seconds >= 0.01 for one in measured.alone)
    assert measured.ratio == pytest.approx(measured.together / sum(one.seconds for one in measured.alone))
    assert measured.peak_bytes == 1 << 30
    workers.failing = {"digits.int8.pte": "no such operator"}
    with pytest.raises(SamesightError, match=r"digits\.int8\.pte could not be made: no such operator"):
        bench.time_conversion(str(run))


def test_timing_is_printed_with_its_limits():
    alone = (bench.Alone(name="a.tflite", seconds=60.0), bench.Alone(name="b.pte", seconds=40.0))
    text = bench.print_timing(bench.Timing(together=50.0, cached=0.5, alone=alone, ratio=0.5, peak_bytes=3 << 30))
    assert "50.0 s (above the limit of 45 on two idle cores)" in text
    assert "0.50   (above the limit of 0.4 on two idle cores)" in text
    assert "3.00 GiB (within the limit of 4 on two idle cores)" in text
