"""Faults of converters that are routed around, each as small as it gets: a test that fails says that one is mended.

Then the rewrite can go, and with it the row in `conversion/known_faults/routed_around.py`. Two have tests elsewhere:
coremltools' pass in `runners/coreml/test_lost_scale.py`, Core AI's padding in `test_coreai.py`.
"""

import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.contract.spec import parse_spec
from samesight.conversion.formats import FORMATS, coreai, coreml, decompositions, onnx
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.formats.operator_cases import Between
from samesight.conversion.formats.operator_sweep import SIZE, SPEC, pictures, ratio
from samesight.conversion.preparation import activations, arithmetic, prepare
from samesight.conversion.qparams import QuantParams
from samesight.conversion.quantization import batches, quantizer
from samesight.conversion.quantization.activation_qparams import Ranges
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.runners import runner_of

pytestmark = pytest.mark.slow

aten = torch.ops.aten
NARROW = QuantParams(0.55 / 255, -128)


@pytest.fixture
def decibels(monkeypatch, tmp_path):
    """How near a file is to its program, with the named rewrites of `prepare` left out."""

    def measured(operator, name, precision, without=(), fixed=(), between=Between):
        for rewrite in without:
            monkeypatch.setattr(prepare, rewrite, lambda module: 0)
        spec, images = parse_spec(SPEC, "spec"), pictures()
        program = torch.export.export(between(operator).eval(), (torch.zeros(1, 3, SIZE, SIZE),))
        prepared = prepare.prepare(program, spec, images[:4])
        quantized = quantize(prepared, images) if precision == "int8" else None
        if fixed:
            ranges = quantized.ranges.tensors
            changed = {name: fixed[kind] for name in ranges for kind in fixed if name.startswith(kind)}
            quantized = quantize(prepared, None, Ranges(ranges | changed))
            assert changed
        job = Lowering(spec, precision, prepared, quantized, tmp_path / f"x{FORMATS[name].suffix}")
        run = runner_of(name).load(job.output, FORMATS[name].load_module().convert(job))
        network = quantized.folded if quantized else prepared.module
        with torch.no_grad():
            expected = [network(prepare.pixels_of(image[None]))[0].numpy() for image in images]
        return ratio(np.concatenate(expected), np.concatenate([run(image)["logits"] for image in images]))

    return measured


def test_litert_computes_another_difference(decibels, monkeypatch):
    monkeypatch.setattr(arithmetic, "name_differences", lambda module: 0)
    assert decibels(lambda x: 1 - x, "litert", "fp32") < 20


def test_litert_repeats_along_another_axis(decibels):
    with pytest.raises(Exception, match="TFLite cannot take"):
        decibels(lambda x: x[:, :2].repeat(1, 4, 1, 1), "litert", "fp32", ["rewrite_copies"])


def test_litert_gives_both_sides_of_a_choice_one_scale(decibels, monkeypatch):
    monkeypatch.delitem(quantizer.CHOICES, aten.maximum.default)
    monkeypatch.setattr(quantizer, "SAME_SCALE", tuple(set(quantizer.SAME_SCALE) - {aten.flip.default}))
    assert decibels(lambda x: torch.maximum(x, x.flip(1)), "litert", "int8") < 10


@pytest.mark.parametrize("name", ["litert", "coreai"])
def test_uneven_nearest_resizing_samples_other_points(decibels, name):
    resize = lambda x: torch.nn.functional.interpolate(x, size=(17, 29), mode="nearest")  # noqa: E731
    assert decibels(resize, name, "fp32") > 100
    assert decibels(resize, name, "fp32", ["rewrite_nearest"]) < 40


def test_executorch_takes_a_row_for_the_channels(decibels):
    assert decibels(lambda x: x.softmax(3), "executorch", "fp32", ["rewrite_softmax"]) < 20


