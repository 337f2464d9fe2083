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
from samesight.conversion.quantization.schemes import HELD, SCHEMES, check_held, held_by
from samesight.conversion.quantization.search import Budget, Evidence, search
from samesight.conversion.snr import ratios
from samesight.datasets.example import Example

torch.set_num_threads(1)
SIDE = 16
GATE = Gate(snr_db=18.0, agreement=0.98, iou=0.8, metric_drop=0.01)


class OneBadLayer(nn.Module):
    """Answers which quarter is brightest, through a layer whose weights no scale covers.

    Each channel of `bad` has one weight of 1000 for an input that is always zero beside those that matter.
    """

    def __init__(self):
        super().__init__()
        self.stem, self.bad, self.head = nn.Conv2d(3, 5, 4, 4), nn.Conv2d(5, 4, 1), nn.Conv2d(4, 4, 1)
        with torch.no_grad():
            for layer in (self.stem, self.bad, self.head):
                layer.weight.zero_()
                layer.bias.copy_(torch.linspace(0.0, 1e-3, len(layer.bias)))
            self.stem.weight[:4] = 1 / 48
            for channel in range(4):
                self.stem.weight[channel] *= 1 + 0.2 * channel
                self.bad.weight[channel, channel] = 1.0
            self.bad.weight[:, 4] = 1000.0
            self.stem.bias.zero_()
            self.head.weight.copy_(10 * torch.eye(4).reshape(4, 4, 1, 1))

    def forward(self, x):
        x = F.relu(self.stem(x))
        quarters = F.avg_pool2d(F.relu(self.head(F.relu(self.bad(x)))), 2)
        return torch.stack([quarters[:, n, n // 2, n % 2] for n in range(4)], 1)


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
