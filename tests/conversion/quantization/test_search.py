"""A search keeps what int8 ruins, and that alone, more precise; a recipe makes the same program again."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from samesight.contract.errors import SamesightError
from samesight.contract.gates import Gate
from samesight.contract.image import Picture
from samesight.contract.orientation import Orientation
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.conversion.formats import FORMATS
from samesight.conversion.preparation.prepare import pixels_of, prepare
from samesight.conversion.quantization.layers import layers_of, node_schemes
from samesight.conversion.quantization.mixed import quantize_mixed
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.quantization.recipe import Recipe, read_recipe
from samesight.conversion.quantization.schemes import HELD, SCHEMES, WEIGHT_BYTES, check_held, held_by
from samesight.conversion.quantization.search import Budget, Evidence, search
from samesight.conversion.snr import ratios
from samesight.datasets.example import Example, Truth

torch.set_num_threads(1)
SIDE = 16
GATE = Gate(snr_db=20.0, agreement=0.98, iou=0.8, metric_drop=0.01)


class OneBadLayer(nn.Module):
    """Answers which quarter is brightest, through a layer whose weights no scale covers.

    Each channel of `bad` has one weight of 1000 for an input that is always zero beside those that matter.
    """

    def __init__(self):
        super().__init__()
        self.stem, self.bad, self.head = nn.Conv2d(3, 5, 4, 4), nn.Conv2d(5, 4, 1), nn.Linear(16, 4)
        with torch.no_grad():
            for layer in (self.stem, self.bad, self.head):
                layer.weight.zero_()
                layer.bias.copy_(torch.linspace(0.0, 1e-3, len(layer.bias)))
            self.stem.bias.zero_()
            for channel in range(4):
                self.stem.weight[channel] = (1 + 0.2 * channel) / 48
                self.bad.weight[channel, channel] = 1.0
                self.head.weight[channel, 4 * channel + channel] = 10.0
            self.bad.weight[:, 4] = 1000.0

    def forward(self, x):
        x = F.relu(self.bad(F.relu(self.stem(x))))
        return self.head(F.avg_pool2d(x, 2).flatten(1))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (40, SIDE, SIDE, 3), dtype=np.uint8) // 4


@pytest.fixture(scope="module")
def plain(images):
    spec = ModelSpec(
        name="quarters",
        task="classification",
        input=Input(width=SIDE, height=SIDE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("abcd"),
    )
    for number in range(len(images)):
        row, column = divmod(number % 4, 2)
        images[number, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 120
    program = torch.export.export(OneBadLayer().eval(), (torch.zeros(1, 3, SIDE, SIDE),))
    return quantize(prepare(program, spec, images), images)


@pytest.fixture(scope="module")
def evidence(plain, images):
    examples = [Example(f"{n}", lambda n=n: images[n], Truth(label=n % 4)) for n in range(len(images))]
    inputs = [preprocess(Picture(pixels, Orientation(0, False)), plain.spec.input) for pixels in images]
    tensors = np.stack([tensor for tensor, _ in inputs])
    return Evidence(pixels_of(tensors), [geometry for _, geometry in inputs], examples)


@pytest.fixture(scope="module")
def found(plain, evidence):
    steps = []
    recipe = search(plain, evidence, ("int8", "float"), GATE, Budget(0.5), steps.append)
    assert any("layer 4 of 4 alone: head" in step for step in steps)
    return recipe


def decibels(program, plain, images):
    pixels = pixels_of(images)
    with torch.no_grad():
        expected, actual = (
            np.concatenate([module(image)[0].numpy() for image in pixels.split(1)])
            for module in (plain.source.module, program.folded)
        )
    return ratios(expected, actual)[0]


def schemes_of(recipe, plain):
    return node_schemes(recipe, plain.source.module, "recipe.json")


def test_only_the_layer_that_int8_ruins_stays_float(found, plain, images):
    assert decibels(plain, plain, images) < GATE.snr_db
    assert found.layers == {"normalise": "int8", "stem": "int8", "bad": "float", "head": "int8"}
    assert found.found.drop == 0.0 and found.found.snr_db > GATE.snr_db and found.found.metric_name == "top1"
    mixed = quantize_mixed(plain, schemes_of(found, plain), images)
    # What the simulation said is what the program gives.
    assert decibels(mixed, plain, images) == pytest.approx(found.found.snr_db, abs=1.0) and found.found.snr_db > 25


def test_plain_int8_is_taken_where_it_is_good_enough(plain, evidence):
    recipe = search(plain, evidence, SCHEMES, Gate(-100.0, 0.0, 0.8, 1.0), Budget(100.0))
    assert set(recipe.layers.values()) == {"int8"}


def test_a_budget_that_cannot_be_met_says_what_the_best_costs(plain, evidence):
    with pytest.raises(SamesightError) as caught:
        search(plain, evidence, SCHEMES, GATE, Budget(0.5, max_bytes=350))
    told = str(caught.value)
    assert "loses 0.00 points" in told and "--max-size allows a file of 350" in told and "\n" not in told
    size = {layer.name: layer.bytes("int8") for layer in layers_of(plain.source.module)}
    assert f"weights of {sum(size.values()) + 3 * size['bad']:,} bytes" in told
    assert f"plain int8 has {sum(size.values()):,}" in told


def test_a_recipe_says_what_each_layer_weighs_and_does_alone(found, plain):
    each = found.found.layers
    assert {name: layer.scheme for name, layer in each.items()} == found.layers and not found.edited
    assert sum(layer.weights * WEIGHT_BYTES[layer.scheme] for layer in each.values()) == found.found.weight_bytes
    suffers = min(each, key=lambda name: each[name].alone_db or 200)
    assert found.layers[suffers] != "int8"
    assert found.model_copy(update={"layers": dict.fromkeys(found.layers, "int8")}).edited


def test_a_recipe_is_read_as_it_was_written(found, plain, tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(found.to_json())
    assert read_recipe(path) == found
    edited = json.loads(path.read_text()) | {"found": None}
    edited["layers"]["head"] = "weights"
    path.write_text(json.dumps(edited))
    assert schemes_of(read_recipe(path), plain)[layers_of(plain.source.module)[3].node] == "weights"


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"layers": {"stem": "int8"}}, "they differ in layer 'normalise'"),
        ({"network": "0" * 16}, "its layers have other shapes"),
    ],
)
def test_a_recipe_of_another_network_is_refused(found, plain, change, difference):
    recipe = found.model_copy(update=change)
    with pytest.raises(SamesightError, match=rf"^recipe\.json: the recipe belongs to another network \({difference}\)"):
        schemes_of(recipe, plain)


def test_an_unknown_scheme_is_one_sentence(found, tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(found.to_json().replace('"float"', '"int3"'))
    with pytest.raises(SamesightError, match=r"recipe\.json: layers\.bad: Input should be 'int8'"):
        read_recipe(path)


def test_a_format_says_what_it_cannot_express():
    assert held_by(["litert", "onnx"]) == ("int8", "weights", "float")
    assert held_by(HELD) == ("int8", "float")
    with pytest.raises(SamesightError, match=r"^ExecuTorch has no 'weights' layers, and the recipe wants one of head"):
        check_held("executorch", "ExecuTorch", {"stem": "int8", "head": "weights"})
    assert set(HELD) == {row.name for row in FORMATS.values() if "mixed" in row.precisions}


def test_a_recipe_without_layers_is_refused():
    with pytest.raises(ValueError, match="at least 1 item"):
        Recipe(model="m", network="0", layers={})
