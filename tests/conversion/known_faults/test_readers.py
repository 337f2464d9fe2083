"""Readers give what stands in real files, without torch and fast; damaged files have no warnings."""

import subprocess
import sys

import onnx
import pytest
import torch
from torch import nn

from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.known_faults.check import network_of, warnings_of
from samesight.conversion.preparation.prepare import prepare
from samesight.conversion.quiet import quiet


def ids(path, format):
    return [warning.id for warning in warnings_of(path, format)]


class Activations(nn.Module):
    """Softplus, a mean over a large map, bilinear resizing, a rank of 5 and a pool: a few patterns at once."""

    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 4, 3, 1, 1), nn.Linear(4, 4)

    def forward(self, x):
        x = nn.functional.softplus(self.stem(x))
        x = nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
        x = nn.functional.avg_pool2d(x, 2)
        return self.head(x.mean((2, 3)))


@pytest.fixture(scope="module")
def lowered(digits_spec, tmp_path_factory):
    """The same network in a format."""
    torch.manual_seed(0)
    side = digits_spec.input.height
    spec = digits_spec.model_copy(update={"labels": digits_spec.labels[:4]})
    program = torch.export.export(Activations().eval(), (torch.zeros(1, 3, side, side),))
    prepared = prepare(program, spec)

    def lower(name, precision):
        output = tmp_path_factory.mktemp(name) / f"some.{precision}{FORMATS[name].suffix}"
        return FORMATS[name].load_module().convert(Lowering(spec, precision, prepared, None, output)).path

    return lower


def test_a_tflite(lowered):
    path = lowered("litert", "fp32")
    network = network_of(path, "litert")
    (resize,) = network.of("RESIZE_BILINEAR")
    assert resize.options["halfPixelCenters"] and resize.first.shape[1:3] == (32, 32)
    assert resize.result.shape[1:3] == (64, 64) and resize.first.dtype == "float32" and not resize.first.constant
    convolution = next(op for op in network.of("CONV_2D"))
    assert convolution.inputs["1"].constant and network.maker(resize.first) is not None
    assert "litert-nnapi-half-pixel-centres" in ids(path, "litert")
    assert "litert-gpu-large-sum" not in ids(path, "litert")


def test_an_ml_program(lowered):
    path = lowered("coreml", "fp16")
    network = network_of(path, "coreml")
    assert network.version == 17 and network.outputs == ("logits",)
    (pool,) = network.of("avg_pool")
    assert pool.numbers("kernel_sizes") == (2, 2) and pool.first.shape == (1, 4, 64, 64)
    assert pool.first.dtype == "float16" and pool.options["pad_type"] in ("custom", "valid")
    convolution = network.of("conv")[0]
    assert convolution.inputs["weight"].constant and next(iter(convolution.inputs)) == "x"
    assert ids(path, "coreml") == ["coreml-ane-softplus"]


@pytest.mark.slow
def test_the_ml_program_of_an_executorch_file(lowered):
    assert "coreml-ane-softplus" in ids(lowered("executorch-coreml", "fp16"), "executorch-coreml")


def test_a_pte(digits_prepared, digits_quantized, tmp_path):
    output = tmp_path / "digits.int8.pte"
    job = Lowering(digits_prepared.spec, "int8", digits_prepared, digits_quantized, output)
    network = network_of(FORMATS["executorch"].load_module().convert(job).path, "executorch")
    convolutions = network.of("XNNConv2d", "XNNDepthwiseConv2d")
    assert len(convolutions) == 3
    for convolution in convolutions:
        assert convolution.first.dtype == "int8" and convolution.inputs["filter_id"].constant
        assert convolution.first.rank == 4 and convolution.options["subsampling_height"] in (1, 2)
    pool = network.of("XNNAvgPooling2d")[0]
    assert pool.first.shape == (1, 8, 8, 32) and pool.result.shape == (1, 4, 4, 32)
    assert ids(output, "executorch") == []


def test_this_executorch_adds_the_padding_of_a_pool_that_hangs_over(tmp_path):
    """Lowered without samesight's preparation."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    class Pool(nn.Module):
        def forward(self, x):
            return nn.functional.max_pool2d(x + x, 2, ceil_mode=True)

    program = torch.export.export(Pool(), (torch.zeros(1, 3, 7, 7),))
    with quiet():
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    path = tmp_path / "pool.pte"
    path.write_bytes(lowered.buffer)
    (pool,) = network_of(path, "executorch").of("XNNMaxPooling2d")
    assert pool.first.shape == (1, 7, 7, 3) and pool.result.shape == (1, 4, 4, 3)
    assert pool.options["padding_bottom"] == pool.options["padding_right"] == 1
    assert ids(path, "executorch") == []


def test_an_onnx(tmp_path):
    helper = onnx.helper
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        helper.make_node("Constant", [], ["hi"], value=helper.make_tensor("", 1, [], [6.0])),
        helper.make_node("Clip", ["p", "", "hi"], ["y"], "clip"),
    ]
    graph = helper.make_graph(nodes, "g", [value("x", 1, [1, 3, 7, 7])], [value("y", 1, None)])
    path = tmp_path / "pool.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    network = network_of(path, "onnx")
    pool, clip = network.operators
    assert pool.result.shape == (1, 3, 4, 4) and pool.options["ceil_mode"] == 1 and network.version == 17
    assert clip.inputs["max"].numbers == (6.0,) and list(clip.inputs) == ["input", "max"]
    assert network.outputs == ("y",) and ids(path, "onnx") == ["onnx-coreml-ceiling"]


def test_a_core_ai_asset_has_the_kinds_of_its_operators(tmp_path):
    asset = tmp_path / "some.fp16.aimodel"
    asset.mkdir()
    (asset / "main.mlirb").write_bytes(b"ML\xefR\0primitive.topk_v1\0broadcasting_gather_nd_v2\0resource_12\0conv2d\0")
    network = network_of(asset, "coreai")
    assert [operator.kind for operator in network.operators] == ["broadcasting_gather_nd", "topk"]
    assert ids(asset, "coreai") == ["coreai-ane-choice-and-gather"]
    asset.rename(tmp_path / "some.fp32.aimodel")
    assert ids(tmp_path / "some.fp32.aimodel", "coreai") == []


def test_formats_for_servers_have_no_reader(tmp_path):
    assert network_of(tmp_path / "some.pt2", "exported") is None


@pytest.mark.parametrize(("name", "precision"), [("litert", "fp32"), ("coreml", "fp16")])
def test_a_damaged_file_has_no_warnings(lowered, name, precision):
    path = lowered(name, precision)
    file = path if path.is_file() else next(path.rglob("*.mlmodel"))
    for kept in (0, 8, 400):
        file.write_bytes(file.read_bytes()[:kept])
        assert warnings_of(path, name) == ()


def test_files_are_read_without_torch(lowered):
    """Each in a process of its own: a reader that imported torch or TensorFlow would cost seconds."""
    paths = {"litert": lowered("litert", "fp32"), "coreml": lowered("coreml", "fp16")}
    for format, path in paths.items():
        code = (
            "import sys, pathlib\nfrom samesight.conversion.known_faults.check import warnings_of\n"
            f"assert warnings_of(pathlib.Path({str(path)!r}), {format!r})\n"
            "assert not {'torch', 'tensorflow', 'executorch'} & set(sys.modules), 'imported'"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
