"""The iOS app's engine, unmodified, on the real LiteRT library: Python's answers, and every fault told."""

import json
import os
import shutil
from pathlib import Path

import pytest

from samesight.contract.answers import answers
from samesight.contract.bundle import open_bundle
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Stretch
from samesight.conversion.apps.device_results import judge_device, read_device_parity
from samesight.conversion.apps.ios import build, run_host
from samesight.conversion.runners import runner_of
from support.faulty import input_changed, labels_turned, only, rescaled, reseal, shifted_zero_point, stored_as

APP = Path(__file__).parents[2] / "ios_app"
# What runs a command among Swift's packages calls these.
SYSTEM_TOOLS = ("unshare", "mount", "chroot", "id", "mkdir", "dirname", "swift")
TASKS = ("digits", "scenes")
PRECISIONS = ("fp32", "fp16", "int8", "dynamic-int8")


@pytest.fixture(scope="module")
def host(swift, tmp_path_factory):
    """Runs the app's self-test on a bundle; gives what it exported."""
    built = build(APP)

    def run(folder, units=("cpu",)):
        results = tmp_path_factory.mktemp("host") / "device-parity.json"
        run_host(APP, built, folder, results, units)
        return read_device_parity(results, open_bundle(folder))

    return run


@pytest.fixture(scope="module")
def parities(host, demo):
    return {name: host(demo / name) for name in TASKS}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", TASKS)
def test_the_apps_code_passes(parities, demo, name, precision):
    bundle = open_bundle(demo / name)
    assert parities[name].app == "iOS app" and parities[name].device == "this computer"
    verdicts = {verdict.name: verdict for verdict in judge_device(bundle, parities[name])}
    assert set(verdicts) == {f"{name}.{precision}.tflite" for precision in PRECISIONS}
    verdict = verdicts[f"{name}.{precision}.tflite"]
    assert verdict.passed, verdict.reason
    assert verdict.proof == "certain" and verdict.times.steady > 0.0
    # Some cases come as camera bytes too.
    assert verdict.images > len(bundle.golden_cases())


def apart(given, expected):
    """Largest differences of scores and of box sides; the answers must be the same in the same order."""
    assert [(a.label, a.index) for a in given] == [(a.label, a.index) for a in expected]
    scores = [abs(a.score - b.score) for a, b in zip(given, expected, strict=True)]
    pairs = [(a.box or (), b.box or ()) for a, b in zip(given, expected, strict=True)]
    sides = [abs(x - y) for one, other in pairs for x, y in zip(one, other, strict=True)]
    return max(scores, default=0.0), max(sides, default=0.0)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", TASKS)
def test_its_answers_are_pythons(parities, demo, name, precision):
    """Python runs the same file with LiteRT's interpreter; two builds of its kernels differ in the last bits."""
    bundle = open_bundle(demo / name)
    artifact = bundle.find(f"{name}.{precision}.tflite")
    run = runner_of("litert").load(bundle.path(artifact), artifact)
    cases = {case.id: case for case in bundle.golden_cases()}
    (unit,) = (unit for unit in parities[name].runs if unit.artifact == artifact.name)
    assert {case.id for case in unit.cases} == set(cases)
    for case in unit.cases:
        tensor, geometry = preprocess(cases[case.id].picture, bundle.spec.input)
        score, side = apart(case.answers, answers(run(tensor), bundle.spec, geometry))
        assert score <= 1e-6 and side <= 1e-3, case.id


def test_no_unit_is_called_what_it_is_not(host, demo):
    """Here LiteRT has a CPU alone; asked for {GPU, CPU} it would run there and say nothing."""
    parity = host(demo / "digits", ("npu", "gpu", "cpu"))
    fates = {(run.artifact, run.unit): run for run in parity.runs}
    assert len(fates) == 12
    for (_, unit), run in fates.items():
        assert (run.refusal is None) == (unit == "cpu") == (run.proof is not None) == bool(run.cases)
    assert "no way to the Neural Engine" in fates["digits.fp32.tflite", "npu"].refusal
    assert "LiteRT refuses" in fates["digits.fp32.tflite", "gpu"].refusal


FAULTS = {
    "scale of the outputs wrong": (only("scenes.int8.tflite", rescaled), None, "int8", "dB"),
    "zero point of the outputs shifted": (only("scenes.int8.tflite", shifted_zero_point(40)), None, "int8", "dB"),
    "bytes packed as floats": (only("scenes.int8.tflite", stored_as("float32_nhwc")), None, "int8", ""),
    "labels off by one": (lambda artifact: artifact, labels_turned, "fp32", "answers agree on"),
    "channels declared bgr": (lambda artifact: artifact, input_changed(channels="bgr"), "fp32", "input tensor"),
    "another filter declared": (lambda artifact: artifact, input_changed(filter="bicubic"), "fp32", "input tensor"),
    "another framing declared": (lambda artifact: artifact, input_changed(framing=Stretch()), "fp32", "tensor"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_bundle_fails_in_the_app(host, demo, copy_of, fault):
    change, spec, precision, sentence = FAULTS[fault]
    folder = copy_of(demo / "scenes")
    reseal(folder, change, spec)
    verdicts = {verdict.name: verdict for verdict in judge_device(open_bundle(folder), host(folder))}
    verdict = verdicts[f"scenes.{precision}.tflite"]
    assert verdict.passed is False and sentence in verdict.reason


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]), ""),
        (lambda file: file.write_bytes(b"\0" * 5000), "is no TFLite file"),
        (lambda file: file.write_bytes((file.parent / "scenes.fp32.onnx").read_bytes()), "is no TFLite file"),
        (lambda file: file.write_bytes(b""), "is no TFLite file"),
    ],
)
def test_a_damaged_or_foreign_file_is_one_refusal(host, demo, copy_of, damage, sentence):
    folder = copy_of(demo / "scenes")
    damage(folder / "artifacts/scenes.int8.tflite")
    reseal(folder)
    verdicts = {verdict.name: verdict for verdict in judge_device(open_bundle(folder), host(folder))}
    broken = verdicts.pop("scenes.int8.tflite")
    assert broken.passed is False and sentence in broken.reason and "\n" not in broken.reason
    assert all(verdict.passed for verdict in verdicts.values())


def test_verify_tells_it_and_says_which_app_is_left_out(samesight, host, demo, copy_of, tmp_path):
    folder = copy_of(demo / "digits")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in SYSTEM_TOOLS:
        if place := shutil.which(name):
            (tools / name).symlink_to(place)
    without_java = {name: value for name, value in os.environ.items() if name != "CI"} | {"PATH": str(tools)}
    done = samesight("verify", folder, "--apps", "--json", env=without_java)
    assert done.returncode == 0, done.stderr
    assert "The Android app is left out: " in done.stderr
    told = json.loads(done.stdout)["apps"]
    assert [(row["app"], row["name"]) for row in told] == [("iOS app", f"digits.{p}.tflite") for p in PRECISIONS]
    assert all(row["passed"] and row["unit"] == "cpu" for row in told)
    done = samesight("report", folder, "--no-bench")
    assert done.returncode == 0 and "iOS app" in (folder / "report.html").read_text(), done.stderr
