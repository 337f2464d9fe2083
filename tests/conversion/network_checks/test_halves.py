"""Where half precision fails, and that LiteRT's own GPU kernels fail there; a network that is right raises nothing."""

import numpy as np
import pytest
import torch
from torch import nn

from samesight.contract.spec import Input, ModelSpec, Outputs, Slice, read_spec
from samesight.conversion.environments import ENVIRONMENTS
from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.network_checks.document import IMAGES, facts_of, with_facts
from samesight.conversion.network_checks.halves import half_risks
from samesight.conversion.parity.verify import warnings_of
from samesight.conversion.preparation.prepare import pixels_of, prepare
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.runners import RUNNERS
from samesight.conversion.runners.isolated import Runtimes
from samesight.conversion.snr import ratios
from samesight.conversion.sources.calibration import calibration_tensors, find_calibration_images

SIDE = 24
SPEC = ModelSpec(
    name="halves",
    task="classification",
    input=Input(width=SIDE, height=SIDE, mean=(0.5,) * 3, std=(0.5,) * 3),
    outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
    labels=tuple("abc"),
)


class Scaled(nn.Module):
    """Values times a factor, and back: the answers are the same for every factor, until halves end."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return torch.relu(x * self.factor) / self.factor


class Cancelling(nn.Module):
    """A convolution of 64 terms of which half cancel the others but for a thousandth."""

    def __init__(self, factor):
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(8, 64, 1), nn.Conv2d(64, 8, 1, bias=False)
        with torch.no_grad():
            for tensor in (self.wide.weight, self.wide.bias):
                tensor.abs_()
                tensor[32:] = tensor[:32] * 0.999
            self.narrow.weight[:, :32], self.narrow.weight[:, 32:] = factor, -factor

    def forward(self, x):
        return torch.relu(self.narrow(self.wide(torch.relu(x) * 20))) / 1e4


class Net(nn.Module):
    def __init__(self, middle, factors=(1.0, 1.0, 1.0)):
        super().__init__()
        torch.manual_seed(4)
        self.stem, self.middle, self.head = nn.Conv2d(3, 8, 3, 2), middle, nn.Linear(8, 3)
        with torch.no_grad():
            self.head.weight *= torch.tensor(factors)[:, None]
            self.head.bias *= torch.tensor(factors)

    def forward(self, x):
        return self.head(self.middle(self.stem(x)).amax((2, 3)))


def images(count=6):
    """Patches of few colours, so that the answers differ."""
    random = np.random.default_rng(1)
    return random.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8).repeat(SIDE // 4, 1).repeat(SIDE // 4, 2)


def prepared(net):
    return prepare(torch.export.export(net.eval(), (torch.zeros(1, 3, SIDE, SIDE),)), SPEC)


CASES = {
    "clean": (lambda: Net(Scaled(3.0)), None),
    "half-overflow": (lambda: Net(Scaled(1e5)), "aten.mul.Tensor in middle (Scaled)"),
    "half-long-sum": (lambda: Net(Cancelling(2e4)), "aten.conv2d.default in middle.narrow (Conv2d)"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_overflows_is_named_with_its_module(name):
    make, place = CASES[name]
    found = {risk.id: risk for risk in half_risks(prepared(make()), images())}
    if place is None:
        assert not found
    else:
        assert place in found[name].operators and found[name].units == ("gpu", "npu")
        assert "6 calibration images" in found[name].versions


def test_means_and_normalisations_of_many_values():
    class Long(nn.Module):
        def forward(self, x):
            return (x * 3000).mean((2, 3), keepdim=True).expand(x.shape)

    class Louder(nn.Module):
        def forward(self, x):
            return x * 300

    (risk,) = half_risks(prepared(Net(Long())), images())
    assert risk.id == "half-long-sum" and risk.operators == ("aten.mean.dim in middle (Long)",)
    (risk,) = half_risks(prepared(Net(nn.Sequential(Louder(), nn.GroupNorm(1, 8)))), images())
    assert risk.id == "half-long-sum" and risk.operators == ("aten.group_norm.default in middle.1 (GroupNorm)",)


def test_outputs_of_mixed_scale_and_outputs_that_are_too_coarse():
    (risk,) = half_risks(prepared(Net(nn.Identity(), (1.0, 1e-5, 1.0))), images())
    assert risk.id == "half-mixed-scale" and risk.operators == ("logits",)

    class Offset(nn.Module):
        def forward(self, x):
            return (x + 3000) - 3000

    (risk,) = half_risks(prepared(Net(Offset())), images())
    assert risk.id == "half-coarse-output" and risk.versions.startswith("logits ")


def test_a_mask_of_infinities_is_no_overflow():
    class Masked(nn.Module):
        def forward(self, x):
            return torch.maximum(x, torch.full((1, 1, 1, 1), -torch.inf))

    assert not half_risks(prepared(Net(Masked())), images())


@pytest.mark.demo
@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_the_demos_networks_raise_nothing(demo, name):
    run = demo / "runs" / name
    spec = read_spec(run / "model.json")
    tensors = calibration_tensors(find_calibration_images(run / "calibration", IMAGES), spec.input)
    facts = facts_of(prepare(torch.export.load(str(run / "network.pt2")), spec), tensors)
    assert (facts.images, facts.risks, facts.places) == (IMAGES, (), {})


@pytest.mark.slow
@pytest.mark.skipif(ENVIRONMENTS["gpu"].missing() is not None, reason="samesight setup gpu")
@pytest.mark.parametrize("name", CASES)
def test_litert_computes_on_a_gpu_what_was_foretold(tmp_path, name):
    """Its real kernels in halves: NaN where a risk was named, near where none was."""
    network = prepared(CASES[name][0]())
    made = FORMATS["litert"].load_module().convert(Lowering(SPEC, "fp32", network, None, tmp_path / "halves.tflite"))
    warned = with_facts(warnings_of(made.path, "litert"), facts_of(network, images()), "litert", "fp32")
    model = Runtimes().load(RUNNERS["gpu"], made.path, made)
    found = np.stack([model(image)["logits"] for image in images()])
    with torch.no_grad():
        wanted = np.stack([network.module(pixels_of(image[None]))[0].numpy() for image in images()])
    if name == "clean":
        assert not warned and ratios(wanted, found)[0] > 40
    else:
        assert name in {risk.id for risk in warned} and not np.isfinite(found).all()


@pytest.mark.slow
@pytest.mark.skipif(ENVIRONMENTS["gpu"].missing() is not None, reason="samesight setup gpu")
def test_litert_computes_int8_on_a_gpu_in_halves_too(tmp_path):
    """Its real kernels, on a network that overflows: all images get one answer there, which the CPU tells apart."""
    network = prepared(CASES["half-overflow"][0]())
    job = Lowering(SPEC, "int8", network, quantize(network, images(16)), tmp_path / "halves.int8.tflite")
    made = FORMATS["litert"].load_module().convert(job)
    facts = facts_of(network, images())
    assert [(risk.id, risk.units) for risk in with_facts((), facts, "litert", "int8")] == [("half-overflow", ("gpu",))]
    assert not with_facts((), facts, "executorch", "int8")
    found = {}
    for runner in ("litert", "gpu"):
        model = Runtimes().load(RUNNERS[runner], made.path, made)
        found[runner] = np.stack([model(image)["logits"] for image in images()])
    assert np.ptp(found["litert"], axis=0).max() > 0.05
    assert np.ptp(found["gpu"], axis=0).max() == 0
