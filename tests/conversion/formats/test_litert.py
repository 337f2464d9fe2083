"""TFLite files: their tensors, their numbers, and the faults that preparation keeps away from this converter."""

import io
import re
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from samesight.contract.errors import SamesightError
from samesight.contract.spec import BoxCoding, Detection, Input, ModelSpec, Outputs, Slice, parse_spec
from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.formats.litert import convert
from samesight.conversion.preparation import prepare as prepare_module
from samesight.conversion.preparation.equivalence import compare
from samesight.conversion.preparation.prepare import pixels_of, prepare
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.runners.litert import load
from support.images import blobs

pytestmark = pytest.mark.slow

torch.set_num_threads(1)
PRECISIONS = FORMATS["litert"].precisions


@pytest.fixture
def lowered(boxes_file):
    """The files of a small detector with two outputs, by precision."""
    return {precision: boxes_file("litert", precision) for precision in PRECISIONS}


def operators(path):
    from ai_edge_litert.interpreter import Interpreter

    return [detail["op_name"] for detail in Interpreter(str(path))._get_ops_details()]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_its_tensors_are_described(lowered, precision):
    made = lowered[precision]
    takes_int8, gives_int8 = precision in ("int8", "w8a16", "mixed"), precision in ("int8", "mixed")
    assert made.input_layout == ("int8_nhwc" if takes_int8 else "float32_nhwc")
    assert made.input.shape == (1, 24, 32, 3)
    assert (made.input.dtype, made.input.scale, made.input.zero_point) == (
        ("int8", 1.0, -128) if takes_int8 else ("float32", None, None)
    )
    assert [(info.role, info.signature, info.shape) for info in made.outputs] == [
        ("logits", "logits", (1, 48, 2)),
        ("boxes", "boxes", (1, 48, 4)),
    ]
    assert {info.dtype for info in made.outputs} == {"int8" if gives_int8 else "float32"}
    assert {"litert-torch", "torch"} <= made.tools.keys()
    assert re.fullmatch(r"[12]\.\d+\.\d+", made.runtime_version)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_there_is_no_transpose(lowered, precision):
    found = operators(lowered[precision].path)
    assert "CONV_2D" in found
    assert "TRANSPOSE" not in found
    # w8a16 has 8 bits before the normalisation's output and 16 behind it.
    assert found.count("QUANTIZE") == (1 if precision == "w8a16" else 0)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_spec_and_labels_are_inside(lowered, boxes_spec, precision):
    with zipfile.ZipFile(lowered[precision].path) as archive:
        assert parse_spec(archive.read("model.json"), "x") == boxes_spec
        assert archive.read("labels.txt").decode().split() == ["dark", "light"]


# --- faults that preparation prevents


def spec_of(classes, side=16):
    return ModelSpec(
        name="small",
        task="detection",
        input=Input(width=side, height=side, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        outputs=Outputs(
            tensors=("logits", "boxes"),
            roles={"logits": Slice(tensor="logits"), "boxes": Slice(tensor="boxes")},
            activation="sigmoid",
        ),
        detection=Detection(boxes=BoxCoding(coding="distances", strides=(2,))),
        labels=tuple("abcdefgh"[:classes]),
    )


class Head(nn.Module):
    """A focal loss's prior: the same bias for every class; weights of different size per class."""

    def __init__(self, bias):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.scores, self.boxes = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1)
        with torch.no_grad():
            self.scores.weight.mul_(torch.logspace(-1, 1, 8)[:, None, None, None])
            self.scores.bias.fill_(bias)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        return tuple(head(x).permute(0, 2, 3, 1).flatten(1, 2) for head in (self.scores, self.boxes))


def distance_in_steps(prepared, tensors, folder, ranges=None):
    """The largest distance of the int8 file from the quantized program in torch, in steps of the logits."""
    quantized = quantize(prepared, tensors, ranges)
    made = convert(Lowering(prepared.spec, "int8", prepared, quantized, folder / "small.tflite"))
    runner, grid = load(made.path, made), quantized.outputs["logits"]
    worst = 0.0
    with torch.no_grad():
        for tensor in tensors:
            wanted = quantized.folded(pixels_of(tensor[None]))[0].numpy() / grid.scale + grid.zero_point
            worst = max(worst, float(np.abs(runner.raw(tensor)["logits"] - np.rint(wanted)).max()))
    return worst


def test_an_all_equal_bias_comes_out_wrong_without_the_pass(monkeypatch, tmp_path):
    program = torch.export.export(Head(-4.6).eval(), (torch.zeros(1, 3, 16, 16),))
    spec = spec_of(8)
    tensors = blobs(spec, 6)
    prepared = prepare(program, spec)
    ranges = quantize(prepared, tensors).ranges  # with ranges given, no bias is corrected: all stay equal
    assert distance_in_steps(prepared, tensors, tmp_path) <= 2
    assert distance_in_steps(prepared, tensors, tmp_path, ranges) <= 2
    monkeypatch.setattr(prepare_module, "make_biases_unequal", lambda module: 0)
    assert distance_in_steps(prepare(program, spec), tensors, tmp_path, ranges) > 40


