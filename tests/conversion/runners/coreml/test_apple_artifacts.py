"""Every artifact for Apple's systems, of both demo models: executed, judged, and of the same int8 as Android's."""

import json

import numpy as np
import pytest

from samesight.contract.answers import answers
from samesight.contract.bundle import belongs, open_bundle
from samesight.contract.gates import GATES
from samesight.contract.preprocess import preprocess
from samesight.conversion.formats import FORMATS
from samesight.conversion.parity import results
from samesight.conversion.parity.judge import judge
from samesight.conversion.parity.run import artifact_candidate, run_candidates
from samesight.conversion.parity.verify import verify_bundle
from samesight.conversion.runners import runner_of
from samesight.conversion.tasks.agreement import Agreement

APPLE = ("coreml", "executorch-coreml", "coreai")
RUNNERS = {"coreml": "Core ML evaluator", "executorch-coreml": "Core ML evaluator", "coreai": "Core AI"}
OTHERS = ("executorch", "litert", "onnx")
INT8_OF_APPLE = ("coreml", "executorch-coreml")
# Measured on the demo's detector: 5 steps at most, 99.9 % of the values within 2.
LARGEST_DETECTOR = 8


@pytest.fixture(scope="session")
def apple(demo, shared_folder, samesight):
    """A folder with both demo models converted to everything; what the demo made comes from its cache."""

    def make(folder):
        folder.mkdir()
        for name in ("digits", "scenes"):
            done = samesight("convert", demo / "runs" / name, "--out", folder / name, "--to", "all", "--no-verify")
            assert done.returncode == 0, done.stderr

    return shared_folder("apple", make)


def artifacts(bundle, formats, precision=None):
    return [
        a for a in bundle.manifest.artifacts if a.format in formats and (precision is None or a.precision == precision)
    ]


def file_hashes(bundle, name):
    """Those of the files of an artifact, if the bundle has it."""
    found = [artifact for artifact in bundle.manifest.artifacts if artifact.name == name]
    return {e.path: e.sha256 for e in bundle.manifest.files if any(belongs(e.path, artifact) for artifact in found)}


def runner(bundle, artifact):
    return runner_of(artifact.format).load(bundle.path(artifact), artifact)


