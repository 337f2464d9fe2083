"""The demo's models on every route to TFLite: onnx-tf and onnx2tf in the environments that `samesight setup` makes."""

import json
import os

import onnx
import pytest
from tests.conversion.workflow.test_without_program import network_of

from samesight.contract.bundle import open_bundle
from samesight.conversion.formats import ROUTES
from samesight.conversion.setup.classic import CLASSIC
from samesight.conversion.setup.install import find, install

# TensorFlow's converter itself: the float files are the network but for rounding, and halves keep 11 bits.
LEAST_DB = {"fp32": 110.0, "fp16": 50.0, "int8": 25.0, "dynamic-int8": 35.0}
# Nothing may be fetched while a model is converted: whoever tries is refused at once.
OFFLINE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def classic():
    if find(CLASSIC) is None:
        if not os.environ.get("CI"):
            pytest.skip("classic is not installed; samesight setup classic")
        install(CLASSIC, print)


@pytest.mark.demo
@pytest.mark.slow
@pytest.mark.parametrize(("name", "precisions"), [("digits", tuple(LEAST_DB)), ("scenes", ("fp32", "int8"))])
def test_the_demos_models_go_through_both(classic, demo, tmp_path, samesight, name, precisions):
    environment = {**os.environ, **OFFLINE, "SAMESIGHT_CACHE": str(tmp_path / "cache")}
    options = ("--precision", ",".join(precisions), "--out", tmp_path / "out", "--json")
    done = samesight("routes", demo / "runs" / name, *options, env=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["failed"] == {} and told["reference"] == f"{name}.fp32.tflite"
    figures = {(row["route"], row["precision"]): row for row in told["artifacts"]}
    assert set(figures) == {(route, each) for route in ("litert-torch", *ROUTES) for each in precisions}
    for (_, precision), row in figures.items():
        assert row["passed"] and row["snr_db"] >= LEAST_DB[precision] and row["ratio"] > 0.0
        assert row["transposes"] == row["operators"].get("TRANSPOSE", 0)
    # onnx-tf turns the image before and after each convolution, the others work on NHWC.
    assert figures["onnx-tf", "fp32"]["transposes"] > 10 > figures["onnx2tf", "fp32"]["transposes"]
    assert figures["litert-torch", "fp32"]["transposes"] <= figures["onnx2tf", "fp32"]["transposes"]
    for route in ROUTES:
        whole, small = figures[route, "fp32"]["bytes"], figures[route, "int8"]["bytes"]
        assert small < 0.33 * whole

    bundle = open_bundle(tmp_path / "out")
    for artifact in bundle.manifest.artifacts:
        route = next((each for each in ROUTES if f".{each}." in artifact.name), None)
        assert artifact.format == "litert" and (route is None or {route, "tensorflow"} <= set(artifact.tools))
    layouts = {bundle.find(f"{name}.int8.{route}.tflite").input_layout for route in ROUTES}
    assert layouts == {"float32_nchw", "float32_nhwc"}
    # Once more: nothing is made anew, and the bundle stays as it is.
    again = samesight(
        "convert", demo / "runs" / name, "--to", "tflite", "--via", f"own,{','.join(ROUTES)}", *options, env=environment
    )
    assert again.returncode == 0 and json.loads(again.stdout)["unchanged"], again.stderr


@pytest.mark.slow
def test_an_onnx_file_that_is_not_read_goes_through_both(classic, tmp_path, samesight, digits_run, digits_spec):
    onnx.save(network_of(digits_run), tmp_path / "small.onnx")
    (tmp_path / "model.json").write_text(digits_spec.to_json())
    environment = {**os.environ, **OFFLINE, "SAMESIGHT_CACHE": str(tmp_path / "cache")}
    given = ("--spec", tmp_path / "model.json", "--calibration", digits_run / "calibration")
    wanted = ("--to", "tflite", "--via", ",".join(ROUTES), "--precision", "fp32,int8")
    done = samesight(
        "convert", tmp_path / "small.onnx", *given, *wanted, "--out", tmp_path / "out", "--json", env=environment
    )
    assert done.returncode == 0, done.stderr
    verdicts = json.loads((tmp_path / "out/parity.json").read_text())["artifacts"]
    assert {verdict["name"] for verdict in verdicts} == {
        f"digits.{precision}.{route}.tflite" for precision in ("fp32", "int8") for route in ROUTES
    }
    assert all(verdict["passed"] for verdict in verdicts)
