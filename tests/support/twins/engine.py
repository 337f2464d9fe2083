"""An app's engine, unmodified, on the real LiteRT library: Python's answers, and every fault told.

What it is run with is the fixtures of each app: `host`, the app's self-test on a bundle, and `app_name`.
"""

import pytest

from samesight.contract.answers import answers
from samesight.contract.bundle import open_bundle
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Stretch
from samesight.conversion.apps.device_results import judge_device
from samesight.conversion.runners import runner_of
from support.faulty import input_changed, labels_turned, only, rescaled, reseal, shifted_zero_point

TASKS = ("digits", "scenes")
PRECISIONS = ("fp32", "fp16", "int8", "dynamic-int8")


@pytest.fixture(scope="module")
def parities(host, demo):
    return {name: host(demo / name) for name in TASKS}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", TASKS)
def test_the_apps_code_passes(parities, demo, name, precision, app_name):
    bundle = open_bundle(demo / name)
    assert parities[name].app == app_name and parities[name].device == "this computer"
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


FAULTS = {
    "scale of the outputs wrong": (only("scenes.int8.tflite", rescaled), None, "int8", "dB"),
    "zero point of the outputs shifted": (only("scenes.int8.tflite", shifted_zero_point(40)), None, "int8", "dB"),
    "labels off by one": (lambda artifact: artifact, labels_turned, "fp32", "answers agree on"),
    "channels declared bgr": (lambda artifact: artifact, input_changed(channels="bgr"), "fp32", "input tensor"),
    "another filter declared": (lambda artifact: artifact, input_changed(filter="bicubic"), "fp32", "input tensor"),
    "another framing declared": (lambda artifact: artifact, input_changed(framing=Stretch()), "fp32", "tensor"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_bundle_fails_in_the_app(host, demo, copy_of, fault):
    check_fault(host, copy_of(demo / "scenes"), *FAULTS[fault])


def check_fault(host, folder, change, spec, precision, sentence):
    """A bundle that was changed so fails in the app, with this sentence."""
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
