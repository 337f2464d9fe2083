"""A 1x1 convolution with a stride, widened: the same values; and on LiteRT's GPU right where it was wrong."""

import numpy as np
import pytest
import torch
from torch import nn

from samesight.contract.spec import parse_spec
from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.formats.operator_cases import Between
from samesight.conversion.formats.operator_sweep import SIZE, SPEC, pictures
from samesight.conversion.formats.strided_pointwise import has_strided_pointwise, widen_strided_pointwise
from samesight.conversion.preparation.prepare import pixels_of, prepare
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.runners import runner_of


class Shortcut(nn.Module):
    """Both ways of a residual block, on maps with even and with odd sides; the last shares its weights."""

    def __init__(self):
        super().__init__()
        self.body, self.shortcut = nn.Conv2d(8, 8, 3, 2, 1), nn.Conv2d(8, 8, 1, 2)
        self.odd = nn.Conv2d(8, 8, 3, padding=0)

    def forward(self, x):
        # Without a ReLU on one of them, the two would be prepared as one convolution.
        x = torch.relu(torch.relu(self.body(x)) + self.shortcut(x))
        x = nn.functional.pad(x, (0, 1, 0, 1))
        return self.shortcut(x)


@pytest.fixture(scope="module")
def prepared():
    torch.manual_seed(0)
    program = torch.export.export(Between(Shortcut()).eval(), (torch.zeros(1, 3, SIZE, SIZE),))
    return prepare(program, parse_spec(SPEC, "spec"), pictures()[:4])


def kernels(module):
    """The sizes of the kernels that were widened, in the order of the graph."""
    return [tuple(value.shape[2:]) for name, value in module.named_parameters() if "_widened_" in name]


def test_it_computes_the_same(prepared):
    assert has_strided_pointwise(prepared.module)
    wide = widen_strided_pointwise(prepared.module, prepared.example)
    assert not has_strided_pointwise(wide) and has_strided_pointwise(prepared.module)
    assert kernels(wide) == [(2, 2), (3, 3)]
    for image in pictures()[:4]:
        pixels = pixels_of(image[None])
        with torch.no_grad():
            np.testing.assert_allclose(wide(pixels)[0], prepared.module(pixels)[0], rtol=1e-5, atol=1e-6)


def test_integers_stay_the_same(prepared):
    quantized = quantize(prepared, pictures())
    wide = widen_strided_pointwise(quantized.unfolded, prepared.example)
    assert has_strided_pointwise(quantized.unfolded) and not has_strided_pointwise(wide)
    assert kernels(wide) == [(2, 2), (3, 3)]
    for image in pictures()[:4]:
        pixels = pixels_of(image[None])
        with torch.no_grad():
            assert torch.equal(wide(pixels)[0], quantized.unfolded(pixels)[0])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "dynamic-int8"])
def test_a_file_still_computes_what_its_program_does(prepared, precision, tmp_path):
    quantized = quantize(prepared, pictures()) if precision == "int8" else None
    job = Lowering(prepared.spec, precision, prepared, quantized, tmp_path / "x.tflite")
    run = runner_of("litert").load(job.output, FORMATS["litert"].load_module().convert(job))
    network = quantized.folded if quantized else prepared.module
    with torch.no_grad():
        expected = np.concatenate([network(pixels_of(image[None]))[0].numpy() for image in pictures()])
    actual = np.concatenate([run(image)["logits"] for image in pictures()])
    assert np.abs(actual - expected).max() <= 0.06 * np.ptp(expected)


def test_others_are_left_alone(prepared):
    module = nn.Conv2d(3, 3, 1, 2)
    assert widen_strided_pointwise(module, torch.zeros(1, 3, 4, 4)) is module and not has_strided_pointwise(module)
