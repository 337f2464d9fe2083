"""What people see in the terminal, and Ctrl-C that a library swallows."""

import contextlib
import signal

import pytest

from samesight.cli.tables import columns_that_fit, figures_of, reasons_of, warning_lines, word_of
from samesight.cli.verify import as_plain
from samesight.contract.verdicts import FaultWarning, MetricFigures, Verdict, Verdicts
from samesight.conversion.workflow import interrupts

ROWS = [("artifact", "SNR dB", "agree"), ("a.fp32.onnx", "120.0", "100.0%")]


@pytest.mark.parametrize(("width", "shown"), [(33, 3), (32, 3), (31, 2), (23, 2), (22, 1), (5, 1)])
def test_columns_are_left_out_whole_the_last_first(width, shown):
    assert list(columns_that_fit(ROWS, width)) == list(range(shown))


@pytest.mark.parametrize(("drop", "shown"), [(-0.00001, "+0.00"), (0.0, "+0.00"), (0.01, "+1.00"), (-0.0023, "-0.23")])
def test_a_loss_that_rounds_to_nothing_has_no_minus(drop, shown):
    metric = MetricFigures(
        name="top1", images=9, server=0.9, artifact=0.9 - drop, drop=drop, drop_low=drop, drop_high=drop
    )
    about = {"name": "a", "format": "onnx", "precision": "int8", "unit": "cpu", "runner": "onnxruntime"}
    verdict = Verdict(**about, passed=True, reason="", cases=1, metric=metric, bytes=1)
    assert figures_of(verdict)[3] == f"{shown} [{shown}, {shown}]"


def test_verdicts_that_prove_too_little_have_a_word_of_their_own_and_one_reason():
    about = {"format": "onnx", "precision": "fp32", "unit": "cpu", "runner": "onnxruntime", "cases": 1, "bytes": 1}
    doubtful = [Verdict(**about, name=n, passed=True, inconclusive=True, reason="3 / 36") for n in ("a", "b")]
    failed = Verdict(**about, name="c", passed=False, inconclusive=True, reason="too noisy")
    passed = Verdict(**about, name="d", passed=True, reason="fine")
    words = [word_of(verdict) for verdict in (*doubtful, failed, passed)]
    assert words == ["inconclusive", "inconclusive", "fail", "pass"]
    assert reasons_of([*doubtful, failed, passed]) == {"3 / 36": ["a", "b"], "too noisy": ["c"]}


def test_known_faults_are_a_line_each():
    warning = FaultWarning(
        id="litert-gpu-select",
        title="SELECT is refused",
        severity="fails",
        units=("gpu", "npu"),
        versions="2.1",
        operators=("SELECT 3",),
        count=1,
        remedy="RELU",
        source="https://example.org/1",
    )
    about = {
        "format": "litert",
        "unit": "cpu",
        "runner": "LiteRT",
        "passed": True,
        "reason": "",
        "cases": 1,
        "bytes": 1,
    }
    warned = [Verdict(name=f"a.{p}.tflite", precision=p, warnings=(warning,), **about) for p in ("fp32", "fp16")]
    plain = Verdict(name="a.int8.tflite", precision="int8", **about)
    verdicts = Verdicts(manifest_sha256="0" * 64, passed=True, artifacts=(*warned, plain))
    assert warning_lines(verdicts) == [
        "known faults of phones' runtimes: 1; docs/known-faults.md and --json say what avoids them",
        "  litert-gpu-select (does not run on GPU/NPU): a.fp32.tflite, a.fp16.tflite",
    ]
    assert warning_lines(verdicts.model_copy(update={"artifacts": (plain,)})) == []
    rows = as_plain(verdicts, {})["artifacts"]
    assert rows[0]["warnings"] == [warning.model_dump(mode="json")] and rows[2]["warnings"] == []


def test_an_interrupt_that_was_swallowed_is_not_lost():
    with interrupts.remembered():
        interrupts.check()
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    with interrupts.remembered():
        interrupts.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_deferred_interrupt_comes_at_the_end():
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        signal.raise_signal(signal.SIGINT)
        reached.append("the end")
    assert reached and signal.getsignal(signal.SIGINT) is signal.default_int_handler