@pytest.mark.demo
@pytest.mark.parametrize("name", ["scenes.fp16.mlpackage", "scenes.int8.coreml.pte"])
def test_coreml_run_sees_an_image_as_the_spec_inside_says(apple, samesight_here, name):
    bundle = open_bundle(apple / "scenes")
    done = samesight_here(
        "coreml", "run", bundle.folder / "artifacts" / name, bundle.folder / "golden/001.png", "--json"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["answers"]
    expected = bundle.golden_cases()[1].answers
    assert [answer["label"] for answer in told][:1] == [expected[0].label]
    assert np.abs(np.array(told[0]["box"]) - np.array(expected[0].box)).max() < 8


@pytest.mark.demo
@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_every_artifact_runs_here_and_passes(apple, demo, name, monkeypatch):
    # Every artifact has all golden cases, and the test images that fit into a quarter of the time that people give it.
    monkeypatch.setattr(results, "SLOW_BUDGET", results.SLOW_BUDGET / 4)
    bundle = open_bundle(apple / name)
    wanted = [artifact.name for artifact in artifacts(bundle, APPLE)]
    assert len(wanted) == sum(len(FORMATS[each].usual) for each in APPLE) == 10
    # The same files of the demo have run already; a demo from elsewhere may have others.
    made = open_bundle(demo / name)
    same = [each for each in wanted if file_hashes(bundle, each) == file_hashes(made, each)]
    known = [verdict for verdict in made.verdicts().artifacts if verdict.name in same]
    left = [each for each in wanted if each not in [verdict.name for verdict in known]]
    # Beside one of Android's int8 files, so that theirs is held against it.
    new = verify_bundle(bundle, names=[*left, f"{name}.int8.tflite"]).artifacts
    assert len(known) + len(new) == len(wanted) + 1
    for verdict in (*known, *new):
        assert verdict.passed, f"{verdict.name}: {verdict.reason}"
        assert verdict.metric is not None
        assert verdict.runner == RUNNERS.get(verdict.format, verdict.runner)
        assert (verdict.steps_apart is not None) == (verdict.precision == "int8")
        if verdict.precision == "fp32":
            assert verdict.snr_db >= 100
        if verdict.precision == "fp16":
            assert verdict.snr_db >= 45


class Raw:
    """What the int8 artifacts of a bundle say to its golden cases, counted in steps."""

    def __init__(self, bundle):
        self.bundle, self.spec = bundle, bundle.spec
        self.cases = bundle.golden_cases()
        self.runners = {a.format: runner(bundle, a) for a in artifacts(bundle, (*INT8_OF_APPLE, *OTHERS), "int8")}
        self.raw = {kind: [run.raw(case.tensor) for case in self.cases] for kind, run in self.runners.items()}

    def distance(self, one, two, role):
        return np.abs(np.stack([a[role] - b[role] for a, b in zip(self.raw[one], self.raw[two], strict=True)]))


@pytest.fixture(scope="module")
def digits(apple):
    return Raw(open_bundle(apple / "digits"))


@pytest.fixture(scope="module")
def scenes(apple):
    return Raw(open_bundle(apple / "scenes"))


@pytest.mark.demo
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("kind", INT8_OF_APPLE)
def test_classifiers_carry_the_same_int8_on_ios_and_android(digits, kind, other):
    distance = digits.distance(kind, other, "logits")
    assert distance.max() <= 2
    assert np.ptp(np.stack([raw["logits"] for raw in digits.raw[kind]])) > 100


@pytest.mark.demo
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("kind", INT8_OF_APPLE)
def test_detectors_carry_nearly_the_same_int8_on_ios_and_android(scenes, kind, other):
    for role in ("logits", "boxes"):
        distance = scenes.distance(kind, other, role)
        assert (distance <= 1).mean() >= 0.90
        assert distance.mean() <= 0.5
        assert distance.max() <= LARGEST_DETECTOR
    agreement = Agreement("detection", iou=0.9)
    for case in scenes.cases:
        _, geometry = preprocess(case.picture, scenes.spec.input)
        ours, theirs = (answers(scenes.runners[k](case.tensor), scenes.spec, geometry) for k in (kind, other))
        agreement.add(ours, theirs)
    assert agreement.share >= 0.97


@pytest.mark.demo
@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_a_palette_sold_as_half_precision_is_caught(apple, name):
    """The evaluator behind the gates must be able to say no: a coarser file under a finer file's name."""
    bundle = open_bundle(apple / name)
    cases = bundle.golden_cases()
    run = runner(bundle, bundle.find(f"{name}.palette4.mlpackage"))
    record = run_candidates({"x": artifact_candidate(run)}, bundle.spec, cases, None)["x"]
    assert not judge(record, bundle.spec, GATES["fp16"], cases, None).passed


@pytest.mark.demo
@pytest.mark.parametrize("suffix", ["fp16.mlpackage", "fp16.coreml.pte", "fp16.aimodel"])
def test_swapped_channels_are_caught(apple, suffix):
    bundle = open_bundle(apple / "scenes")
    cases = bundle.golden_cases()[:12]
    run = runner(bundle, bundle.find(f"scenes.{suffix}"))
    candidates = {
        "right": artifact_candidate(run),
        "swapped": lambda picture, tensor, geometry: (run(np.ascontiguousarray(tensor[:, :, ::-1])), geometry),
    }
    records = run_candidates(candidates, bundle.spec, cases, None)
    assert judge(records["right"], bundle.spec, GATES["fp16"], cases, None).passed
    assert not judge(records["swapped"], bundle.spec, GATES["fp16"], cases, None).passed


@pytest.mark.demo
def test_weights_shrink_as_promised(apple):
    for name in ("digits", "scenes"):
        size = {a.precision: a.bytes for a in open_bundle(apple / name).manifest.artifacts if a.format == "coreml"}
        order = ("fp32", "fp16", "int8-weights", "palette6", "palette4")
        assert sorted(order, key=lambda precision: -size[precision]) == list(order)
        assert size["int8"] <= 0.4 * size["fp32"] and size["palette4"] <= 0.22 * size["fp32"]
