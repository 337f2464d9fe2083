"""The steps of calibration: each does what it says, and none is kept that makes the outputs worse."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.conversion.preparation.activations import quantizable
from samesight.conversion.preparation.prepare import pixels_of, prepare
from samesight.conversion.quantization import calibrate as steps
from samesight.conversion.quantization.activation_qparams import exact_qparams, fix_observers, read_observers
from samesight.conversion.quantization.altered_images import filled_up
from samesight.conversion.quantization.calibrate import CORRECTIONS, calibrate
from samesight.conversion.quantization.equalization import equalizing_factors
from samesight.conversion.quantization.observed_values import Watch
from samesight.conversion.quantization.output_noise import Figures
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.quantization.quantizer import LEAST_SCALE, PhoneQuantizer, weight_scales
from samesight.conversion.quantization.range_start import LEAST_IMAGES, Start
from samesight.conversion.quantization.simulation import simulate
from samesight.conversion.quantization.weight_rounding import rounded

torch.set_num_threads(1)
SIDE = 16
HISTOGRAM = Start(None, {})


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


def images_of(seed, count):
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, SIDE // 4, 1), SIDE // 4, 2)


@pytest.fixture(scope="module")
def images():
    return images_of(0, 24)


@pytest.fixture(scope="module")
def prepared(images):
    torch.manual_seed(0)
    return prepare(exported(Uneven()), spec_of("uneven"), images)


def outputs_of(program, images):
    with torch.no_grad():
        return torch.cat([program(pixels_of(image[None]))[0] for image in images])


def snr(prepared, quantized, images):
    expected = outputs_of(prepared.module, images)
    noise = (outputs_of(quantized.folded, images) - expected).square().mean()
    return float(10 * torch.log10((expected - expected.mean(0)).square().mean() / noise))


def spec_of(name):
    return ModelSpec(
        name=name,
        task="classification",
        input=Input(width=SIDE, height=SIDE, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("abcd"),
    )


def exported(network):
    return torch.export.export(network.eval(), (torch.zeros(1, 3, SIDE, SIDE),))


@pytest.fixture(scope="module")
def quantized(prepared, images):
    return quantize(prepared, images)


def test_the_start_is_what_pt2e_calibrates(prepared, images, monkeypatch):
    """Ranges by its HistogramObserver over all images, one after the other, and the weights as they are."""
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

    monkeypatch.setattr(Figures, "gains_on", lambda *_: False)
    monkeypatch.setattr(steps, "choose_start", lambda *_: HISTOGRAM)
    start = calibrate(prepared, images)
    assert not start.parameters and [step.kept for step in start.steps] == [True] + [False] * (len(start.steps) - 1)
    module = prepare_pt2e(quantizable(prepared.module), PhoneQuantizer())
    fix_observers(module, exact_qparams(prepared.module, prepared.spec.input))
    with torch.no_grad():
        for image in images:
            module(pixels_of(image[None]))
    assert start.ranges == read_observers(module)


class Wide(nn.Module):
    """Channels of very different sizes that matter alike: the small ones have few steps of the scale that all share."""

    def __init__(self):
        super().__init__()
        self.stem, self.dense, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 1), nn.Linear(8, 4)
        sizes = torch.logspace(0, -2, 8)
        with torch.no_grad():
            self.stem.weight.mul_(sizes.reshape(-1, 1, 1, 1))
            self.stem.bias.mul_(sizes)
            self.dense.weight.div_(sizes.reshape(1, -1, 1, 1))

    def forward(self, x):
        return self.head(F.relu(self.dense(F.relu(self.stem(x)))).mean((2, 3)))


def test_a_network_of_wide_channel_ranges_gains_by_equalization(images, monkeypatch):
    torch.manual_seed(0)
    prepared = prepare(exported(Wide()), spec_of("wide"), images)
    quantized = quantize(prepared, images)
    step = next(step for step in quantized.steps if step.name == "equalized channels")
    assert step.kept and step.before is not None and step.after > step.before + 3
    monkeypatch.setattr(steps, "equalizing_factors", lambda *_: {})
    without = quantize(prepared, images)
    assert "equalized channels" not in [step.name for step in without.steps]
    assert snr(prepared, quantized, images) > snr(prepared, without, images) + 2


def test_every_kept_step_gains_and_the_program_repeats(prepared, quantized, images):
    best = quantized.steps[0].after
    for step in quantized.steps[1:]:
        if step.name in CORRECTIONS:  # judged by all images, each half with what was fitted to the other
            assert not step.kept or step.after > step.before
            continue
        assert step.before == best
        if step.kept:
            assert step.after > best
            best = step.after
    assert quantized.told.count("; ") == len(quantized.steps) - 1
    assert quantized.told.count("not kept") == sum(not step.kept for step in quantized.steps)
    assert quantize(prepared, images).sha256 == quantized.sha256
    assert quantize(prepared, images[:12]).sha256 != quantized.sha256


class Spiky(nn.Module):
    """A layer whose rare, large values no output depends on: a range that covers them wastes most of its steps."""

    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Linear(8, 4)
        with torch.no_grad():
            self.stem.weight[7], self.stem.bias[7] = 20 * self.stem.weight[7], 0.0
            self.head.weight[:, 7] = 0.0

    def forward(self, x):
        return self.head(F.relu(self.stem(x)).mean((2, 3)))


@pytest.mark.parametrize("name", ["ranges by output error", "ranges one by one"])
def test_outliers_that_do_not_matter_are_left_out_of_the_range(name, images, monkeypatch):
    torch.manual_seed(1)
    prepared = prepare(exported(Spiky()), spec_of("spiky"), images)
    monkeypatch.setattr(steps, "equalizing_factors", lambda *_: {})
    monkeypatch.setattr(steps, "choose_start", lambda *_: HISTOGRAM)
    if name == "ranges one by one":
        monkeypatch.setattr(steps, "refined_ranges", lambda present, _: present)
    found = calibrate(prepared, images)
    step = next(step for step in found.steps if step.name == name)
    assert step.kept and step.before is not None and step.after > step.before + 1
    monkeypatch.setattr(Figures, "gains_on", lambda *_: False)
    assert found.ranges.tensors["relu"].scale < 0.7 * calibrate(prepared, images).ranges.tensors["relu"].scale


class OneVector(nn.Module):
    """Takes one image at a time: between its layers stands a vector without an axis for images."""

    def __init__(self):
        super().__init__()
        self.stem, self.hidden, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x):
        x = F.relu(self.stem(x)).mean((2, 3)).flatten()
        return self.head(F.relu(self.hidden(x)) + x)[None]


def test_a_network_of_one_image_gets_the_steps_on_ranges(images, monkeypatch):
    torch.manual_seed(0)
    prepared = prepare(exported(OneVector()), spec_of("vector"), images)
    monkeypatch.setattr(steps, "choose_start", lambda *_: HISTOGRAM)
    quantized = quantize(prepared, images)
    names = [step.name for step in quantized.steps]
    assert names == ["ranges by histogram", "ranges by output error", "ranges one by one"]
    assert not quantized.parameters and snr(prepared, quantized, images) > 25


def test_values_that_other_images_reach_have_room(images, monkeypatch):
    """On images that calibration never saw, the ranges of the histogram clip what the network needs."""
    torch.manual_seed(0)
    prepared = prepare(exported(OneVector()), spec_of("vector"), images)
    others = images_of(1, 60)
    with_room = quantize(prepared, images)
    assert with_room.steps[0].name.startswith("ranges of all values")
    assert not [step for step in with_room.steps[1:] if step.name.startswith("ranges")], "nothing takes the room away"
    monkeypatch.setattr(steps, "choose_start", lambda *_: HISTOGRAM)
    assert snr(prepared, with_room, others) > snr(prepared, quantize(prepared, images), others) + 2


@pytest.mark.parametrize("network", [Wide, Spiky])
def test_a_range_is_not_made_wider_for_nothing(network):
    """Each step of these networks' scales is needed, and many images reach as far as all others."""
    torch.manual_seed(0)
    many = images_of(0, 60)
    prepared = prepare(exported(network()), spec_of("narrow"), many)
    assert calibrate(prepared, many).steps[0].name == "ranges by histogram"


