"""Pools that runtimes read in their own ways are right in every format; the evaluator reads them as Core ML does."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.known_faults.check import warnings_of
from samesight.conversion.preparation import prepare as prepare_module
from samesight.conversion.preparation.equivalence import compare
from samesight.conversion.preparation.prepare import pixels_of, prepare
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.runners import runner_of

pytestmark = pytest.mark.slow
SIDE = 15
SPEC = ModelSpec(
    name="pools",
    task="classification",
    input=Input(width=SIDE, height=SIDE, value_range=(0, 1), mean=(0.5,) * 3, std=(0.5,) * 3),
    outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
    labels=tuple("abcdefgh"),
)
PHONES = [name for name, row in FORMATS.items() if row.platforms or name == "onnx"]
FILES = [(name, precision) for name in PHONES for precision in ("fp32", "fp16", "int8")]
LEAST = {"fp32": 90.0, "fp16": 35.0, "int8": 18.0}


def pictures(count):
    """Smooth colours: the mean of 2 x 2 noise."""
    noise = np.random.default_rng(0).integers(0, 256, (count, SIDE + 1, SIDE + 1, 3))
    return ((noise[:, 1:, 1:] + noise[:, :-1, :-1]) // 2).astype(np.uint8)


class Pools(nn.Module):
    """Each pool's map becomes numbers by random weights of its own, so that one wrong window changes every logit."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.stem, self.mix = nn.Conv2d(3, 4, 3, 1, 1), nn.LazyLinear(8)
        self.pools = nn.ModuleList(
            [
                nn.AvgPool2d(2, 2, ceil_mode=True),
                nn.AvgPool2d(3, 2, 1, ceil_mode=True),
                nn.AvgPool2d(4, 3, 1, ceil_mode=True, count_include_pad=False),
                nn.AvgPool2d(3, 2, divisor_override=5),
                nn.AvgPool2d(7, 4, 3),
                nn.AvgPool2d(3, 2, 1, count_include_pad=False),
                nn.MaxPool2d(2, 2, ceil_mode=True),
                nn.AdaptiveAvgPool2d((4, 2)),
            ]
        )

    def forward(self, x):
        x = F.relu(self.stem(x))
        line = F.avg_pool1d(x.flatten(2), 7, 4, ceil_mode=True)
        return self.mix(torch.cat([pool(x).flatten(1) for pool in self.pools] + [line.flatten(1)], 1))


@pytest.fixture(scope="module")
def program():
    network = Pools().eval()
    network(torch.zeros(1, 3, SIDE, SIDE))
    return torch.export.export(network, (torch.zeros(1, 3, SIDE, SIDE),))


@pytest.fixture(scope="module")
def prepared(program):
    return prepare(program, SPEC, pictures(24))


@pytest.fixture(scope="module")
def quantized(prepared):
    return quantize(prepared, pictures(24))


@pytest.mark.parametrize(("name", "precision"), FILES, ids=lambda part: part)
def test_a_format_computes_what_the_network_computes(name, precision, program, prepared, quantized, tmp_path):
    row = FORMATS[name]
    if precision not in row.precisions:
        pytest.skip(f"{name} has no {precision}")
    if missing := row.missing():
        pytest.skip(missing)
    output = tmp_path / f"pools.{precision}{row.suffix}"
    lowered = row.load_module().convert(Lowering(SPEC, precision, prepared, quantized, output))
    model, network = runner_of(name).load(lowered.path, lowered), program.module()

    images = pictures(8)
    wanted = [network((torch.from_numpy(i.transpose(2, 0, 1)[None] / np.float32(255)) - 0.5) / 0.5) for i in images]
    found = [torch.from_numpy(model(image)["logits"]) for image in images]
    assert compare(torch.cat(wanted).detach(), torch.cat(found))[0] > LEAST[precision]


def test_without_the_rewrite_core_ml_is_wrong(monkeypatch, tmp_path):
    network = nn.Sequential(nn.AvgPool2d(2, 2, ceil_mode=True), nn.Flatten(), nn.Linear(3 * 8 * 8, 8)).eval()
    exported = torch.export.export(network, (torch.zeros(1, 3, SIDE, SIDE),))
    image = pictures(1)[0]
    ratios = []
    for passes in (1, 0):
        if not passes:
            monkeypatch.setattr(prepare_module, "rewrite_pools", lambda module: 0)
        made = prepare(exported, SPEC)
        output = tmp_path / f"{passes}.fp32.mlpackage"
        lowered = FORMATS["coreml"].load_module().convert(Lowering(SPEC, "fp32", made, None, output))
        found = torch.from_numpy(runner_of("coreml").load(lowered.path, lowered)(image)["logits"])
        (wanted,) = made.module(pixels_of(image[None]))
        ratios.append(compare(wanted, found)[1])
    assert ratios[0] > 90 and ratios[1] < 20
    warned = warnings_of(tmp_path / "0.fp32.mlpackage", "coreml")
    assert [warning.id for warning in warned] == ["coreml-ceiling"]
    assert warnings_of(tmp_path / "1.fp32.mlpackage", "coreml") == ()
