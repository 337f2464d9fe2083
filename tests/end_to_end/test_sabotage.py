"""Every fault that we claim to catch is injected into the demo's real artifacts and must be caught.

In an app's code before the network (candidates behind faulty preprocessing), in an app's code after it, in the artifact
itself, and in the description that the bundle carries.
"""

import dataclasses
import functools

import numpy as np
import onnx
import pytest

from samesight.contract.bundle import open_bundle
from samesight.contract.gates import GATES
from samesight.contract.orientation import UPRIGHT
from samesight.contract.preprocess import Geometry
from samesight.conversion.normalisation import pixels_for
from samesight.conversion.parity.faults import VALUE_FAULTS
from samesight.conversion.parity.image_faults import IMAGE_FAULTS
from samesight.conversion.parity.judge import judge
from samesight.conversion.parity.run import run_candidates
from samesight.conversion.runners import runner_of
from support.faulty import input_changed, labels_turned, only, rescaled, reseal, shifted_zero_point, stored_as

TASKS = ("digits", "scenes")
# What is the same as the contract of that model is no fault there.
HARMLESS = {
    ("digits", "the middle of the image is cut out"),
    ("scenes", "the image is fitted with a grey border (letterbox 114)"),
}


@pytest.fixture(scope="module")
def opened(demo):
    return functools.cache(lambda name: open_bundle(demo / name))


def runner(bundle, name):
    artifact = bundle.find(name)
    return runner_of(artifact.format).load(bundle.path(artifact), artifact)


def verdict(bundle, candidate, precision="int8"):
    cases = bundle.golden_cases()
    record = run_candidates({"x": candidate}, bundle.spec, cases, None)["x"]
    return judge(record, bundle.spec, GATES[precision], cases, None)


def changes_nothing(bundle, change):
    """Whether a fault gives the contract's own tensor on every golden case (grey images have no channel order)."""
    return all(np.array_equal(change(case.picture), case.tensor) for case in bundle.golden_cases())


@pytest.mark.parametrize("name", TASKS)
def test_without_a_fault_the_int8_artifact_passes(opened, name):
    run = runner(opened(name), f"{name}.int8.tflite")
    judged = verdict(opened(name), lambda picture, tensor, geometry: (run(tensor), geometry))
    assert judged.passed, judged.reason


@pytest.mark.parametrize("fault", IMAGE_FAULTS)
@pytest.mark.parametrize("name", TASKS)
def test_faulty_image_code_is_caught(opened, name, fault):
    bundle = opened(name)
    tensor_of = IMAGE_FAULTS[fault]
    if changes_nothing(bundle, lambda picture: tensor_of(picture, bundle.spec.input)):
        assert (name, fault) in HARMLESS
        return
    run = runner(bundle, f"{name}.fp32.onnx")
    judged = verdict(
        bundle, lambda picture, tensor, geometry: (run(tensor_of(picture, bundle.spec.input)), geometry), "fp32"
    )
    assert not judged.passed


@pytest.mark.parametrize("fault", VALUE_FAULTS)
@pytest.mark.parametrize("name", TASKS)
def test_faulty_normalisation_is_caught(opened, name, fault):
    bundle = opened(name)
    given = bundle.spec.input

    def tensor_of(tensor):
        return pixels_for(VALUE_FAULTS[fault](tensor, given), given)

    if all(np.array_equal(tensor_of(case.tensor), case.tensor) for case in bundle.golden_cases()):
        pytest.skip("this is the model's own normalisation")
    run = runner(bundle, f"{name}.fp32.onnx")
    assert not verdict(bundle, lambda picture, tensor, geometry: (run(tensor_of(tensor)), geometry), "fp32").passed


def test_boxes_that_are_not_mapped_back_are_caught(opened):
    bundle = opened("scenes")
    run = runner(bundle, "scenes.fp32.onnx")

    def left_in_the_input(picture, tensor, geometry):
        frame = dataclasses.replace(
            geometry.frame,
            source_width=geometry.frame.scaled_width,
            source_height=geometry.frame.scaled_height,
            left=0,
            top=0,
        )
        return run(tensor), Geometry(frame, geometry.orientation)

    judged = verdict(bundle, left_in_the_input, "fp32")
    assert not judged.passed and "answers agree" in judged.reason


