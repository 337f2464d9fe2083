"""Figures and verdicts on a made-up classifier: what must pass passes, what must fail fails and says why."""

import dataclasses
import time
from types import SimpleNamespace

import numpy as np
import pytest

from samesight.contract.answers import Answer, answers
from samesight.contract.errors import SamesightError
from samesight.contract.gates import GATES
from samesight.contract.golden import GoldenCase
from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.contract.verdicts import MetricFigures, RoleFigures, Verdict
from samesight.conversion.parity import verify
from samesight.conversion.parity.judge import (
    Judgement,
    beside_others,
    judge,
    metric_word,
    misses_noise_gate,
    percent,
)
from samesight.conversion.parity.run import (
    Record,
    Share,
    TestSplit,
    artifact_candidate,
    join_shares,
    run_candidates,
)
from samesight.conversion.qparams import QuantParams
from samesight.conversion.snr import role_figures
from samesight.conversion.tasks.agreement import Agreement
from samesight.conversion.workflow.server_answers import server_answers
from support.bundles import artifact

TestSplit.__test__ = False
SPEC = ModelSpec(
    name="tiny",
    task="classification",
    input=Input(width=8, height=8, mean=(0.5,) * 3, std=(0.25,) * 3),
    outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
    labels=("a", "b", "c", "d"),
)
WEIGHTS = np.random.default_rng(1).normal(size=(8 * 8 * 3, 4)).astype(np.float32) / 100


def server(tensor):
    return {"logits": (tensor.reshape(1, -1).astype(np.float32) - 127) @ WEIGHTS}


@pytest.fixture(scope="module")
def measured():
    random = np.random.default_rng(0)
    pictures = [Picture(random.integers(0, 256, (20, 31, 3), dtype=np.uint8)) for _ in range(40)]
    cases = []
    for number, picture in enumerate(pictures):
        tensor, geometry = preprocess(picture, SPEC.input)
        outputs = server(tensor)
        cases.append(
            GoldenCase(f"{number:03d}", picture, None, tensor, outputs, tuple(answers(outputs, SPEC, geometry)))
        )
    served = [case.answers for case in cases]
    examples = [
        SimpleNamespace(pixels=c.picture.pixels, label=c.answers[0].index if i % 10 else -1)
        for i, c in enumerate(cases)
    ]
    return cases, TestSplit(examples, server_answers(SPEC, 0.9, served), "made up")


def verdict(measured, run, precision="fp32", split=True):
    cases, test = measured
    record = run_candidates({"x": artifact_candidate(run)}, SPEC, cases, test if split else None)["x"]
    return judge(record, SPEC, GATES[precision], cases, test if split else None)


def test_the_server_model_itself_is_exact(measured):
    judged = verdict(measured, server)
    (logits,) = judged.figures["roles"]
    assert judged.passed and logits.exact and judged.figures["agreement"] == 1.0
    metric = judged.figures["metric"]
    assert (metric.server, metric.artifact, metric.drop, metric.images) == (0.9, 0.9, 0.0, 40)
    assert judged.reason.startswith("40 golden cases and 40 test images; inconclusive: ")


def test_boxes_without_area_agree_with_themselves():
    flat = [Answer("a", 0, 0.9, (0.0, 0.0, 0.0, 0.0)), Answer("a", 0, 0.8, (5.0, 5.0, 5.0, 9.0))]
    same, apart = Agreement("detection", 0.5), Agreement("detection", 0.5)
    same.add(flat, flat)
    apart.add(flat[:1], flat[1:])
    assert same.share == 1.0 and apart.share == 0.0


def test_without_test_data_the_verdict_says_golden_cases_only(measured):
    judged = verdict(measured, server, split=False)
    assert judged.passed and judged.figures["metric"] is None and judged.reason == "golden cases only"


def noisy(decibel):
    random = np.random.default_rng(3)

    def run(tensor):
        logits = server(tensor)["logits"]
        return {"logits": logits + random.normal(0, 0.73 * 10 ** (-decibel / 20), logits.shape).astype(np.float32)}

    return run


def test_noise_is_measured_in_decibels(measured):
    cases, _ = measured
    everything = np.concatenate([case.outputs["logits"] for case in cases])
    deviation = np.sqrt(np.mean((everything - everything.mean(axis=0)) ** 2))
    shifted = [case.outputs["logits"] + np.float32(deviation / 100) for case in cases]
    figures = role_figures("logits", [case.outputs["logits"] for case in cases], shifted)
    assert figures.snr_db == pytest.approx(40.0, abs=0.01)
    assert figures.worst_db == pytest.approx(40.0, abs=0.05)


