"""Verdicts on apps: what a flawless app exports passes, and every way of being wrong is told."""

import json

import pytest

from samesight.contract.device_results import UnitRun
from samesight.contract.errors import SamesightError
from samesight.contract.golden import StoredAnswer
from samesight.contract.verdicts import Verdicts
from samesight.conversion.apps.device_results import add_devices, judge_device, read_device_parity
from support.bundles import SPEC, write_bundle
from support.device_runs import flawless_run, parity_of

NAMES = ("tiny.fp32.onnx", "tiny.fp16.mlpackage")


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "tiny")


def refused(name, unit, why="status 504"):
    return UnitRun(
        artifact=name,
        unit=unit,
        proof=None,
        refusal=why,
        delegates=(),
        times=None,
        slower=False,
        snr_db={},
        cases=(),
    )


def judged(bundle, *runs):
    return judge_device(bundle, parity_of(bundle, *runs))


def test_a_flawless_run_passes_and_its_camera_images_count(bundle):
    (verdict,) = judged(bundle, flawless_run(bundle))
    assert verdict.passed and verdict.agreement == 1.0 and verdict.snr_db == 120.0 and verdict.times.steady == 1.0
    assert verdict.images > len(bundle.golden_cases())


def test_how_a_unit_was_asked_for_is_told(bundle):
    notes = ("in float32", "in float16: logits is 31.0 dB from the server model's")
    run = flawless_run(bundle, unit="gpu", snr_db={"logits": 85.0}, notes=notes)
    (verdict,) = judged(bundle, run)
    assert verdict.passed and verdict.reason.endswith("; ".join(("golden cases", *notes)))
    older = run.model_dump(mode="json")
    del older["notes"]
    assert UnitRun.model_validate(older).notes == ()


def test_an_exact_copy_passes(bundle):
    (verdict,) = judged(bundle, flawless_run(bundle, snr_db={"logits": None}))
    assert verdict.passed and verdict.snr_db is None


def other_answers(run):
    """Each best answer is another label."""

    def wrong(answer):
        index = (answer.index + 1) % len(SPEC.labels)
        return StoredAnswer(label=SPEC.labels[index], index=index, score=answer.score, box=None)

    return tuple(case.model_copy(update={"answers": (wrong(case.answers[0]),)}) for case in run.cases)


def changed_answers(run, **update):
    return tuple(
        case.model_copy(update={"answers": tuple(a.model_copy(update=update) for a in case.answers)})
        for case in run.cases
    )


FAULTS = {
    "another input tensor of golden case": lambda run: {
        "cases": tuple(c.model_copy(update={"tensor_sha256": "0" * 64}) for c in run.cases)
    },
    "has no result of golden case 000 (rgb)": lambda run: {"cases": run.cases[1:]},
    "no result of golden case": lambda run: {"cases": tuple(c for c in run.cases if c.image == "rgb")},
    "answers agree on": lambda run: {"cases": other_answers(run)},
    "answers agree on 0.0%": lambda run: {"cases": tuple(c.model_copy(update={"answers": ()}) for c in run.cases)},
    "labels or boxes are not of this model's kind in golden case 000 (rgb)": lambda run: {
        "cases": changed_answers(run, box=(0.0, 0.0, 1.0, 1.0))
    },
    "labels or boxes are not of this model's kind": lambda run: {"cases": changed_answers(run, label="none of them")},
    "not of this model's kind in golden case": lambda run: {"cases": changed_answers(run, index=-1)},
    "logits 79.9 dB is below 80 dB": lambda run: {"snr_db": {"logits": 79.9}},
    "says nothing of output logits": lambda run: {"snr_db": {}},
}


@pytest.mark.parametrize("sentence", FAULTS)
def test_each_fault_fails_and_is_named(bundle, sentence):
    right = flawless_run(bundle)
    (verdict,) = judged(bundle, right.model_copy(update=FAULTS[sentence](right)))
    assert verdict.passed is False and sentence in verdict.reason


def test_one_wrong_camera_tensor_is_enough(bundle):
    right = flawless_run(bundle)
    cases = [c.model_copy(update={"tensor_sha256": "0" * 64}) if c.image != "rgb" else c for c in right.cases]
    (verdict,) = judged(bundle, right.model_copy(update={"cases": tuple(cases)}))
    assert verdict.passed is False and "makes another input tensor" in verdict.reason


def test_a_gpu_may_compute_in_halves_and_a_cpu_may_not(bundle):
    half = flawless_run(bundle, snr_db={"logits": 55.0})
    cpu, gpu = judged(bundle, half, half.model_copy(update={"unit": "gpu"}))
    assert (cpu.passed, gpu.passed) == (False, True)


def test_what_is_rounded_is_no_exact_copy(bundle):
    (verdict,) = judged(bundle, flawless_run(bundle, artifact=NAMES[1], snr_db={"logits": None}))
    assert verdict.passed is False and "logits is said to be an exact copy" in verdict.reason


def test_a_refused_unit_is_not_used_and_an_artifact_without_any_fails(bundle):
    verdicts = judged(
        bundle,
        flawless_run(bundle),
        refused(NAMES[0], "gpu"),
        refused(NAMES[1], "cpu", "logits is 3.0 dB from the server model's"),
        refused(NAMES[1], "npu"),
    )
    assert [v.passed for v in verdicts] == [True, None, False, False]
    assert verdicts[1].reason == "not used: status 504" and "no unit runs it: logits is 3.0 dB" in verdicts[2].reason


def test_results_of_another_bundle_or_artifact_are_refused(bundle, tmp_path):
    other = parity_of(bundle, flawless_run(bundle)).model_copy(update={"manifest_sha256": "0" * 64})
    (tmp_path / "other.json").write_text(other.to_json())
    with pytest.raises(SamesightError, match="results of another bundle"):
        read_device_parity(tmp_path / "other.json", bundle)
    (tmp_path / "cut.json").write_text(other.to_json()[:-40])
    with pytest.raises(SamesightError, match=r"cut\.json"):
        read_device_parity(tmp_path / "cut.json", bundle)
    (tmp_path / "empty.json").write_text(parity_of(bundle).to_json())
    with pytest.raises(SamesightError, match="holds no runs"):
        read_device_parity(tmp_path / "empty.json", bundle)
    with pytest.raises(SamesightError, match="no artifact 'x'"):
        judged(bundle, flawless_run(bundle, artifact="x"))


def test_a_device_gives_way_to_itself_alone_and_a_failure_fails_the_bundle(bundle):
    empty = Verdicts(manifest_sha256=bundle.manifest_sha256(), passed=True, artifacts=())
    right, wrong = flawless_run(bundle), flawless_run(bundle, snr_db={"logits": 3.0})
    one = add_devices(bundle, empty, [parity_of(bundle, right), parity_of(bundle, wrong, device="another")])
    assert [v.device for v in one.apps] == ["Maker Model", "another"] and one.passed is False
    assert json.loads((bundle.folder / "parity.json").read_text())["passed"] is False
    two = add_devices(bundle, bundle.verdicts(), [parity_of(bundle, right, device="another")])
    assert [v.passed for v in two.apps] == [True, True] and two.passed is True and bundle.verdicts() == two
