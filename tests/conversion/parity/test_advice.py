"""What `verify` says to try: precisions and commands that exist; for a missing runtime the package to install."""

import json
from importlib import metadata
from types import SimpleNamespace

import pytest

from samesight.cli.tables import verdict_table
from samesight.cli.train import train
from samesight.cli.verify import as_plain
from samesight.contract.gates import GATES
from samesight.contract.verdicts import RoleFigures, Verdict, Verdicts
from samesight.conversion.parity.advice import MILDER, SEARCH, TRAIN_FOR_INT8, advise
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.runners import RUNNERS
from support.bundles import SPEC, artifact

ROLES = (RoleFigures(role="logits", exact=False, snr_db=9.0, worst_db=3.0, largest_error=1.0),)


def judged(name, format, passed, roles=ROLES, **changed):
    precision = name.split(".")[1]
    about = {"unit": "cpu", "runner": "a runner", "cases": 2, "bytes": 7, "reason": "logits 9.0 dB is below 18 dB"}
    return Verdict(name=name, format=format, precision=precision, passed=passed, roles=roles, **{**about, **changed})


def advised(*rows, data=None, tools=()):
    """The advice on the first of these verdicts, in a bundle that holds them all."""
    artifacts = {row.name: artifact(row.name, row.format, row.precision) for row in rows}
    if tools:
        made = {"tools": dict.fromkeys(tools, "1")}
        artifacts = {name: each.model_copy(update=made) for name, each in artifacts.items()}
    bundle = SimpleNamespace(
        manifest=SimpleNamespace(data=data), find=artifacts.__getitem__, path=lambda artifact: artifact.file
    )
    verdicts = Verdicts(manifest_sha256="0" * 64, passed=False, artifacts=rows)
    return verdicts, advise(bundle, verdicts)


def test_int8_of_a_run_is_to_be_fine_tuned_or_exchanged():
    rows = (
        judged("tiny.int8.tflite", "litert", False),
        judged("tiny.dynamic-int8.tflite", "litert", True, bytes=9),
        judged("tiny.fp16.tflite", "litert", True, bytes=20),
        judged("tiny.fp16.pte", "executorch", True),
    )
    _, advice = advised(*rows, data="digits")
    assert advice == {
        "tiny.int8.tflite": (
            TRAIN_FOR_INT8,
            SEARCH,
            "take tiny.dynamic-int8.tflite or tiny.fp16.tflite, which passed",
        )
    }
    assert {"--from", "--qat", "--out"} <= {name for parameter in train.params for name in parameter.opts}


def test_int8_of_another_network_needs_images_and_milder_precisions_are_named():
    _, advice = advised(judged("tiny.int8.tflite", "litert", False))
    images, search, command = advice["tiny.int8.tflite"]
    assert "--calibration" in images and "--precision auto" in search
    assert command.endswith("`samesight convert … --to tflite --precision dynamic-int8,int8-weights,fp16`")


def test_no_search_is_advised_for_an_onnx_file_without_a_program():
    row = judged("tiny.int8.onnx", "onnx", False)
    assert SEARCH in advised(row, tools=("torch", "onnx"))[1]["tiny.int8.onnx"]
    assert SEARCH not in advised(row, tools=("onnx", "onnxruntime"))[1]["tiny.int8.onnx"]


def test_int8_apart_from_the_others_is_not_for_lack_of_training():
    _, advice = advised(judged("tiny.int8.onnx", "onnx", False, steps_apart=3.0), data="digits")
    assert "runtime or converter" in advice["tiny.int8.onnx"][0] and TRAIN_FOR_INT8 not in advice["tiny.int8.onnx"]


def test_fp16_is_followed_by_fp32_and_core_ml_by_its_layers():
    _, advice = advised(judged("tiny.fp16.mlpackage", "coreml", False))
    assert "--precision fp32" in advice["tiny.fp16.mlpackage"][0]
    assert "coreml compare artifacts/tiny.fp16.mlpackage" in advice["tiny.fp16.mlpackage"][1]


@pytest.mark.parametrize("runner", [row for row in RUNNERS.values() if row.packages], ids=lambda row: row.name)
def test_a_missing_runtime_is_to_be_installed(monkeypatch, runner):
    def none(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", none)
    wanted = f"samesight[{runner.extra}]" if runner.extra else runner.packages[0]
    assert runner.requirement() == wanted and f"pip install '{wanted}'" in runner.missing()
    row = judged("tiny.fp32.x", runner.formats[0], None, (), runner=None, reason="is not installed")
    if runner.name != "coreml-in-pte":
        assert advised(row)[1]["tiny.fp32.x"] == (f"pip install '{wanted}', then verify it again",)


def test_one_that_its_runtime_refuses_is_to_be_converted_again():
    row = judged("tiny.fp32.onnx", "onnx", False, (), reason="it does not load: opset 99")
    assert "again with --no-cache, with onnxruntime up to date" in advised(row)[1]["tiny.fp32.onnx"][0]


def test_every_precision_has_milder_ones_with_stricter_gates():
    assert set(MILDER) == set(PRECISIONS)
    for name, milder in MILDER.items():
        assert all(GATES[other].snr_db >= GATES[name].snr_db for other in milder)


def test_the_table_and_json_say_it(capsys):
    verdicts, advice = advised(judged("tiny.int8.tflite", "litert", False), judged("tiny.fp32.tflite", "litert", True))
    verdict_table(verdicts, SPEC, advice)
    printed = " ".join(capsys.readouterr().out.split())
    assert "try for tiny.int8.tflite: give --calibration some hundred images" in printed
    plain = json.loads(json.dumps(as_plain(verdicts, advice)))["artifacts"]
    assert [row["advice"] for row in plain] == [list(advice["tiny.int8.tflite"]), []]
