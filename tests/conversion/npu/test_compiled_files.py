"""Files that are compiled ahead of time: made, executed here as they are, and chosen by chip."""

import json
import os
import shutil

import pytest

from samesight.contract.bundle import open_bundle, seal
from samesight.conversion.npu.contexts import read_contents

pytestmark = [pytest.mark.demo, pytest.mark.slow]
CHIPS = {"digits": ("SM8650", "SM8750"), "scenes": ("SM8650",)}
# Measured: int8 38.2 dB (digits) and 27.6 dB (scenes), fp16 63.2 dB (digits), w8a16 41.4 dB (digits).
LEAST = {"digits": {"fp16": 55.0, "int8": 34.0, "w8a16": 38.0}, "scenes": {"fp16": 45.0, "int8": 24.0}}


@pytest.fixture(scope="module", params=list(LEAST))
def made(request, tool, demo, samesight, tmp_path_factory):
    """The demo's model with compiled files, and what `convert` said."""
    tool("snapdragon")
    folder = tmp_path_factory.mktemp("compiled") / request.param
    precisions = ",".join("fp32" if precision == "fp16" else precision for precision in LEAST[request.param])
    wanted = ("--to", "tflite", "--precision", precisions, "--unit", "npu", "--soc", ",".join(CHIPS[request.param]))
    done = samesight("convert", demo / "runs" / request.param, "--out", folder, *wanted, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, json.loads(done.stdout)


def test_the_very_files_are_judged_by_the_gates_of_their_unit(made):
    folder, _ = made
    bundle = open_bundle(folder)
    verdicts = {verdict.name: verdict for verdict in bundle.verdicts().artifacts}
    model = bundle.spec.name
    assert set(verdicts) == {
        *(f"{model}.{precision}.tflite" for precision in {"fp32", *LEAST[model]} - {"fp16"}),
        *(f"{model}.{precision}.{chip}.tflite" for precision in LEAST[model] for chip in CHIPS[model]),
    }
    for precision in LEAST[model]:
        for chip in CHIPS[model]:
            name = f"{model}.{precision}.{chip}.tflite"
            artifact, verdict = bundle.find(name), verdicts[name]
            assert (artifact.unit, artifact.soc, artifact.precision) == ("npu", (chip,), precision)
            assert artifact.platforms == ("android",) and "onnxruntime-qnn" in artifact.tools
            assert artifact.plan.pieces == 1 and artifact.plan.left == () and artifact.delegated == 1.0
            assert verdict.passed and verdict.unit == "npu" and verdict.runner == "the Snapdragon's NPU, simulated"
            assert verdict.snr_db > LEAST[model][precision] and verdict.agreement == 1.0
            assert ("of its values are within 2 steps of" in verdict.reason) == (precision == "int8")
            (context,) = read_contents(bundle.path(artifact).read_bytes()).contexts
            assert chip.encode() in context.binary


def test_converted_again_it_is_the_same(made, samesight, demo, tmp_path):
    """Deterministic, so that a bundle's bytes are its inputs' alone; and nothing is left beside the sources."""
    folder, _ = made
    again = tmp_path / folder.name
    wanted = ("--to", "tflite", "--precision", "int8", "--unit", "npu", "--soc", "sm8650", "--no-verify", "--json")
    done = samesight("convert", demo / "runs" / folder.name, "--out", again, *wanted)
    assert done.returncode == 0, done.stderr
    name = f"{folder.name}.int8.SM8650.tflite"
    assert (again / "artifacts" / name).read_bytes() == (folder / "artifacts" / name).read_bytes()
    assert sorted(path.name for path in (again / "artifacts").iterdir()) == sorted([name, f"{folder.name}.int8.tflite"])


def test_the_same_files_run_as_a_target_too(made, samesight):
    folder, _ = made
    name = f"{folder.name}.int8.SM8650.tflite"
    done = samesight("verify", folder, "--runner", "snapdragon", "--artifact", name, "--json")
    assert done.returncode == 0, done.stderr
    (verdict,) = json.loads(done.stdout)["targets"]
    assert verdict["runner"] == "snapdragon" and verdict["passed"] and verdict["near"] >= 0.99
    assert verdict["note"].startswith("SM8650: ") and verdict["note"].endswith(" operators in 1 piece")
    shown = samesight("inspect", folder).stdout
    assert f"plan      {verdict['note']}" in shown and "passed on the Snapdragon's NPU, simulated" in shown


def test_alone_it_is_held_against_the_cpu_all_the_same(made, samesight):
    folder, _ = made
    name = f"{folder.name}.int8.SM8650.tflite"
    done = samesight("verify", folder, "--artifact", name, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["artifacts"]
    assert row["name"] == name and f"are within 2 steps of {folder.name}.int8.tflite's" in row["reason"]


def test_without_the_simulator_nothing_is_claimed_or_shipped(made, samesight, tmp_path):
    folder = shutil.copytree(made[0], tmp_path / made[0].name)
    (folder / "parity.json").unlink()
    without = {**os.environ, "SAMESIGHT_TOOLS": str(tmp_path / "tools")}
    done = samesight("verify", folder, "--json", env=without)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["artifacts"]}
    for name, row in rows.items():
        if row["unit"] == "npu":
            assert row["passed"] is None and row["snr_db"] is None, name
            assert row["reason"].endswith("is not installed; samesight setup snapdragon")
        else:
            assert row["passed"]
    packed = samesight("pack", folder, "--for", "android", env=without)
    assert packed.returncode == 1 and "not judged yet: " in packed.stderr and "setup snapdragon" in packed.stderr
    others = samesight("pack", folder, "--for", "android", "--soc", "other", env=without)
    assert others.returncode == 0 and "SM8650" not in others.stdout, others.stderr
    asked = samesight("verify", folder, "--runner", "snapdragon", env=without)
    assert asked.returncode == 1 and "samesight setup snapdragon" in asked.stderr
    converted = samesight("convert", "x.pt2", "--out", tmp_path / "n", "--unit", "npu", "--soc", "SM8650", env=without)
    assert converted.returncode == 1 and converted.stderr.strip().endswith(
        "is not installed; samesight setup snapdragon"
    )


def test_a_damaged_program_is_one_sentence(made, samesight, tmp_path):
    """The bundle's own check is turned off by sealing it anew; then Qualcomm's library refuses the context."""
    folder = shutil.copytree(made[0], tmp_path / made[0].name)
    bundle = open_bundle(folder)
    artifact = bundle.find(f"{folder.name}.fp16.SM8650.tflite")
    data = bytearray(bundle.path(artifact).read_bytes())
    (context,) = read_contents(bytes(data)).contexts
    start = bytes(data).index(context.binary)
    data[start : start + 4096] = bytes(4096)
    bundle.path(artifact).write_bytes(data)
    seal(folder, bundle.spec, bundle.manifest.artifacts, bundle.manifest.data, bundle.manifest.samesight)
    done = samesight("verify", folder, "--artifact", artifact.name, "--json")
    assert done.returncode == 1, done.stdout
    (row,) = json.loads(done.stdout)["artifacts"]
    assert row["passed"] is False and "it does not load: " in row["reason"] and "\n" not in row["reason"]
