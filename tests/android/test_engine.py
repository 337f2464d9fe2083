"""The Android app's engine, unmodified, on the real LiteRT library (support/twins/engine.py)."""

import json
import os

import pytest

from samesight.contract.bundle import open_bundle
from samesight.conversion.apps.android import run_host
from samesight.conversion.apps.device_results import read_device_parity
from support.faulty import only, outputs_as_floats, stored_as
from support.twins.engine import *  # noqa: F403
from support.twins.engine import PRECISIONS, check_fault


@pytest.fixture(scope="module")
def app_name():
    return "Android app"


@pytest.fixture(scope="module")
def host(reactor, tmp_path_factory):
    """Runs the app's self-test on a bundle; gives what it exported."""

    def run(folder, units=("cpu",)):
        results = tmp_path_factory.mktemp("host") / "device-parity.json"
        run_host(reactor, folder, results, units)
        return read_device_parity(results, open_bundle(folder))

    return run


def test_no_unit_is_called_what_it_is_not(host, demo):
    """Here LiteRT has a CPU alone; asked for {GPU, CPU} or for the NPU it would run there and say nothing."""
    parity = host(demo / "digits", ("npu", "gpu", "cpu"))
    fates = {(run.artifact, run.unit): run for run in parity.runs}
    assert len(fates) == 12
    for (_, unit), run in fates.items():
        assert (run.refusal is None) == (unit == "cpu") == (run.proof is not None) == bool(run.cases)
    assert "libraries (libLiteRtDispatch_*.so) are not in this app" in fates["digits.fp32.tflite", "npu"].refusal
    assert "LiteRT refuses" in fates["digits.fp32.tflite", "gpu"].refusal


@pytest.mark.parametrize("change", [stored_as("float32_nhwc"), outputs_as_floats], ids=["packed", "read"])
def test_bytes_taken_for_floats_fail_in_the_app(host, demo, copy_of, change):
    folder = copy_of(demo / "scenes")
    check_fault(host, folder, only("scenes.int8.tflite", change), None, "int8", "in the file, and FLOAT")


def test_verify_tells_and_keeps_it(samesight, reactor, demo, copy_of, tmp_path):
    folder = copy_of(demo / "digits")
    # The other app has tests of its own.
    without_swift = {name: value for name, value in os.environ.items() if name != "CI"} | {
        "SAMESIGHT_TOOLS": str(tmp_path)
    }
    done = samesight("verify", folder, "--apps", "--json", env=without_swift)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["apps"]
    assert [row["name"] for row in told] == [f"digits.{precision}.tflite" for precision in PRECISIONS]
    assert all(row["passed"] and row["unit"] == "cpu" for row in told)
    bundle = open_bundle(folder)
    assert len(bundle.verdicts().apps) == 4
    # As a phone would export it.
    results = tmp_path / "device-parity.json"
    run_host(reactor, folder, results, ("cpu", "gpu"))
    phone = json.loads(results.read_text()) | {"device": "Maker Model"}
    results.write_text(json.dumps(phone))
    done = samesight("verify", folder, "--device-results", results)
    assert done.returncode == 0 and "Maker Model" in done.stdout and "not used" in done.stdout, done.stderr
    assert len(bundle.verdicts().apps) == 12
    results.write_text(json.dumps(phone | {"manifest_sha256": "0" * 64}))
    done = samesight("verify", folder, "--device-results", results)
    assert done.returncode == 1 and "results of another bundle" in done.stderr and len(done.stderr.splitlines()) == 1
    done = samesight("report", folder, "--no-bench")
    assert done.returncode == 0 and "Maker Model" in (folder / "report.html").read_text()