def test_executorch_cannot_divide_by_one_channel_in_int8(decibels, monkeypatch):
    monkeypatch.delitem(activations.INT8_FORMULAS, aten.div.Tensor)
    with pytest.raises(Exception, match="0x10"):
        decibels(lambda x: x / (x.abs().mean(1, keepdim=True) + 1), "executorch", "int8")


def test_litert_lacks_a_sort(decibels):
    with pytest.raises(Exception, match=r"TFLite's runtime cannot take the operator aten\.sort"):
        decibels(lambda x: x.sort(1).values, "litert", "fp32")


def test_onnxruntime_quantizes_float_weights_by_itself(decibels, monkeypatch):
    torch.manual_seed(1)  # of the bias
    convolution = torch.nn.ConvTranspose2d(8, 8, 2, 2, groups=8)
    torch.nn.init.normal_(convolution.weight, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        convolution.weight.mul_(torch.logspace(-2, 0, 8).reshape(8, 1, 1, 1))
    others = decibels(convolution, "litert", "int8")  # torch rounds ties otherwise than the runtimes do
    assert others > 25 and decibels(convolution, "onnx", "int8") == pytest.approx(others, abs=0.1)
    monkeypatch.setattr(onnx, "add_transposed_biases", lambda model: None)
    assert decibels(convolution, "onnx", "int8") < others - 5


def test_onnxruntimes_integer_softmax_does_not_saturate(decibels, monkeypatch):
    # Some of the weights lie above the range that was chosen.
    def attention(x):
        scores = x
        for _ in range(5):
            scores = scores + scores
        branches = (1, 2, x.shape[1] // 2, *x.shape[2:])
        return (scores.reshape(branches).softmax(1) * x.reshape(branches)).reshape(x.shape)

    assert decibels(attention, "onnx", "int8", fixed={"softmax": NARROW}) > 30
    monkeypatch.setattr(onnx, "keep_narrow_softmaxes_apart", lambda model: None)
    assert decibels(attention, "onnx", "int8", fixed={"softmax": NARROW}) < 20


def test_executorch_makes_a_concatenation_with_a_constant_that_does_not_run(decibels, monkeypatch):
    token = torch.nn.Parameter(torch.linspace(-1, 1, 8).reshape(1, 1, 8))

    class Tokens(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.token = token

        def forward(self, x):
            rows = torch.cat([self.token, x.flatten(2).transpose(1, 2)], 1)
            return (rows[:, 1:] + rows[:, :1]).transpose(1, 2).reshape(x.shape)

    assert decibels(Tokens(), "executorch", "int8") > 30
    for module in (activations, batches):
        monkeypatch.setattr(module, "rewrite_constant_parts", lambda module: 0)
    with pytest.raises(SamesightError, match="error: 0x1"):
        decibels(Tokens(), "executorch", "int8")


def test_core_ai_adds_the_products_of_a_matrix_in_halves(decibels, monkeypatch):
    pytest.importorskip("coreai.runtime", reason="Core AI is not installed: pip install 'samesight[coreai]'")
    torch.manual_seed(0)

    def network(layer):
        stem = torch.nn.Conv2d(3, 8, 3, 2, 1)
        return torch.nn.Sequential(stem, torch.nn.ReLU(), torch.nn.Flatten(), layer)

    layer = torch.nn.Linear(8 * 12 * 12, 5)
    assert decibels(layer, "coreai", "fp16", between=network) > 60
    monkeypatch.setattr(coreai, "with_wider_sums", lambda network: None)
    assert decibels(layer, "coreai", "fp16", between=network) < 55


def test_core_mls_reciprocal_adds_something_to_zero(decibels, monkeypatch):
    def near_zero(x):
        return (x.abs() * 0.001 + 0.001).reciprocal() * 0.001

    assert decibels(near_zero, "coreml", "fp32") > 100
    table = decompositions.core_ml()
    del table[aten.reciprocal.default]
    monkeypatch.setattr(coreml, "core_ml", lambda: table)
    assert decibels(near_zero, "coreml", "fp32") < 40
