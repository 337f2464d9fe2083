"""The steps of calibration: each does what it says, and none is kept that makes the outputs worse."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.conversion.preparation.prepare import pixels_of, prepare
from samesight.conversion.quantization import calibrate as steps
from samesight.conversion.quantization.calibrate import calibrate
from samesight.conversion.quantization.equalization import equalizing_factors
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.quantization.quantizer import LEAST_SCALE, weight_scales
from samesight.conversion.quantization.weight_rounding import rounded

torch.set_num_threads(1)
SIDE = 16


class Uneven(nn.Module):
    """Channels of very different sizes between its layers."""

    def __init__(self):
        super().__init__()
        self.stem, self.depth = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.wide, self.head = nn.Conv2d(8, 8, 1), nn.Linear(8, 4)
        with torch.no_grad():
            self.stem.weight.mul_(torch.logspace(0, -2, 8).reshape(-1, 1, 1, 1))
            self.stem.bias.mul_(torch.logspace(0, -2, 8))
            self.depth.weight.mul_(torch.logspace(0, 2, 8).reshape(-1, 1, 1, 1))

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = x + F.relu(self.wide(F.relu(self.depth(x))))
        return self.head(x.mean((2, 3)))


@pytest.fixture(scope="module")
def images():
    coarse = np.random.default_rng(0).integers(0, 256, (24, 4, 4, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, SIDE // 4, 1), SIDE // 4, 2)


@pytest.fixture(scope="module")
def prepared(images):
    torch.manual_seed(0)
    spec = ModelSpec(
        name="uneven",
        task="classification",
        input=Input(width=SIDE, height=SIDE, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("abcd"),
    )
    program = torch.export.export(Uneven().eval(), (torch.zeros(1, 3, SIDE, SIDE),))
    return prepare(program, spec, images)


def test_only_steps_that_gain_are_kept_and_the_program_repeats(prepared, images):
    quantized = quantize(prepared, images)
    kept = [step.decibels for step in quantized.steps if step.kept]
    assert kept == sorted(kept)
    assert kept[-1] >= max(step.decibels for step in quantized.steps) - steps.LEAST_GAIN_DB
    assert quantized.told.count("dB") == len(kept)
    assert quantize(prepared, images).sha256 == quantized.sha256
    assert quantize(prepared, images[:12]).sha256 != quantized.sha256


def test_a_step_that_makes_the_outputs_worse_is_undone(prepared, images, monkeypatch):
    """All that calibration gives is what it gives without the step."""

    def spoil(simulation, reference, pixels, rounding):
        with torch.no_grad():
            for parameter in simulation.module.parameters():
                parameter.mul_(1.5)

    monkeypatch.setattr(steps, "correct_layers", spoil)
    spoilt = calibrate(prepared, images)
    assert [step.kept for step in spoilt.steps[-2:]] == [False, False]
    monkeypatch.setattr(steps, "correct_layers", lambda *_, **__: None)
    clean = calibrate(prepared, images)
    assert spoilt.ranges == clean.ranges
    assert spoilt.parameters.keys() == clean.parameters.keys()
    assert all(torch.equal(spoilt.parameters[name], clean.parameters[name]) for name in clean.parameters)


def test_equalizing_leaves_the_float_network_what_it_was(prepared, images):
    pixels = pixels_of(images[:4])
    factors = equalizing_factors(prepared.module, pixels.split(1), 0.5)
    assert any(float(factor.max()) > 2 for factor in factors.values())
    module = prepared.exported.module(check_guards=False)
    with torch.no_grad():
        before = torch.cat([module(image)[0] for image in pixels.split(1)])
        for name, parameter in module.named_parameters():
            if name in factors:
                parameter.mul_(factors[name])
        after = torch.cat([module(image)[0] for image in pixels.split(1)])
    assert torch.allclose(before, after, rtol=1e-4, atol=1e-5 * float(before.abs().max()))


def test_rounding_by_outputs_is_nearer_than_rounding_to_the_nearest_step():
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(1, 400, 1, generator=generator)
    inputs = shared + 0.1 * torch.randn(1, 400, 12, generator=generator)  # alike, so errors can make up for each other
    weight = torch.randn(5, 12, generator=generator)
    scales = weight_scales(weight, 0)[:, None]
    chosen, nearest = rounded(weight, inputs, centred=False), torch.round(weight / scales) * scales
    assert torch.allclose(chosen / scales, torch.round(chosen / scales), atol=1e-3)
    assert torch.allclose(weight_scales(chosen, 0)[:, None], scales, rtol=1e-6)
    error, naive = ((inputs[0] @ (each - weight).T).square().mean() for each in (chosen, nearest))
    assert error < naive / 2


def test_small_weights_lie_on_steps_that_xnnpack_takes():
    """A normalisation's one weight per channel: 0.0171 is 70 steps of at least 2^-12, not 70.1."""
    weight = torch.tensor([0.0171, 0.0175, 3.0, 1e-6]).reshape(4, 1, 1, 1)
    scales = weight_scales(weight, 0)
    assert (scales >= LEAST_SCALE).all()
    steps_of = weight.flatten()[:3] / scales[:3]
    assert torch.allclose(steps_of, steps_of.round(), atol=1e-4)
    assert steps_of.max() <= 127.001