def test_boxes_that_are_not_turned_back_are_caught(opened):
    bundle = opened("scenes")
    run = runner(bundle, "scenes.fp32.onnx")
    judged = verdict(
        bundle,
        lambda picture, tensor, geometry: (run(tensor), Geometry(geometry.frame, UPRIGHT)),
        "fp32",
    )
    assert not judged.passed and "answers agree" in judged.reason


# Faults in what a bundle holds, put there with valid hashes: `samesight verify` must still say no.


def one_weight_zeroed(folder, name):
    model = onnx.load(folder / f"artifacts/{name}.fp32.onnx")
    weights = [w for w in model.graph.initializer if len(w.dims) == 4 and w.dims[0] > 3]
    weights[len(weights) // 2].raw_data = b"\0" * len(weights[len(weights) // 2].raw_data)
    onnx.save(model, folder / f"artifacts/{name}.fp32.onnx")


def outputs_scaled(folder, name, factor):
    """Every output multiplied: by 0 the model is silent, constant whatever it sees."""
    model = onnx.load(folder / f"artifacts/{name}.fp32.onnx")
    for output in list(model.graph.output):
        for node in model.graph.node:
            node.output[:] = [f"{o}_before" if o == output.name else o for o in node.output]
            node.input[:] = [f"{i}_before" if i == output.name else i for i in node.input]
        model.graph.initializer.append(
            onnx.helper.make_tensor(f"{output.name}_by", onnx.TensorProto.FLOAT, [], [factor])
        )
        model.graph.node.append(
            onnx.helper.make_node("Mul", [f"{output.name}_before", f"{output.name}_by"], [output.name])
        )
    onnx.save(model, folder / f"artifacts/{name}.fp32.onnx")


def sabotage(folder, name, fault):
    """Put one fault into a copied bundle."""
    int8, fp32 = f"{name}.int8.tflite", f"{name}.fp32.onnx"
    match fault:
        case "zero point of the outputs shifted by one":
            reseal(folder, only(int8, shifted_zero_point(1)))
        case "scale of the outputs wrong":
            reseal(folder, only(int8, rescaled))
        case "float layout exchanged":
            reseal(folder, only(fp32, stored_as("float32_nhwc")))
        case "bytes packed as floats":
            reseal(folder, only(int8, stored_as("float32_nhwc")))
        case "one weight tensor zeroed":
            one_weight_zeroed(folder, name)
            reseal(folder)
        case "outputs all zero":
            outputs_scaled(folder, name, 0.0)
            reseal(folder)
        case "outputs ten times too small":
            outputs_scaled(folder, name, 0.1)
            reseal(folder)
        case "another model's file":
            (folder / f"artifacts/{fp32}").write_bytes((folder / f"artifacts/{name}.int8.onnx").read_bytes())
            reseal(folder)
        case "labels off by one":
            reseal(folder, spec=labels_turned)
        case "channels declared bgr":
            reseal(folder, spec=input_changed(channels="bgr"))
        case "another filter declared":
            reseal(folder, spec=input_changed(filter="bicubic"))


FAULTS = {
    "zero point of the outputs shifted by one": "steps",
    "scale of the outputs wrong": "",
    "float layout exchanged": "",
    "bytes packed as floats": "",
    "one weight tensor zeroed": "dB is below",
    "outputs all zero": "dB is below",
    "outputs ten times too small": "dB is below",
    "another model's file": "",
    "labels off by one": "agree",
    "channels declared bgr": "golden case",
    "another filter declared": "golden case",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", TASKS)
def test_a_faulty_bundle_does_not_verify(demo, copy_of, samesight_here, name, fault):
    folder = copy_of(demo / name)
    sabotage(folder, name, fault)
    names = [f"{name}.int8.tflite", f"{name}.fp32.onnx", f"{name}.int8.onnx"]
    done = samesight_here("verify", folder, *[word for n in names for word in ("--artifact", n)])
    assert done.returncode == 1, done.stdout
    assert FAULTS[fault] in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
