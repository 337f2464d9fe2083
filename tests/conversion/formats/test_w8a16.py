"""TFLite of int8 weights and int16 activations: kernels enlarged to SAME padding, and files put right."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from samesight.contract.spec import parse_spec
from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.formats.operator_cases import Between
from samesight.conversion.formats.operator_sweep import SIZE, SPEC, pictures
from samesight.conversion.formats.same_padding import same_kernel
from samesight.conversion.preparation.prepare import pixels_of, prepare
from samesight.conversion.quantization.mixed import quantize_wide
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.runners import runner_of
from samesight.conversion.snr import ratios

torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "side", "larger"),
    [(3, 2, 1, 16, 4), (3, 2, 1, 15, 3), (7, 2, 3, 32, 8), (5, 2, 2, 32, 6), (3, 1, 1, 16, 3), (3, 2, 0, 16, 0)],
)
def test_zeros_behind_a_kernel_make_its_padding_same(kernel, stride, padding, side, larger):
    image = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(1, 1, kernel, kernel, generator=torch.Generator().manual_seed(1))
    expected = F.conv2d(image, weight, stride=stride, padding=padding)
    out = expected.shape[2]
    assert same_kernel(side, out, kernel, stride, padding) == larger
    if larger:
        # SAME as TensorFlow defines it: the smaller half of what is missing stands first.
        missing = max((out - 1) * stride + larger - side, 0)
        low, high = missing // 2, missing - missing // 2
        padded = F.pad(image, (low, high, low, high))
        enlarged = F.pad(weight, (0, larger - kernel, 0, larger - kernel))
        torch.testing.assert_close(F.conv2d(padded, enlarged, stride=stride), expected)


class Blocks(nn.Module):
    """What the file has to be put right for: strides on even sides, a depthwise convolution, a sum, biases."""

    def __init__(self):
        super().__init__()
        self.down, self.depth = nn.Conv2d(8, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.point, self.short = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1, 2)

    def forward(self, x):
        return self.short(x) + self.point(torch.relu(self.depth(torch.relu(self.down(x)))))


@pytest.fixture(scope="module")
def lowered(tmp_path_factory):
    torch.manual_seed(0)
    program = torch.export.export(Between(Blocks()).eval(), (torch.zeros(1, 3, SIZE, SIZE),))
    prepared = prepare(program, parse_spec(SPEC, "spec"), pictures()[:4])
    wide = quantize_wide(quantize(prepared, pictures()), pictures())
    output = tmp_path_factory.mktemp("w8a16") / "blocks.tflite"
    return FORMATS["litert"].load_module().convert(Lowering(prepared.spec, "w8a16", prepared, wide, output)), wide


def test_the_file_computes_the_program(lowered):
    file, wide = lowered
    run, pixels = runner_of("litert").load(file.path, file), pixels_of(pictures())
    (role,) = wide.spec.roles
    actual = np.concatenate([run(picture)[role] for picture in pictures()])
    with torch.no_grad():
        program, network = (
            np.concatenate([module(image)[0].numpy() for image in pixels.split(1)])
            for module in (wide.folded, wide.source.module)
        )
    # The normalisation is int8, and its ties may be a step apart.
    assert ratios(program, actual)[0] > 30 and ratios(network, actual)[0] > 25


def test_pixels_go_in_as_bytes_and_floats_come_out(lowered):
    file, _ = lowered
    assert (file.input_layout, file.input.scale, file.input.zero_point) == ("int8_nhwc", 1.0, -128)
    assert [(info.dtype, info.scale) for info in file.outputs] == [("float32", None)]


def test_it_has_no_pad_and_wide_biases(lowered):
    from ai_edge_litert import schema_py_generated as schema

    file = schema.ModelT.InitFromPackedBuf(lowered[0].path.read_bytes(), 0)
    graph, kinds = file.subgraphs[0], vars(schema.BuiltinOperator)
    codes = [file.operatorCodes[operator.opcodeIndex].builtinCode for operator in graph.operators]
    assert kinds["PAD"] not in codes and codes.count(kinds["DEQUANTIZE"]) == 1
    layers = [op for op, code in zip(graph.operators, codes, strict=True) if code == kinds["CONV_2D"]]
    wide = [op for op in layers if graph.tensors[op.outputs[0]].type == schema.TensorType.INT16]
    assert len(wide) >= 4
    for operator in wide:
        types = [graph.tensors[index].type for index in operator.inputs]
        assert types == [schema.TensorType.INT16, schema.TensorType.INT8, schema.TensorType.INT64]