def test_the_values_of_a_mask_are_no_ends_of_a_range():
    watch = Watch(nn.Identity())
    watch(torch.tensor([-torch.inf, 1.0]))
    watch(torch.tensor([-2.0, torch.inf]))
    assert watch.take() == (-2.0, 1.0) and watch.take() == (0.0, 0.0)


def test_too_few_images_to_know_what_others_reach(images):
    torch.manual_seed(0)
    prepared = prepare(exported(OneVector()), spec_of("vector"), images)
    assert calibrate(prepared, images[: LEAST_IMAGES - 1]).steps[0].name == "ranges by histogram"
    assert calibrate(prepared, images[:LEAST_IMAGES]).steps[0].name != "ranges by histogram"


class Attention(nn.Module):
    """Attention with heads, whose softmax is computed over rows and brought back to images and heads by a reshape."""

    def __init__(self):
        super().__init__()
        self.stem, self.qkv, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 24), nn.Linear(8, 4)

    def forward(self, x):
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        query, key, value = self.qkv(tokens).reshape(-1, 16, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (query @ key.transpose(-2, -1)).softmax(-1)
        return self.head((weights @ value).transpose(1, 2).reshape(-1, 16, 8).mean(1))


def test_attention_is_calibrated_in_batches(images):
    torch.manual_seed(0)
    prepared = prepare(exported(Attention()), spec_of("attention"), images)
    assert simulate(prepared).batched
    assert "corrected biases" in [step.name for step in quantize(prepared, images).steps]


def test_a_step_that_makes_the_outputs_worse_is_undone(prepared, images, monkeypatch):
    """All that calibration gives is what it gives without the step."""

    def spoil(simulation, reference, pixels, rounding):
        with torch.no_grad():
            for parameter in simulation.module.parameters():
                parameter.mul_(1.5)

    monkeypatch.setattr(steps, "correct_layers", spoil)
    spoilt = calibrate(prepared, images)
    assert {step.name: step.kept for step in spoilt.steps[-2:]} == dict.fromkeys(CORRECTIONS, False)
    monkeypatch.setattr(steps, "correct_layers", lambda *_, **__: None)
    clean = calibrate(prepared, images)
    assert spoilt.ranges == clean.ranges
    assert spoilt.parameters.keys() == clean.parameters.keys()
    assert all(torch.equal(spoilt.parameters[name], clean.parameters[name]) for name in clean.parameters)


def test_a_correction_is_fitted_to_all_images_and_judged_by_others(images, monkeypatch):
    torch.manual_seed(0)
    prepared = prepare(exported(Wide()), spec_of("wide"), images)
    fitted, real = [], steps.correct_layers
    every = pixels_of(images)
    evens, odds = (set(range(first, len(images), 2)) for first in (0, 1))

    def known(pixels):
        return {number for number, image in enumerate(every) if any(torch.equal(image, each) for each in pixels)}

    def watched(simulation, reference, pixels, rounding):
        fitted.append(known(pixels))
        real(simulation, reference, pixels, rounding)

    monkeypatch.setattr(steps, "correct_layers", watched)
    found = calibrate(prepared, images)
    assert fitted == [evens, odds, evens, odds, evens | odds]
    assert [step.kept for step in found.steps[-2:]].count(True) == 1 and found.parameters

    def good_from_evens(simulation, reference, pixels, rounding):
        real(simulation, reference, pixels, rounding)
        if known(pixels) == odds:
            next(simulation.module.parameters()).data.mul_(1.5)

    monkeypatch.setattr(steps, "correct_layers", good_from_evens)
    assert not any(step.kept for step in calibrate(prepared, images).steps[-2:])


def test_altered_copies_fill_up_few_images(images):
    pixels = pixels_of(images)
    filled = filled_up(pixels, 60)
    assert len(filled) == 60 and torch.equal(filled[:24], pixels)
    copies = filled[24:]
    assert torch.equal(copies, copies.round()) and copies.min() >= 0 and copies.max() <= 255
    apart = (copies[:24] - pixels).abs().mean((1, 2, 3))
    assert (apart > 1).all() and not torch.equal(copies[0], copies[-12])
    assert torch.equal(filled, filled_up(pixels, 60)) and not torch.equal(filled, filled_up(pixels, 60, seed=1))
    assert torch.equal(filled_up(pixels, 8), pixels[:8])
    state = torch.random.get_rng_state()
    filled_up(pixels, 60)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_gain_that_one_image_makes_is_chance():
    energies = torch.ones(1, dtype=torch.float64)
    before = torch.full((1, 20), 1e-3, dtype=torch.float64)
    luck, all_better = before.clone(), 0.9 * before
    luck[0, 0] = 1e-5
    assert not Figures(luck, energies).gains_on(Figures(before, energies), 0.05)
    assert Figures(all_better, energies).gains_on(Figures(before, energies), 0.05)
    assert not Figures(before, energies).gains_on(Figures(all_better, energies), 0.05)


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


class Mirrored(nn.Module):
    """A border of mirrored pixels before the first convolution, as style networks have it."""

    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

    def forward(self, x):
        return self.head(F.relu(self.stem(F.pad(x, (1, 1, 1, 1), mode="reflect"))).mean((2, 3)))


def test_what_moves_the_normalised_image_has_its_scale(images):
    torch.manual_seed(0)
    mirrored = prepare(exported(Mirrored()), spec_of("mirrored"), images)
    ranges = quantize(mirrored, images).ranges.tensors
    (pad,) = [name for name in ranges if "pad" in name]
    assert ranges[pad] == exact_qparams(mirrored.module, mirrored.spec.input)["conv2d"]