@pytest.mark.parametrize(
    ("fault", "run"),
    [
        ("zeros", lambda t: {"logits": np.zeros((1, 4), np.float32)}),
        ("constant", lambda t: {"logits": server(np.full((8, 8, 3), 127, np.uint8))["logits"] + np.float32(0.1)}),
        ("channels swapped", lambda t: server(t[:, :, ::-1])),
        ("0..1 for 0..255", lambda t: server(t // 255)),
        ("height and width exchanged", lambda t: server(t.transpose(1, 0, 2))),
        ("channels-last read as channels-first", lambda t: server(t.reshape(3, 8, 8).transpose(1, 2, 0))),
        ("outputs rotated", lambda t: {"logits": np.roll(server(t)["logits"], 1, axis=1)}),
        ("noise of 30 dB", noisy(30)),
        ("wrong shape", lambda t: {"logits": server(t)["logits"][:, :3]}),
        ("not a number", lambda t: {"logits": server(t)["logits"] * np.float32("nan")}),
        ("crash", lambda t: 1 / 0),
    ],
)
def test_a_fault_fails_and_says_why(measured, fault, run):
    judged = verdict(measured, run)
    assert not judged.passed
    assert "dB is below 80 dB" in judged.reason or "did not run" in judged.reason


def test_a_constant_output_scores_no_decibel_however_small_the_outputs_are():
    """An untrained net may put out 2e-9: with an absolute tolerance an all-zero model would pass."""
    random = np.random.default_rng(0)
    reference = [random.normal(0, 2e-9, (1, 10)).astype(np.float32) for _ in range(20)]
    assert role_figures("logits", reference, [np.zeros((1, 10), np.float32)] * 20).snr_db <= 0.0
    mean = np.mean(reference, axis=0)
    assert role_figures("logits", reference, [mean] * 20).snr_db <= 0.01


def test_an_interval_across_the_gate_is_inconclusive(measured):
    cases, test = measured
    wrong = iter(range(10**6))

    def sometimes(tensor):
        outputs = server(tensor)
        number = next(wrong) - len(cases)
        return {"logits": -outputs["logits"]} if number == 5 else outputs

    record = run_candidates({"x": artifact_candidate(sometimes)}, SPEC, cases, test)["x"]
    gate = dataclasses.replace(GATES["int8"], agreement=0.9, metric_drop=0.03)
    judged = judge(record, SPEC, gate, cases, test)
    assert judged.passed and judged.inconclusive
    assert judged.figures["metric"].drop == pytest.approx(0.025)


def test_a_metric_that_few_images_stand_for_is_inconclusive(measured):
    """40 images without a change leave room for 3 / 40 = 7.5 points; 30 would do for a gate of 10."""
    cases, test = measured
    record = run_candidates({"x": artifact_candidate(server)}, SPEC, cases, test)["x"]
    judged = judge(record, SPEC, GATES["fp32"], cases, test)
    assert judged.passed and judged.inconclusive
    assert (judged.figures["metric"].drop, judged.figures["metric"].drop_high) == (0.0, pytest.approx(3 / 40))
    assert judged.reason.endswith(
        "; inconclusive: 40 images leave room for a loss of 7.50 points in top1 (95 %), more than 0.2; "
        "1,500 images without a loss would prove it"
    )
    enough = judge(record, SPEC, dataclasses.replace(GATES["fp32"], metric_drop=0.1), cases, test)
    assert enough.passed and not enough.inconclusive and "inconclusive" not in enough.reason
    assert not judge(record, SPEC, GATES["fp32"], cases, None).inconclusive, "no test images, no metric"


def test_a_slow_runtime_runs_on_as_many_test_images_as_its_budget_has(measured):
    cases, test = measured
    slow = lambda tensor: time.sleep(0.01) or server(tensor)  # noqa: E731
    candidates = {"slow": artifact_candidate(slow), "fast": artifact_candidate(server)}
    for lanes in ({}, {"slow": 1, "fast": 2}):
        records = run_candidates(candidates, SPEC, cases, test, lanes=lanes, budgets={"slow": 0.15})
        step = records["slow"].step
        assert step >= 3 and records["fast"].step == 1
        assert len(records["slow"].test) == -(-40 // step) and len(records["fast"].test) == 40
        assert records["slow"].test == records["fast"].test[::step]
        judged = judge(records["slow"], SPEC, GATES["fp32"], cases, test)
        assert judged.passed and judged.figures["metric"].images == len(records["slow"].test)
        assert f"{len(records['slow'].test)} test images of 40, for its runtime is slow" in judged.reason


def in_turn(cases, test, models, **options):
    """The joined record of one artifact in several processes, and how many images each of them ran."""
    calls = [0] * len(models)

    def counted(turn):
        def run(tensor):
            calls[turn] += 1
            return models[turn](tensor)

        return artifact_candidate(run)

    names = ["x", *(f"x {turn}" for turn in range(1, len(models)))]
    records = run_candidates(
        {name: counted(turn) for turn, name in enumerate(names)},
        SPEC,
        cases,
        test,
        lanes=dict(zip(names, names, strict=True)),
        shares={name: Share("x", turn, len(models)) for turn, name in enumerate(names)},
        **options,
    )
    return join_shares([records[name] for name in names]), calls


def test_processes_that_share_an_artifact_give_what_one_gives(measured):
    cases, test = measured
    alone = run_candidates({"x": artifact_candidate(server)}, SPEC, cases, test)["x"]
    for count in (2, 3):
        joined, calls = in_turn(cases, test, [server] * count)
        assert joined.golden == alone.golden and joined.test == alone.test and len(joined.outputs) == len(cases)
        assert calls[0] == len(cases) + len(range(0, 40, count)) and sum(calls) == len(cases) + 40
    slow = lambda tensor: time.sleep(0.01) or server(tensor)  # noqa: E731
    joined, calls = in_turn(cases, test, [slow, slow], budgets={"x": 0.15})
    assert joined.step >= 3 and joined.test == alone.test[:: joined.step] and min(calls) > 0


def test_an_error_in_any_process_is_that_of_the_artifact(measured):
    cases, test = measured

    def broken(tensor):
        raise SamesightError("no such kernel")

    joined, _ = in_turn(cases, test, [server, broken])
    assert "no such kernel" in joined.error and not judge(joined, SPEC, GATES["fp32"], cases, test).passed


def tied_case(measured, margin):
    """The golden cases with one more, on which the server's first two logits are `margin` apart."""
    cases, _ = measured
    logits = np.array([[0.5, 0.5 - margin, -1.0, -1.0]], np.float32)
    outputs = {"logits": logits}
    found = tuple(answers(outputs, SPEC, preprocess(cases[0].picture, SPEC.input)[1]))
    return [*cases[:9], dataclasses.replace(cases[0], outputs=outputs, answers=found)]


@pytest.mark.parametrize(("margin", "tie"), [(0.0002, True), (0.1, False)])
def test_a_disagreement_below_the_noise_is_a_tie(measured, margin, tie):
    cases = tied_case(measured, margin)
    outputs = [{"logits": case.outputs["logits"] + np.float32(1e-4) * (-1) ** n} for n, case in enumerate(cases)]
    outputs[-1]["logits"] = cases[-1].outputs["logits"][:, [1, 0, 2, 3]]
    given = [
        list(answers(o, SPEC, preprocess(case.picture, SPEC.input)[1])) for o, case in zip(outputs, cases, strict=True)
    ]
    judged = judge(Record(outputs, given), SPEC, GATES["fp16"] if tie else GATES["int8"], cases, None)
    assert judged.figures["agreement"] == 0.9
    assert (judged.passed, judged.inconclusive) == (tie, tie), judged.reason
    said = "answers agree on 90.0%, but 1 of those that differ are ties" if tie else "agree on 90.0%, below 98.0%"
    assert said in judged.reason


def test_a_share_is_told_from_the_gate_that_it_misses():
    assert format(0.99496, percent(0.99496, 0.995)) == "99.496%"
    assert format(0.9, percent(0.9, 0.98)) == "90.0%"


def test_the_background_of_a_detector_does_not_decide():
    about = {"role": "logits", "exact": False, "snr_db": 12.0, "worst_db": 3.0, "largest_error": 1.0}
    loud, quiet = RoleFigures(**about, answering_db=17.0), RoleFigures(**about, answering_db=30.0)
    gate = GATES["int8"]
    assert misses_noise_gate(loud, gate, True) and misses_noise_gate(quiet, gate, False)
    assert not misses_noise_gate(quiet, gate, True)
    assert misses_noise_gate(RoleFigures(**about), gate, True), "without positions that answer, all of them decide"


def test_of_two_int8_artifacts_the_one_that_departs_is_blamed(measured):
    cases, _ = measured
    qparams = {"logits": QuantParams(0.02, 0)}
    near = Record([{"logits": c.outputs["logits"] + np.float32(0.01)} for c in cases], qparams=qparams)
    far = Record([{"logits": c.outputs["logits"] + np.float32(0.4)} for c in cases], qparams=qparams)
    records, fine = {"a": near, "b": far}, Judgement(True, False, "40 golden cases", {})
    right, wrong = (beside_others(fine, record, records, cases) for record in (near, far))
    assert right.passed and "from b, which is the one that departs" in right.reason
    assert not wrong.passed and right.figures["steps_apart"] == pytest.approx(19.5, abs=0.1)


@pytest.mark.parametrize(
    ("drop", "high", "word"), [(0.0, 0.001, "pass"), (0.0, 0.0834, "inconclusive"), (0.003, 0.01, "fail")]
)
def test_the_word_of_the_metrics_gate(drop, high, word):
    metric = MetricFigures(
        name="top1", images=36, server=0.9, artifact=0.9 - drop, drop=drop, drop_low=0.0, drop_high=high
    )
    about = {"name": "a", "format": "onnx", "precision": "fp32", "unit": "cpu", "runner": "onnxruntime"}
    figures = {"passed": word != "fail", "reason": "", "cases": 1, "bytes": 1}
    assert metric_word(Verdict(**about, **figures, metric=metric)) == word
    assert metric_word(Verdict(**about, **figures)) is None


def test_a_golden_case_that_this_contract_does_not_make_stops_everything(measured):
    cases, _ = measured
    other = dataclasses.replace(cases[3], tensor=cases[3].tensor ^ 1)
    with pytest.raises(SamesightError, match="golden case 003: the contract makes another input tensor"):
        run_candidates({"x": artifact_candidate(server)}, SPEC, [other], None)


def box(label, *corners, score=0.9):
    return Answer(label, "ab".index(label), score, tuple(map(float, corners)))


@pytest.mark.parametrize(
    ("candidate", "share"),
    [
        ([box("a", 0, 0, 10, 10), box("b", 20, 20, 40, 40)], 1.0),
        ([box("b", 20, 20, 40, 40), box("a", 0, 0, 10, 10)], 1.0),
        ([box("a", 0, 0, 10, 10)], 2 / 3),
        ([box("a", 0, 0, 10, 10), box("a", 20, 20, 40, 40)], 0.5),
        ([box("a", 0, 0, 10, 10), box("b", 25, 25, 45, 45)], 0.5),
        ([box("a", 0, 0, 10, 10)] * 2 + [box("b", 20, 20, 40, 40)], 0.8),
        ([], 0.0),
    ],
)
def test_boxes_agree_one_to_one(candidate, share):
    agreement = Agreement("detection", iou=0.9)
    agreement.add([box("a", 0, 0, 10, 10), box("b", 20, 20, 40, 40)], candidate)
    assert agreement.share == pytest.approx(share)


def test_no_answer_on_either_side_is_no_evidence():
    agreement = Agreement("detection", iou=0.9)
    agreement.add([], [])
    assert agreement.share is None


def test_steps_are_counted_within_a_precision_alone(measured, tmp_path, monkeypatch):
    """A mixed artifact comes from another program than the int8 ones beside it."""
    monkeypatch.setattr(verify, "warnings_of", lambda path, format: ())
    cases, _ = measured
    apart = {"int8": 0.01, "mixed": 0.4}
    files = [(precision, form) for precision in apart for form in ("onnx", "executorch")][:3]
    artifacts = [artifact(f"m.{precision}.{form}", form, precision) for precision, form in files]
    records = {
        f"m.{precision}.{form}": Record(
            [{"logits": case.outputs["logits"] + np.float32(apart[precision])} for case in cases],
            [list(case.answers) for case in cases],
            qparams={"logits": QuantParams(0.02, 0)},
        )
        for precision, form in files
    }
    bundle = SimpleNamespace(
        folder=tmp_path,
        spec=SPEC,
        manifest=SimpleNamespace(artifacts=artifacts),
        path=lambda artifact: tmp_path,
        manifest_sha256=lambda: "0" * 64,
    )
    results = SimpleNamespace(records=records, cases=cases, split=None, unable={})
    judged = {verdict.name: verdict for verdict in verify.judge_bundle(bundle, results).artifacts}
    assert judged["m.int8.onnx"].steps_apart == 0.0
    assert judged["m.mixed.onnx"].steps_apart is None
