"""Values of five axes and more: gone where they are permuted between reshapes, and the network is the same."""

import itertools
import math

import pytest
import timm
import torch
from torch import nn

from samesight.contract.spec import parse_spec
from samesight.conversion.environments import ENVIRONMENTS
from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.formats.operator_cases import CASES, Between
from samesight.conversion.formats.operator_sweep import SIZE, SPEC
from samesight.conversion.preparation.high_ranks import steps_of
from samesight.conversion.preparation.prepare import prepare
from samesight.conversion.runners import RUNNERS
from samesight.conversion.runners.isolated import Runtimes


def heads(x):
    """The anchors of torchvision's detection heads: [1, A K, H, W] -> [1, H W A, K]."""
    boxes = x.view(1, 2, 4, 12, 12).permute(0, 3, 4, 1, 2).reshape(1, -1, 4)
    return boxes.transpose(1, 2).reshape(1, 8, 12, 12)


def pixel_shuffle(x):
    """Six axes, of which none stay together."""
    x = x.reshape(1, 2, 2, 2, 12, 12).permute(0, 1, 4, 2, 5, 3).reshape(1, 2, 24, 24)
    return x[:, :, :12, :12].repeat(1, 4, 1, 1)


class Attention(nn.Module):
    """Queries, keys and values from one product, as timm's networks have them."""

    def __init__(self):
        super().__init__()
        self.attention = timm.layers.Attention(8, num_heads=2)

    def forward(self, x):
        return self.attention(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(x.shape)


NETWORKS = {
    "heads": lambda: heads,
    "channel shuffle": lambda: CASES["channel shuffle"],
    "window partition": lambda: CASES["window partition"],
    "pixel shuffle": lambda: pixel_shuffle,
    "attention": Attention,
}


def ranks(module):
    return {node.meta["val"].dim() for node in module.graph.nodes if isinstance(node.meta.get("val"), torch.Tensor)}


@pytest.mark.parametrize("name", NETWORKS)
def test_no_value_of_many_axes_is_left(name):
    program = torch.export.export(Between(NETWORKS[name]()).eval(), (torch.zeros(1, 3, SIZE, SIZE),))
    assert max(ranks(program.module())) > 4
    # `prepare` itself proves that the outputs are the original's.
    prepared = prepare(program, parse_spec(SPEC, "spec"))
    assert prepared.changes["high ranks"] >= 1 and max(ranks(prepared.module)) <= 4
    assert prepared.decibels > 100


def test_a_heads_permutation_is_the_maps_own():
    """So that formats with channels last need no transpose."""
    program = torch.export.export(Between(heads).eval(), (torch.zeros(1, 3, SIZE, SIZE),))
    prepared = prepare(program, parse_spec(SPEC, "spec"))
    permutations = [node for node in prepared.module.graph.nodes if node.target is torch.ops.aten.permute.default]
    assert permutations[0].args[1] == [0, 2, 3, 1] and permutations[0].args[0].target is torch.ops.aten.conv2d.default


@pytest.mark.slow
@pytest.mark.skipif(ENVIRONMENTS["gpu"].missing() is not None, reason="samesight setup gpu")
def test_litert_takes_it_on_a_gpu(tmp_path):
    """Without the rewrite: «RESHAPE: Tensor dimensions must be less than 5»."""
    program = torch.export.export(Between(CASES["channel shuffle"]).eval(), (torch.zeros(1, 3, SIZE, SIZE),))
    spec = parse_spec(SPEC, "spec")
    job = Lowering(spec, "fp32", prepare(program, spec), None, tmp_path / "shuffle.tflite")
    made = FORMATS["litert"].load_module().convert(job)
    assert "llvmpipe" in Runtimes().load(RUNNERS["gpu"], made.path, made).note


@pytest.mark.parametrize("shape", [(1, 2, 3, 4, 5), (2, 3, 2, 3, 2), (2, 1, 3, 1, 2, 2)])
def test_every_permutation_of_five_axes(shape):
    value = torch.arange(math.prod(shape))
    orders = list(itertools.permutations(range(len(shape))))[:: 1 if len(shape) == 5 else 7]
    for order in orders:
        moved = value
        for view, axes in steps_of(shape, order):
            assert len(view) <= 4
            moved = moved.reshape(view).permute(axes)
        assert torch.equal(moved.reshape(-1), value.reshape(shape).permute(order).reshape(-1))
