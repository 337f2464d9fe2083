"""The iOS app's engine, unmodified, on the real LiteRT library (support/twins/engine.py)."""

import json
import os
import shutil
from pathlib import Path

import pytest

from samesight.contract.bundle import open_bundle
from samesight.conversion.apps.device_results import read_device_parity
from samesight.conversion.apps.ios import build, run_host
from support.faulty import only, stored_as
from support.twins.engine import *  # noqa: F403
from support.twins.engine import PRECISIONS, check_fault

APP = Path(__file__).parents[2] / "ios_app"
# What runs a command among Swift's packages calls these.
SYSTEM_TOOLS = ("unshare", "mount", "chroot", "id", "mkdir", "dirname", "swift")


@pytest.fixture(scope="module")
def app_name():
    return "iOS app"


@pytest.fixture(scope="module")
def host(swift, tmp_path_factory):
    """Runs the app's self-test on a bundle; gives what it exported."""
    built = build(APP)

    def run(folder, units=("cpu",)):
        results = tmp_path_factory.mktemp("host") / "device-parity.json"
        run_host(APP, built, folder, results, units)
        return read_device_parity(results, open_bundle(folder))

    return run


def test_no_unit_is_called_what_it_is_not(host, demo):
    """Here LiteRT has a CPU alone; asked for {GPU, CPU} it would run there and say nothing."""
    parity = host(demo / "digits", ("npu", "gpu", "cpu"))
    fates = {(run.artifact, run.unit): run for run in parity.runs}
    assert len(fates) == 12
    for (_, unit), run in fates.items():
        assert (run.refusal is None) == (unit == "cpu") == (run.proof is not None) == bool(run.cases)
    assert "no way to the Neural Engine" in fates["digits.fp32.tflite", "npu"].refusal
    assert "LiteRT refuses" in fates["digits.fp32.tflite", "gpu"].refusal


def test_bytes_packed_as_floats_fail_in_the_app(host, demo, copy_of):
    check_fault(host, copy_of(demo / "scenes"), only("scenes.int8.tflite", stored_as("float32_nhwc")), None, "int8", "")


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