def test_an_all_zero_bias_needs_no_pass(tmp_path):
    program = torch.export.export(Head(0.0).eval(), (torch.zeros(1, 3, 16, 16),))
    prepared = prepare(program, spec_of(8))
    assert prepared.changes["biases told apart"] == 0
    assert distance_in_steps(prepared, blobs(prepared.spec, 6), tmp_path) <= 2


def test_a_normalisation_that_is_no_convolution_keeps_the_input_float(monkeypatch, tmp_path):
    def subtract(module, image, spec):
        from samesight.conversion.normalisation import affine_of
        from samesight.conversion.preparation.graph import add_call, add_tensor, aten

        affine, first = affine_of(spec), image.next
        offset = add_tensor(module, "o", -torch.tensor(affine.offset).reshape(1, 3, 1, 1), first)
        factor = add_tensor(module, "f", (1 / torch.tensor(affine.factor)).reshape(1, 3, 1, 1), first)
        scaled = add_call(module, aten.div.Tensor, [image, factor], first, image)
        moved = add_call(module, aten.sub.Tensor, [scaled, offset], first, image)
        image.replace_all_uses_with(moved, delete_user_cb=lambda user: user is not scaled)
        return 1

    monkeypatch.setattr(prepare_module, "prepend_normalisation", subtract)
    program = torch.export.export(Head(0.0).eval(), (torch.zeros(1, 3, 16, 16),))
    prepared = prepare(program, spec_of(8))
    quantized = quantize(prepared, blobs(prepared.spec, 6))
    with pytest.raises(SamesightError, match="the input became float32"):
        convert(Lowering(prepared.spec, "int8", prepared, quantized, tmp_path / "small.tflite"))


class Flat(nn.Module):
    """What older networks do: PReLU, and a flattened map into a linear layer that holds most of the weights."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.bend = nn.Conv2d(3, 8, 3, 2, 1), nn.PReLU(8)
        self.hidden, self.low, self.head = nn.Linear(8 * 64, 64), nn.PReLU(), nn.Linear(64, 4)

    def forward(self, x):
        return self.head(self.low(self.hidden(self.bend(self.stem(x)).flatten(1))))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_flattened_map_costs_no_transpose_and_no_second_weight(precision, tmp_path):
    spec = ModelSpec(
        name="flat",
        task="classification",
        input=Input(width=16, height=16, mean=(0.5,) * 3, std=(0.5,) * 3),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("abcd"),
    )
    tensors = blobs(spec)
    prepared = prepare(torch.export.export(Flat().eval(), (torch.zeros(1, 3, 16, 16),)), spec, tensors)
    made = convert(Lowering(spec, precision, prepared, quantize(prepared, tensors), tmp_path / "flat.tflite"))
    found = operators(made.path)
    assert found.count("FULLY_CONNECTED") == 2
    assert "TRANSPOSE" not in found
    assert made.path.stat().st_size < (4 if precision == "fp32" else 1) * 34_000 + 20_000
    runner = load(made.path, made)
    logits = torch.cat([torch.from_numpy(runner(tensor)["logits"]) for tensor in tensors])
    wanted = torch.cat([prepared.module(pixels_of(tensor[None]))[0] for tensor in tensors])
    assert compare(wanted, logits)[0] > {"fp32": 90.0, "int8": 18.0}[precision]


def test_an_operator_that_it_lacks_is_named_with_its_module(tmp_path):
    class Bessel(nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.odd = nn.Conv2d(3, 4, 8, 8), Bessel()

        def forward(self, x):
            return self.odd(self.stem(x)).mean((2, 3))

    spec = ModelSpec(
        name="small",
        task="classification",
        input=Input(width=16, height=16, mean=(0.5,) * 3, std=(0.5,) * 3),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("abcd"),
    )
    prepared = prepare(torch.export.export(Net().eval(), (torch.zeros(1, 3, 16, 16),)), spec)
    with pytest.raises(SamesightError) as refused:
        convert(Lowering(spec, "fp32", prepared, None, tmp_path / "small.tflite"))
    assert str(refused.value).startswith(
        "TFLite cannot take the operator aten.special_bessel_j0.default in odd (Bessel); write that module"
    )
    assert not (tmp_path / "small.tflite").exists()


def test_the_archive_does_not_disturb_the_model(lowered):
    """The runtime reads the model from its start; a zip reader reads the archive from the end."""
    data = lowered["int8"].path.read_bytes()
    assert data[4:8] == b"TFL3"
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
