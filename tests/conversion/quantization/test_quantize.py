"""One quantized program: exact input, ranges that can be saved, fake quantization that foretells it."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from samesight.contract.errors import SamesightError
from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.conversion.normalisation import affine_of
from samesight.conversion.preparation.equivalence import compare
from samesight.conversion.preparation.prepare import pixels_of, prepare
from samesight.conversion.quantization.quantize import (
    as_network,
    fine_tuned,
    parse_ranges,
    prepare_qat,
    quantize,
    ranges_of,
    read_ranges,
)

torch.set_num_threads(1)
SIDE = 16


class Residual(nn.Module):
    """What the quantizer has tables for: layers, sums, concatenation, pooling, resizing."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8)
        self.deep, self.wide = nn.Conv2d(8, 8, 3, 2, 1), nn.Conv2d(8, 8, 1)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        y = F.relu6(self.deep(x))
        y = self.wide(x) + F.interpolate(y, scale_factor=2.0, mode="bilinear")
        y = self.up(torch.cat([F.relu(y), F.max_pool2d(x, 3, 1, 1)], 1))
        return self.head(F.adaptive_avg_pool2d(y, 2).flatten(2).mean(2))


@pytest.fixture(scope="module")
def spec():
    return ModelSpec(
        name="small",
        task="classification",
        input=Input(width=SIDE, height=SIDE, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("abcd"),
    )


@pytest.fixture(scope="module")
def images():
    """Blobs of any colour: not noise, whose means are all alike."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (32, 2, 2, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, SIDE // 2, 1), SIDE // 2, 2)


@pytest.fixture(scope="module")
def prepared(spec, images):
    torch.manual_seed(0)
    network = Residual()
    with torch.no_grad():
        for _ in range(3):
            network.train()(torch.randn(8, 3, SIDE, SIDE))
    return prepare(torch.export.export(network.eval(), (torch.zeros(1, 3, SIDE, SIDE),)), spec, images)


@pytest.fixture(scope="module")
def quantized(prepared, images):
    return quantize(prepared, images)


def logits(module, images):
    with torch.no_grad():
        return torch.cat([module(pixels_of(image[None]))[0] for image in images])


def test_int8_keeps_the_answers_of_the_float_program(prepared, quantized, images):
    assert compare(logits(prepared.module, images), logits(quantized.folded, images))[0] > 25


def test_both_forms_compute_the_same(quantized, images):
    assert torch.equal(logits(quantized.folded, images), logits(quantized.unfolded, images))


def test_the_input_is_exact_and_the_normalisation_covers_its_range(quantized, spec):
    grids = quantized.ranges.tensors
    assert (grids["image"].scale, grids["image"].zero_point) == (1.0, -128)
    low, high = affine_of(spec.input).bounds
    grid = grids["conv2d"]
    assert (-128 - grid.zero_point) * grid.scale <= low + grid.scale / 2
    assert (127 - grid.zero_point) * grid.scale >= high - grid.scale / 2
    assert 254 * grid.scale <= high - low


def test_outputs_lie_on_their_grid(quantized, images):
    grid = quantized.outputs["logits"]
    counted = logits(quantized.folded, images).double() / grid.scale + grid.zero_point
    assert (counted - counted.round()).abs().max() < 1e-4
    assert counted.min() >= -128.001
    assert counted.max() <= 127.001


def test_nothing_is_left_in_float(quantized):
    """Every operator reads dequantized values, and every value is quantized again."""
    for node in quantized.folded.graph.nodes:
        if node.op == "call_function" and str(node.target).startswith("aten"):
            assert all(
                any(word in str(user.target) for word in ("quantize", "relu", "hardtanh")) for user in node.users
            ), node
    taken = [str(node.target) for node in quantized.folded.graph.nodes]
    assert {"aten.conv_transpose2d.input", "aten.cat.default", "aten.upsample_bilinear2d.vec"} <= set(taken)


def test_resizing_and_pooling_keep_their_scale(quantized):
    kept = [
        node
        for node in quantized.folded.graph.nodes
        if str(node.target) in ("aten.upsample_bilinear2d.vec", "aten.max_pool2d.default")
    ]
    assert len(kept) == 2
    for node in kept:
        (user,) = node.users
        assert node.args[0].args[1:3] == user.args[1:3]


def test_saved_ranges_give_the_same_program_bit_for_bit(prepared, quantized, images, tmp_path):
    path = tmp_path / "quantization.json"
    path.write_text(quantized.ranges.to_json())
    again = quantize(quantized.prepared, None, read_ranges(path))
    assert again.folded.code == quantized.folded.code
    assert again.unfolded.code == quantized.unfolded.code
    ours, theirs = quantized.folded.state_dict(), again.folded.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert again.outputs == quantized.outputs


def test_calibration_decides_the_ranges(prepared, quantized, images):
    dark = quantize(prepared, images // 8)
    assert dark.ranges.tensors != quantized.ranges.tensors
    assert dark.ranges.tensors["image"] == quantized.ranges.tensors["image"]


def test_ranges_of_another_network_are_refused(prepared, quantized, images):
    text = json.loads(quantized.ranges.to_json())
    text["tensors"]["stranger"] = text["tensors"].pop("relu")
    with pytest.raises(SamesightError, match="belong to another network"):
        quantize(prepared, images, parse_ranges(json.dumps(text), "x"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema_version": 2, "tensors": {}}',
        '{"schema_version": 1, "tensors": {"a": {"scale": 0, "zero_point": 0}}}',
        '{"schema_version": 1, "tensors": {"a": {"scale": 1.0}}}',
        '{"schema_version": 1, "tensors": {"a": 3}}',
    ],
)
def test_a_damaged_table_is_refused(text):
    with pytest.raises(SamesightError, match=r"q\.json: not a table of activation ranges") as refused:
        parse_ranges(text, "q.json")
    assert "\n" not in str(refused.value)


def test_int8_without_images_is_refused(prepared):
    with pytest.raises(SamesightError, match="needs calibration images"):
        quantize(prepared, None)


# --- fine-tuning


def test_fake_quantization_foretells_int8(prepared, quantized, images):
    module = prepare_qat(quantized.prepared, quantized.ranges)
    with torch.no_grad():
        foretold = module(pixels_of(images))[0]
    difference = (foretold - logits(quantized.folded, images)).abs() / quantized.outputs["logits"].scale
    assert difference.max() <= 3.01
    assert difference.mean() < 0.6


def test_fine_tuned_weights_come_back_as_a_run(prepared, quantized, images, tmp_path):
    module = prepare_qat(prepared, quantized.ranges)
    module.train()
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    assert frozen == {"normalise_weight", "normalise_bias"}
    optimiser = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], 2e-3)
    pixels, wanted = pixels_of(images), logits(prepared.module, images).roll(1, 1)  # other classes
    before = float(F.mse_loss(module(pixels)[0], wanted))
    for _ in range(30):
        optimiser.zero_grad()
        F.mse_loss(module(pixels)[0], wanted).backward()
        optimiser.step()
    module.eval()
    with torch.no_grad():
        foretold = module(pixels)[0]
    assert float(F.mse_loss(foretold, wanted)) < before / 2

    network, spec = as_network(fine_tuned(prepared, module))
    torch.export.save(network, tmp_path / "network.pt2")
    loaded = prepare(torch.export.load(tmp_path / "network.pt2"), spec, images)
    assert loaded.changes["normalisation"] == 1
    tuned = quantize(loaded, None, ranges_of(module))
    assert tuned.ranges.tensors == quantized.ranges.tensors
    difference = (foretold - logits(tuned.folded, images)).abs() / tuned.outputs["logits"].scale
    assert difference.max() <= 3.01
    # The weights are new ones.
    assert compare(logits(prepared.module, images), logits(loaded.module, images))[0] < 60


def test_without_ranges_the_grids_follow_the_batches(prepared, quantized, images):
    module = prepare_qat(prepared)
    module.train()
    for _ in range(3):
        module(pixels_of(images))
    ranges = ranges_of(module)
    assert ranges.tensors.keys() == quantized.ranges.tensors.keys()
    assert ranges.tensors["image"] == quantized.ranges.tensors["image"]
    ratio = ranges.tensors["relu"].scale / quantized.ranges.tensors["relu"].scale
    assert 0.5 < ratio < 2


def test_a_network_for_one_image_only_is_refused(spec):
    class OneImage(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 4, 4), nn.Linear(64, 4)

        def forward(self, x):
            return self.head(self.conv(x).reshape(64)[None])

    program = torch.export.export(OneImage().eval(), (torch.zeros(1, 3, SIDE, SIDE),))
    with pytest.raises(SamesightError, match="cannot be fine-tuned for int8"):
        prepare_qat(prepare(program, spec))
