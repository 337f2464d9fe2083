"""ONNX files as sources: every operator that is read computes what ONNX Runtime computes, and bad files are refused."""

import os
import re

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from samesight.contract.bundle import open_bundle
from samesight.contract.errors import SamesightError
from samesight.conversion.sources.onnx.file import folded, read_model, run_session
from samesight.conversion.sources.onnx.operators import OPERATORS
from samesight.conversion.sources.onnx.reader import OnnxNetwork, read_network
from samesight.conversion.sources.onnx.server import load_onnx_server
from samesight.conversion.sources.source import open_source
from samesight.conversion.workflow.convert import convert_source
from support.fixtures import SIDE

RNG = np.random.default_rng(0)
SHAPE = (1, 3, 6, 8)


def weights(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


POSITIVE = ("Sqrt", "Log", "Pow", "Div", "Reciprocal", "ReduceLogSum")
LOGICAL = ("And", "Or", "Xor", "Not")
# What gives no floats.
OTHER = (*LOGICAL, "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "ArgMax", "ArgMin")
# Per operator: constants after the image, attributes, and the opset where it is not 20.
CASES = [
    ("Conv", [weights(4, 3, 3, 3), weights(4)], {"pads": [1, 1, 1, 1], "strides": [2, 1]}),
    ("Conv", [weights(3, 1, 3, 3)], {"group": 3, "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("Conv", [weights(2, 3, 2, 2)], {"auto_pad": "SAME_LOWER"}),
    ("Conv", [weights(2, 3, 2, 3)], {"pads": [0, 1, 1, 0], "dilations": [2, 1]}),
    (
        "ConvTranspose",
        [weights(3, 4, 3, 3), weights(4)],
        {"strides": [2, 2], "pads": [1] * 4, "output_padding": [1, 1]},
    ),
    ("ConvTranspose", [weights(3, 2, 3, 2)], {"strides": [2, 2], "pads": [0, 1, 1, 0], "output_padding": [1, 0]}),
    ("Gemm", [weights(5, 8), weights(5)], {"transB": 1}),
    ("Gemm", [weights(8, 5), weights(1, 5)], {"alpha": 0.5, "beta": 2.0}),
    ("MatMul", [weights(8, 5)], {}),
    ("Einsum", [weights(8, 5)], {"equation": "nchw,wk->nchk"}),
    ("BatchNormalization", [weights(3), weights(3), weights(3), np.abs(weights(3)) + 1], {"epsilon": 1e-3}),
    ("LayerNormalization", [weights(8), weights(8)], {"axis": -1, "epsilon": 1e-4}),
    ("InstanceNormalization", [weights(3), weights(3)], {}),
    ("GroupNormalization", [weights(3), weights(3)], {"num_groups": 3}, 21),
    ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}),
    ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1] * 4}),
    ("AveragePool", [], {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1], "count_include_pad": 1}),
    ("AveragePool", [], {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("AveragePool", [], {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1]}),
    ("GlobalAveragePool", [], {}),
    ("GlobalMaxPool", [], {}),
    *(("Reduce" + kind, [ints(2, 3)], {"keepdims": keep}) for kind in ("Mean", "Max") for keep in (0, 1)),
    ("ReduceMean", [], {"axes": [1], "keepdims": 0}, 13),
    ("ReduceSum", [ints(-1)], {}),
    ("ReduceMin", [], {}),
    ("ReduceL2", [ints(1)], {}),
    *((kind, [weights(3, 1, 1)], {}) for kind in ("Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean")),
    *((f"Reduce{kind}", [ints(1, 3)], {}) for kind in ("L1", "SumSquare", "LogSum", "LogSumExp")),
    ("CumSum", [np.array(-1)], {}),
    ("CumSum", [np.array(2)], {"reverse": 1}),
    ("LRN", [], {"size": 3, "alpha": 0.1, "beta": 0.6, "bias": 1.5}),
    ("LpNormalization", [], {"axis": 1, "p": 1}),
    ("Div", [np.abs(weights(3, 1, 1)) + 1], {}),
    ("Pow", [np.float32([2.0])], {}),
    *(
        (kind, [], {})
        for kind in (
            *("Neg", "Abs", "Sqrt", "Exp", "Log", "Erf", "Reciprocal", "Relu", "Sigmoid", "Tanh", "Softplus", "Mish"),
            *("HardSwish", "Identity", "Dropout", "Gelu", "LogSoftmax", "HardSigmoid", "Sin", "Cos"),
            *("Tan", "Atan", "Sinh", "Cosh", "Not"),
            *("Floor", "Ceil", "Round", "Sign", "Softsign", "Selu", "Celu", "ThresholdedRelu"),
        )
    ),
    ("Gelu", [], {"approximate": "tanh"}),
    ("PRelu", [weights(3, 1, 1)], {}),
    ("LeakyRelu", [], {"alpha": 0.3}),
    ("Elu", [], {"alpha": 0.7}),
    ("Selu", [], {"alpha": 1.2, "gamma": 0.9}),
    ("Celu", [], {"alpha": 0.6}),
    ("ThresholdedRelu", [], {"alpha": 0.3}),
    ("HardSigmoid", [], {"alpha": 1 / 6, "beta": 0.5}),
    ("Clip", [np.float32(0), np.float32(6)], {}),
    ("Clip", [np.float32(-0.5)], {}),
    ("Softmax", [], {"axis": 1}),
    ("Softmax", [], {"axis": 2}, 11),
    ("Concat", [weights(1, 2, 6, 8)], {"axis": 1}),
    ("Split", [ints(1, 2)], {"axis": 1}),
    ("Split", [], {"axis": 3, "num_outputs": 2}),
    ("Slice", [ints(1, -7), ints(100, -1), ints(2, 3), ints(2, 1)], {}),
    ("Slice", [ints(-1, 4), ints(-100, 0), ints(2, 3), ints(-1, -3)], {}),
    ("GatherElements", [RNG.integers(-8, 8, (1, 3, 6, 2))], {"axis": 3}),
    ("TopK", [ints(3)], {"axis": 2}),
    ("TopK", [ints(2)], {"axis": 3, "largest": 0}),
    ("ArgMax", [], {"axis": 1}),
    ("ArgMax", [], {"axis": 3, "keepdims": 0, "select_last_index": 1}),
    ("ArgMin", [], {"axis": 2}),
    ("Where", [weights(1, 3, 6, 8) > 0, weights(8)], {}),
    *((kind, [weights(3, 1, 1)], {}) for kind in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")),
    *((kind, [weights(3, 6, 1) > 0], {}) for kind in ("And", "Or", "Xor")),
    ("Mod", [np.float32([0.7])], {"fmod": 1}),
    ("Reshape", [ints(0, -1, 4)], {}),
    ("Flatten", [], {"axis": 2}),
    ("Squeeze", [ints(0)], {}),
    ("Unsqueeze", [ints(0, -1)], {}),
    ("Transpose", [], {"perm": [0, 2, 3, 1]}),
    ("Expand", [ints(2, 1, 6, 1)], {}),
    ("Tile", [ints(1, 2, 1, 3)], {}),
    ("Pad", [ints(0, 0, 1, 2, 0, 1, 0, 3), np.float32(7)], {}),
    ("Pad", [ints(0, 0, 1, 2, 0, 0, 0, 3)], {"mode": "reflect"}),
    ("Pad", [ints(0, 0, 1, 2, 0, 0, 2, 0)], {"mode": "edge"}),
    ("Resize", [None, np.float32([1, 1, 2, 2])], {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}),
    ("Resize", [None, None, ints(1, 3, 9, 5)], {"mode": "linear"}),
    ("Resize", [None, None, ints(1, 3, 12, 16)], {"mode": "cubic", "coordinate_transformation_mode": "align_corners"}),
    (
        "Resize",
        [None, None, ints(1, 3, 9, 13)],
        {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
    ),
    ("Upsample", [np.float32([1, 1, 2, 2])], {}, 9),
    ("Gather", [np.array(-1)], {"axis": 1}),
    ("Gather", [ints(2, 0, -3)], {"axis": 1}),
    ("DepthToSpace", [weights(1, 5, 6, 8)], {"blocksize": 2}),
    ("SpaceToDepth", [], {"blocksize": 2}),
    ("Cast", [], {"to": TensorProto.FLOAT}),
]


def model_of(nodes, outputs, constants=(), opset=20, shape=SHAPE):
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "g", [image], infos, list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def case_model(kind, constants, attributes, opset=20):
    """The operator on the image, plus one on what it gives, so that nothing stands for itself."""
    nodes, image = [], "x"
    if kind in POSITIVE:
        nodes += [helper.make_node("Abs", ["x"], ["positive"]), helper.make_node("Add", ["positive", "one"], ["above"])]
        image = "above"
    if kind == "Gemm":
        nodes.append(helper.make_node("Reshape", ["x", "rows"], ["flat"]))
        image = "flat"
    if kind == "DepthToSpace":  # needs a multiple of four channels
        nodes.append(helper.make_node("Concat", ["x", "c0"], ["eight"], axis=1))
        image = "eight"
    if kind in LOGICAL:
        nodes.append(helper.make_node("Greater", ["x", "one"], ["large"]))
        image = "large"
    named = {f"c{number}": value for number, value in enumerate(constants) if value is not None}
    inputs = [image, *(f"c{number}" if value is not None else "" for number, value in enumerate(constants))]
    outputs = ["y", "z"] if kind == "Split" else ["y"]
    if kind == "Where":
        inputs = ["c0", image, "c1"]
    given, made = inputs[:1] if kind == "DepthToSpace" else inputs, ["y", "places"] if kind == "TopK" else outputs
    nodes.append(helper.make_node(kind, given, ["other"] if kind in OTHER else made, **attributes))
    if kind in OTHER:
        nodes.append(helper.make_node("Cast", ["other"], ["y"], to=TensorProto.FLOAT))
    tensors = [numpy_helper.from_array(np.array(value), name) for name, value in named.items()]
    tensors += [numpy_helper.from_array(np.float32([1]), "one"), numpy_helper.from_array(ints(18, 8), "rows")]
    return model_of(nodes, outputs, tensors, opset)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_an_operator_computes_what_onnx_runtime_computes(case, tmp_path):
    model = case_model(*case)
    session = run_session(model, tmp_path / "m.onnx")
    network = OnnxNetwork(folded(model, tmp_path / "m.onnx", tmp_path), ["a"])
    image = weights(*SHAPE)
    for expected, actual in zip(session.run(None, {"x": image}), network(torch.from_numpy(image)), strict=True):
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_every_operator_of_the_table_has_a_case():
    assert {case[0] for case in CASES} == set(OPERATORS)


@pytest.fixture(scope="module")
def network_file(digits_run, digits_spec, tmp_path_factory):
    """The small classifier as torch's exporter writes it, with a free batch."""
    folder = tmp_path_factory.mktemp("onnx")
    module = torch.export.load(digits_run / "network.pt2").module(check_guards=False)
    path = folder / "small.onnx"
    example = torch.zeros(1, 3, SIDE, SIDE)
    torch.onnx.export(module, (example,), path, dynamo=True, external_data=False, verbose=False)
    model = onnx.load(path)
    side = model.graph.input[0].type.tensor_type.shape.dim[0]
    side.ClearField("dim_value")
    side.dim_param = "batch"
    onnx.save(model, path)
    return path


@pytest.fixture
def small(network_file):
    return onnx.load(network_file)


def test_what_is_read_gives_what_the_file_gives(network_file, digits_spec, tmp_path, digits_inputs):
    program = read_network(network_file, digits_spec, tmp_path)
    assert list(program.example_inputs[0][0].shape) == [1, 3, SIDE, SIDE] and not list(tmp_path.iterdir())
    server = load_onnx_server(network_file, digits_spec)
    assert server.outputs(digits_inputs[0])["logits"].shape == (1, 10)
    with pytest.raises(SamesightError, match=r"gives 1 outputs, but the spec names a, b"):
        two = digits_spec.outputs.model_copy(update={"tensors": ("a", "b")})
        load_onnx_server(network_file, digits_spec.model_copy(update={"outputs": two}))


def refused(path, spec):
    with pytest.raises(SamesightError) as error:
        read_network(path, spec, path.parent)
    sentence = str(error.value)
    assert sentence.startswith(f"{path}: ") and "\n" not in sentence and len(sentence) < 400
    return sentence


@pytest.mark.parametrize("damage", [b"", b"x", b"not an ONNX file", "cut", "turned"])
def test_damaged_files_are_named(network_file, digits_spec, tmp_path, damage):
    path, whole = tmp_path / "m.onnx", network_file.read_bytes()
    made = {"cut": whole[: len(whole) // 2], "turned": whole[::-1]}
    path.write_bytes(damage if isinstance(damage, bytes) else made[damage])
    assert "export it again" in refused(path, digits_spec)


def custom(model):
    model.graph.node[0].domain = "my.ops"
    model.opset_import.append(helper.make_opsetid("my.ops", 1))


def unread(model):
    name = model.graph.output[0].name
    model.graph.node.append(helper.make_node("Asinh", [name], ["more"]))
    model.graph.output[0].name = "more"


def two_inputs(model):
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))


def halves(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def channels_last(model):
    for side, length in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, SIDE, SIDE, 3), strict=True):
        side.dim_value = length


def larger(model):
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 99


def future(model):
    model.opset_import[0].version = 9999


def newest(model):
    model.ir_version = onnx.IR_VERSION  # ONNX is ahead of its runtime


def empty(model):
    del model.graph.node[:]


def missing_value(model):
    model.graph.node[0].input[0] = "nowhere"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (custom, r"uses Conv of my\.ops, which ONNX does not define; export it with standard operators"),
        (unread, r"uses Asinh, which is not read as a network of PyTorch; export the network from PyTorch"),
        (two_inputs, r"takes 2 inputs \(\w+, mask\), but must take one image"),
        (halves, r"its input \w+ is not float32; export the network in float32"),
        (larger, r"takes an input \['free', 3, 32, 99\], but the spec says \[1, 3, 32, 32\]; correct input"),
        (
            channels_last,
            r"with its channels last; export it with channels first, as \[1, 3, 32, 32\] \(tf2onnx: --inputs",
        ),
        (future, r"uses opset 9999, and ONNX here ends with \d+; export it with an older one"),
        (newest, r"m\.onnx: ONNX Runtime cannot run it \(Unsupported model IR version: [^/]*\); export it again$"),
        (empty, r"holds no network of ONNX"),
        (missing_value, r"is no valid ONNX model"),
    ],
)
def test_what_cannot_be_read_says_why(small, digits_spec, tmp_path, change, sentence):
    change(small)
    (tmp_path / "m.onnx").write_bytes(small.SerializeToString())
    assert re.search(sentence, refused(tmp_path / "m.onnx", digits_spec))


