"""ONNX files whose network is not read: converted from the file itself, judged by ONNX Runtime; the rest says why."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from samesight.contract.errors import SamesightError
from samesight.conversion.formats import made_alone
from samesight.conversion.formats.onnx_alone import write_means
from samesight.conversion.sources.onnx.operators import OPERATORS
from samesight.conversion.sources.onnx.without_program import write_without_program
from samesight.conversion.sources.source import open_source
from samesight.conversion.workflow.convert import convert_source, failure_sentences
from support.fixtures import SIDE

# ONNX Runtime has it, and PyTorch's reader here has not: x less 0.02 towards zero.
UNREAD = ("Shrink", {"lambd": 0.02, "bias": 0.02})
REASON = "the file uses Shrink, which is not read as a network of PyTorch"


def network_of(run, opset=17):
    """The small classifier of the fixtures with `UNREAD` in it; its input has a free batch."""
    state = torch.export.load(run / "network.pt2").state_dict
    tensors = [numpy_helper.from_array(value.detach().numpy(), name) for name, value in state.items()]
    norm = ("weight", "bias", "running_mean", "running_var")
    kind, attributes = UNREAD
    nodes = [
        helper.make_node("Conv", ["x", "0.weight"], ["a"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("BatchNormalization", ["a", *(f"1.{each}" for each in norm)], ["b"]),
        helper.make_node(kind, ["b"], ["b2"], **attributes),
        helper.make_node("Relu", ["b2"], ["c"]),
        helper.make_node("Conv", ["c", "3.weight"], ["d"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("BatchNormalization", ["d", *(f"4.{each}" for each in norm)], ["e"]),
        helper.make_node("Relu", ["e"], ["f"]),
        helper.make_node("AveragePool", ["f"], ["g"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["g"], ["h"]),
        helper.make_node("Gemm", ["h", "8.weight", "8.bias"], ["logits"], transB=1),
    ]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 3, SIDE, SIDE))
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("batch", 10))
    graph = helper.make_graph(nodes, "g", [image], [logits], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.fixture(scope="module")
def folder(digits_run, digits_spec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unread")
    onnx.save(network_of(digits_run), folder / "small.onnx")
    (folder / "model.json").write_text(digits_spec.to_json())
    return folder


@pytest.fixture(scope="module")
def source(folder, digits_run):
    assert UNREAD[0] not in OPERATORS
    return open_source(str(folder / "small.onnx"), folder / "model.json", digits_run / "calibration")


@pytest.fixture(scope="module")
def outcome(folder, source):
    precisions = ["fp32", "int8", "dynamic-int8"]
    return convert_source(source, folder / "out", ["onnx", "tflite", "pte"], precisions)


def test_what_can_be_made_of_the_file_is_made_and_the_rest_names_the_operator(outcome):
    assert [artifact.name for artifact in outcome.bundle.manifest.artifacts] == [
        "digits.fp32.onnx",
        "digits.int8.onnx",
        "digits.dynamic-int8.onnx",
    ]
    for artifact in outcome.bundle.manifest.artifacts:
        assert artifact.format == "onnx" and made_alone("onnx", artifact.tools)
    assert set(outcome.failures) == {
        *(f"digits.{precision}.tflite" for precision in ("fp32", "int8", "dynamic-int8")),
        *(f"digits.{precision}.pte" for precision in ("fp32", "int8")),
    }
    (sentence,) = failure_sentences(outcome.failures)
    assert sentence.endswith(
        f"could not be made: {REASON}; it becomes .onnx (fp32, int8, dynamic-int8) and, with --via onnx-tf or onnx2tf, "
        ".tflite; for the others export the network with torch.export"
    )
    assert outcome.notes == [f"the network itself was not checked: {REASON}"]


def test_the_golden_cases_are_the_files_own_answers(outcome, folder, digits_spec):
    session = onnxruntime.InferenceSession(folder / "small.onnx")
    mean, std = (np.array(values).reshape(3, 1, 1) for values in (digits_spec.input.mean, digits_spec.input.std))
    for case in outcome.bundle.golden_cases()[:4]:
        values = (case.tensor.transpose(2, 0, 1) / 255.0 - mean) / std
        (expected,) = session.run(None, {"x": values[None].astype(np.float32)})
        np.testing.assert_allclose(case.outputs["logits"], expected, rtol=1e-4, atol=1e-4)


def test_its_verdicts_and_its_report_are_as_any_others(outcome, folder, samesight_here):
    done = samesight_here("verify", outcome.bundle.folder, "--json")
    told = {each["name"]: each for each in json.loads(done.stdout)["artifacts"]}
    assert done.returncode == 0, done.stderr
    assert told["digits.fp32.onnx"]["snr_db"] > 100 and told["digits.int8.onnx"]["snr_db"] > 20
    assert "onnx-cpu-integer-global-average" not in done.stdout
    quantized = onnx.load(outcome.bundle.path(outcome.bundle.find("digits.int8.onnx")))
    weights = {tensor.name: tensor for tensor in quantized.graph.initializer}
    layers = [node for node in quantized.graph.node if node.op_type in ("Conv", "Gemm")]
    made = {name: node for node in quantized.graph.node for name in node.output}
    for layer in layers:
        back = made[layer.input[1]]
        assert back.op_type == "DequantizeLinear" and weights[back.input[0]].data_type == TensorProto.INT8
    assert len(layers) == 4  # the normalisation among them
    done = samesight_here("report", outcome.bundle.folder, "--out", folder / "report.html")
    page = (folder / "report.html").read_text()
    assert done.returncode == 0 and "digits.int8.onnx" in page
    assert samesight_here("inspect", outcome.bundle.folder).returncode == 0


def test_the_command_line_says_it_once_and_in_json(folder, digits_run, samesight_here):
    given = ("--spec", folder / "model.json", "--calibration", digits_run / "calibration", "--no-cache", "--no-verify")
    done = samesight_here("convert", folder / "small.onnx", "--out", folder / "none", "--to", "pte", *given)
    assert done.returncode == 1 and not (folder / "none").exists()
    assert done.stderr.splitlines()[-1].startswith(
        f"samesight: {folder / 'small.onnx'}: no artifact could be made: {REASON}"
    )
    done = samesight_here(
        "convert", folder / "small.onnx", "--out", folder / "some", "--to", "onnx,pt2", *given, "--json"
    )
    told = json.loads(done.stdout)
    assert done.returncode == 1 and [row["name"] for row in told["failed"]] == ["digits.fp32.pt2"]
    assert told["failed"][0]["reason"].startswith(REASON)


def test_with_nothing_changed_all_comes_from_the_cache(source, folder, tmp_path):
    from samesight.conversion.workflow.cache import Cache

    made = [
        convert_source(source, tmp_path / "out", ["onnx"], ["fp32"], cache=Cache(tmp_path / "cache")) for _ in range(2)
    ]
    assert [each.unchanged for each in made] == [False, True]
    assert set(made[1].cached) == {"golden cases", "digits.fp32.onnx"}


def mixed_network(kind):
    """A detector's one output [1, 6, 48] or [1, 6, 6, 8] of boxes and scores, through `UNREAD`."""
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.standard_normal((6, 3, 4, 4)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["c"], strides=[4, 4]),
        helper.make_node(UNREAD[0], ["c"], ["d" if kind == "flat" else "mixed"], **UNREAD[1]),
    ]
    shape = (1, 6, 6, 8)
    tensors = [weight]
    if kind == "flat":
        shape = (1, 6, 48)
        tensors.append(numpy_helper.from_array(np.array(shape), "shape"))
        nodes.append(helper.make_node("Reshape", ["d", "shape"], ["mixed"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 24, 32))
    graph = helper.make_graph(nodes, "g", [image], [helper.make_tensor_value_info("mixed", 1, shape)], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


@pytest.mark.parametrize("kind", ["flat", "map"])
def test_roles_are_cut_from_the_files_outputs(boxes_spec, tmp_path, kind):
    onnx.save(mixed_network(kind), tmp_path / "m.onnx")
    write_without_program(tmp_path / "m.onnx", boxes_spec, tmp_path / "made.onnx", None)
    pixels = np.random.default_rng(1).integers(0, 256, (1, 3, 24, 32)).astype(np.float32)
    (mixed,) = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {"image": (pixels / 255 - 0.5) / 0.25})
    made = onnxruntime.InferenceSession(tmp_path / "made.onnx")
    assert [output.name for output in made.get_outputs()] == list(boxes_spec.roles)
    given = dict(zip(boxes_spec.roles, made.run(None, {"image": pixels}), strict=True))
    rows = mixed.reshape(6, 48).T[None]
    for role, expected in (("boxes", rows[..., :4]), ("logits", rows[..., 4:])):
        np.testing.assert_allclose(given[role], expected, rtol=1e-4, atol=1e-4)
    three = boxes_spec.model_copy(update={"labels": ("a", "b", "c")})
    with pytest.raises(SamesightError, match=r"the spec means \[1, 48, 3\]"):
        write_without_program(tmp_path / "m.onnx", three, tmp_path / "no.onnx", None)
    assert not (tmp_path / "no.onnx").exists()


@pytest.mark.parametrize("opset", [13, 18])
def test_an_average_over_the_whole_map_becomes_a_mean(opset):
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 5, 7))
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3, 1, 1))
    graph = helper.make_graph([helper.make_node("GlobalAveragePool", ["x"], ["y"])], "g", [image], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    write_means(model)
    onnx.checker.check_model(model)
    values = np.random.default_rng(0).standard_normal((1, 3, 5, 7)).astype(np.float32)
    (mean,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": values})
    np.testing.assert_allclose(mean, values.mean((2, 3), keepdims=True), rtol=1e-5, atol=1e-6)
    assert [node.op_type for node in model.graph.node] == ["ReduceMean"]


def test_operators_of_others_are_refused_as_before(folder, source, digits_run, digits_spec, tmp_path):
    model = onnx.load(folder / "small.onnx")
    model.graph.node[2].domain = "my.ops"
    model.opset_import.append(helper.make_opsetid("my.ops", 1))
    onnx.save(model, tmp_path / "m.onnx")
    opened = open_source(str(tmp_path / "m.onnx"), digits_spec, digits_run / "calibration")
    with pytest.raises(SamesightError, match=r"uses Shrink of my\.ops, which ONNX does not define"):
        convert_source(opened, tmp_path / "out", ["onnx"], ["fp32"])
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob("*.new"))
