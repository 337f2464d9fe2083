"""What `samesight demo` leaves: trained as well as promised, converted to every format, judged, and small."""

import json

import pytest

from samesight.contract.bundle import open_bundle

SUFFIXES = {
    "fp32": ("pt", "ptl", "pt2", "onnx", "pte", "tflite"),
    "fp16": ("tflite", "mlpackage", "aimodel"),
    "int8": ("onnx", "pte", "tflite"),
    "dynamic-int8": ("tflite",),
}


@pytest.mark.parametrize(("name", "metric", "least"), [("digits", "top1", 0.985), ("scenes", "map50", 0.95)])
def test_the_server_models_are_as_good_as_promised(demo, name, metric, least):
    run = json.loads((demo / "runs" / name / "run.json").read_text())
    assert run["metrics"][metric] >= least
    # What the bundle's server model scores is what training measured: the spec says how the network is fed.
    assert open_bundle(demo / name).manifest.data.metric == pytest.approx(run["metrics"][metric], abs=0.01)


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_every_format_is_there_and_judged(demo, name):
    bundle = open_bundle(demo / name)
    expected = {f"{name}.{precision}.{suffix}" for precision, all_ in SUFFIXES.items() for suffix in all_}
    assert {artifact.name for artifact in bundle.manifest.artifacts} == expected
    verdicts = bundle.verdicts()
    assert verdicts is not None and verdicts.passed
    for verdict in verdicts.artifacts:
        assert verdict.passed is True, verdict.reason
        assert verdict.metric is not None


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_int8_is_small(demo, name):
    ratios = {v.name: v.bytes_ratio for v in open_bundle(demo / name).verdicts().artifacts}
    assert ratios[f"{name}.int8.tflite"] <= 0.33
    assert ratios[f"{name}.int8.pte"] <= 0.33
    assert ratios[f"{name}.int8.onnx"] <= 0.50


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_golden_cases_show_faults_and_are_not_many_bytes(demo, name):
    bundle = open_bundle(demo / name)
    cases = bundle.golden_cases()
    assert len(cases) >= 24
    assert sum(e.bytes for e in bundle.manifest.files if e.path.startswith("golden/")) <= 20_000_000
    pictures = [case.picture for case in cases]
    assert sum(picture.pixels[:, :, 0].tolist() != picture.pixels[:, :, 2].tolist() for picture in pictures) >= 8
    assert sum(picture.width != picture.height for picture in pictures) >= 8
    assert sum(picture.orientation.exif != 1 for picture in pictures) >= 6
    assert {case.yuv.layout for case in cases if case.yuv} == {"i420", "nv12", "nv21"}


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_the_report_is_one_page(demo, name):
    page = (demo / name / "report.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert f"{name}.int8.tflite" in page and len(page) < 3_000_000


def test_a_second_demo_makes_nothing_anew(demo, samesight):
    before = {name: (demo / name / "manifest.json").stat().st_mtime_ns for name in ("digits", "scenes")}
    for name in before:
        done = samesight("convert", demo / "runs" / name, "--out", demo / name, "--json")
        assert done.returncode == 0, done.stderr
    assert before == {name: (demo / name / "manifest.json").stat().st_mtime_ns for name in before}