@pytest.fixture
def external(small, tmp_path):
    """The classifier with its weights in a file beside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    onnx.save_model(small, folder / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=100)
    return folder / "m.onnx"


def test_weights_beside_the_file_are_read_and_no_others(external, digits_spec, tmp_path):
    inside = read_model(external, digits_spec)
    assert all(tensor.data_location != 1 for tensor in inside.graph.initializer)
    (external.parent / "w.bin").rename(tmp_path / "w.bin")
    assert "its weights are missing (w.bin); put that file beside it" in refused(external, digits_spec)
    (external.parent / "w.bin").symlink_to(tmp_path / "w.bin")
    assert "its weights are outside of its folder (w.bin)" in refused(external, digits_spec)
    (external.parent / "w.bin").unlink()
    (external.parent / "w.bin").write_bytes(b"short")
    assert "its weights cannot be read" in refused(external, digits_spec)
    for place in ("../w.bin", "/etc/passwd", "a/../../w.bin"):
        model = onnx.load(external, load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                entry.value = place if entry.key == "location" else entry.value
        (external.parent / "p.onnx").write_bytes(model.SerializeToString())
        assert f"outside of its folder ({place})" in refused(external.parent / "p.onnx", digits_spec)
    os.mkfifo(tmp_path / "pipe.onnx")
    assert refused(tmp_path / "pipe.onnx", digits_spec)


@pytest.mark.slow
def test_a_file_becomes_a_bundle_judged_by_onnx_runtime(network_file, digits_spec, digits_run, tmp_path):
    source = open_source(str(network_file), digits_spec, digits_run / "calibration")
    assert (source.network, source.function, source.onnx) == (None, None, network_file)
    outcome = convert_source(source, tmp_path / "out", ["onnx", "pt2"], ["fp32"])
    assert outcome.failures == {}
    session = run_session(read_model(network_file, digits_spec), network_file)
    bundle = open_bundle(tmp_path / "out")
    server = load_onnx_server(network_file, digits_spec)
    case = bundle.golden_cases()[0]
    np.testing.assert_array_equal(case.outputs["logits"], server.outputs(case.tensor)["logits"])
    assert session.get_inputs()[0].shape == [1, 3, SIDE, SIDE]
    with pytest.raises(SamesightError, match=r"m\.onnx: damaged or not an ONNX file"):
        (tmp_path / "m.onnx").write_bytes(b"damaged")
        convert_source(open_source(str(tmp_path / "m.onnx"), digits_spec, digits_run / "calibration"), tmp_path / "no")
    assert not (tmp_path / "no").exists()
