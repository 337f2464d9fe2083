"""`verify --runner`: artifacts on what plays a phone's processors, judged beside the server and this computer."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from samesight.contract.archive import require_verdicts
from samesight.contract.bundle import open_bundle
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.verdicts import TargetVerdict
from samesight.conversion.environments import ENVIRONMENTS
from samesight.conversion.parity import targets
from samesight.conversion.parity.judge import shares_near
from samesight.conversion.parity.run import Record
from samesight.conversion.parity.targets import Work, merge_targets, verify_on_targets, work_of
from samesight.conversion.qparams import QuantParams
from samesight.conversion.runners import RUNNERS, runner_of, runners_of, runners_of_target

# Measured on the demo's models: 129 dB and 99.3 % on ARM; in halves 47 and 56 dB on the GPU, 50 and 63 dB on the NPU.
LEAST = {
    "arm64": {"fp32": 115.0, "fp16": 60.0, "int8": 25.0},
    "gpu": {"fp32": 45.0, "int8": 25.0},
    "snapdragon": {"fp32": 45.0, "int8": 25.0},
}
NOTES = {"arm64": "", "gpu": "llvmpipe", "snapdragon": "operators in 1 piece"}


def test_a_target_is_nobodys_default():
    assert {row.target for row in RUNNERS.values()} == {None, *LEAST}
    for name in ("litert", "onnx", "executorch"):
        assert runner_of(name).target is None and all(row.target is None for row in runners_of(name))
    assert {row.name for row in runners_of_target("arm64")} == {"arm64-a76", "arm64-a710"}
    with pytest.raises(UsageError, match=r"^--runner: no device 'arm46'; did you mean arm64\?$"):
        runners_of_target("arm46")


def test_what_is_not_installed_is_said_before_anything_runs(monkeypatch, tmp_path, demo):
    monkeypatch.setenv("SAMESIGHT_TOOLS", str(tmp_path))
    with pytest.raises(SamesightError, match=r"^--runner gpu: .*gpu: is not installed; samesight setup gpu$"):
        work_of(open_bundle(demo / "digits"), ["gpu"])
    # A launcher alone, as an interrupted installation leaves it, is nothing.
    (tmp_path / "gpu").mkdir()
    (tmp_path / "gpu/python").write_text("#!/bin/sh\n")
    (tmp_path / "gpu/python").chmod(0o755)
    assert ENVIRONMENTS["gpu"].missing()
    (tmp_path / "gpu/installed").touch()
    assert ENVIRONMENTS["gpu"].missing() is None


def run_on(bundle, file, **changes):
    """One artifact on a made-up GPU: this computer's own runtime under another title."""
    artifact = bundle.find(file)
    row = replace(runner_of(artifact.format), title="a pretended GPU", target="pretend", **changes)
    return verify_on_targets(bundle, [Work(artifact, row)])[0]


@pytest.mark.demo
def test_the_same_runtime_elsewhere_is_the_same(demo):
    verdict = run_on(open_bundle(demo / "digits"), "digits.int8.onnx")
    assert verdict.passed and (verdict.equal, verdict.near) == (1.0, 1.0)
    assert (verdict.target, verdict.title, verdict.images) == ("pretend", "a pretended GPU", 32)


@pytest.mark.demo
def test_other_values_there_fail(demo, monkeypatch):
    """Three steps away in 2 % of the values: the answers stay, and the runtime is not the phone's."""
    real, runs = targets._run, []

    def shifted(bundle, model, cases):
        record = real(bundle, model, cases)
        runs.append(record)
        if len(runs) == 1:  # the target's; this computer's comes second
            step = model.qparams["logits"].scale
            for outputs in record.outputs[::5]:
                outputs["logits"] = outputs["logits"] + np.float32(3 * step) * np.eye(10, dtype=np.float32)[9]
        return record

    monkeypatch.setattr(targets, "_run", shifted)
    verdict = run_on(open_bundle(demo / "digits"), "digits.int8.onnx")
    assert len(runs) == 2
    assert not verdict.passed and verdict.snr_db > 18
    assert verdict.reason.endswith("of its values are within 2 steps of this computer's, fewer than 99%")


@pytest.mark.demo
def test_what_does_not_run_there_is_a_verdict(demo):
    verdict = run_on(open_bundle(demo / "digits"), "digits.fp32.onnx", name="no-such-runner")
    assert not verdict.passed and verdict.reason.startswith("it does not run: ") and verdict.images == 0


def test_steps_are_counted_in_the_computers_own_scale():
    here = Record(outputs=[{"logits": np.array([[0.0, 0.5, 1.0]], np.float32)}])
    here.qparams = {"logits": QuantParams(0.5, 0)}
    there = Record(outputs=[{"logits": np.array([[0.0, 1.0, 2.5]], np.float32)}])
    assert shares_near(there, here) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


@pytest.mark.demo
def test_a_failure_there_keeps_the_artifact_from_shipping(demo, tmp_path):
    folder = tmp_path / "digits"
    shutil.copytree(demo / "digits", folder)
    bundle = open_bundle(folder)
    verdicts = bundle.verdicts()
    new = TargetVerdict(
        target="gpu", runner="gpu", title="a GPU", name="digits.int8.tflite", unit="gpu", passed=False, reason="0.6 dB"
    )
    failed = merge_targets(verdicts, [new])
    bundle.write_verdicts(failed)
    chosen = tuple(artifact for artifact in bundle.manifest.artifacts if artifact.name == new.name)
    with pytest.raises(SamesightError, match=r"failed: digits\.int8\.tflite \(on a GPU, 0\.6 dB\)"):
        require_verdicts(bundle, chosen)
    # Measured again, the new verdict takes its place.
    passed = merge_targets(failed, [new.model_copy(update={"passed": True})])
    assert passed.passed and len(passed.targets) == 1


@pytest.mark.demo
@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "scenes"])
@pytest.mark.parametrize("target", LEAST)
def test_the_demos_models_run_there(tool, demo, tmp_path, samesight, target, name):
    tool(target)
    shutil.copytree(demo / name, tmp_path / name)
    suffixes = {"arm64": ("tflite", "pte", "onnx"), "gpu": ("tflite",), "snapdragon": ("tflite", "onnx")}[target]
    names = [f"{name}.{precision}.{suffix}" for precision in LEAST[target] for suffix in suffixes]
    names = [each for each in names if each in {a.name for a in open_bundle(demo / name).manifest.artifacts}]
    options = [word for each in names for word in ("--artifact", each)]
    done = samesight("verify", tmp_path / name, "--runner", target, *options, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = json.loads(done.stdout)["targets"]
    bundle = open_bundle(demo / name)
    assert len(verdicts) == sum(row.runs(bundle.find(each)) for each in names for row in runners_of_target(target))
    for verdict in verdicts:
        precision = verdict["name"].split(".")[1]
        assert verdict["passed"] and verdict["images"] == 32
        assert verdict["name"].endswith(".onnx") or NOTES[target] in verdict["note"]
        assert verdict["snr_db"] > LEAST[target][precision], verdict
        if precision == "int8":
            assert verdict["near"] >= 0.99, verdict
            if target == "arm64":
                # ONNX Runtime's kernels for ARM round otherwise; ExecuTorch's runtime for it is an earlier version.
                assert verdict["equal"] >= (0.99 if verdict["name"].endswith(".tflite") else 0.9), verdict
    kept = open_bundle(tmp_path / name).verdicts()
    assert [verdict.name for verdict in kept.targets] == [verdict["name"] for verdict in verdicts]
