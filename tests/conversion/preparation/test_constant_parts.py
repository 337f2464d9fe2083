"""Concatenations with constants as sums: the same values, in fewer operators where a constant is added behind."""

import numpy as np
import pytest
import torch
from torch import nn

from samesight.conversion.preparation.constant_parts import rewrite_constant_parts
from samesight.conversion.preparation.graph import aten, nodes_of


class Tokens(nn.Module):
    """Rows of a matrix with constant rows around them, as `join` has it."""

    def __init__(self, join):
        super().__init__()
        self.join, self.token = join, nn.Parameter(torch.randn(1, 1, 6))
        self.position = nn.Parameter(torch.randn(1, 5, 6))

    def forward(self, x):
        return self.join(self, x)


JOINS = {
    "before": lambda net, x: torch.cat([net.token, x], 1).relu(),
    "spread": lambda net, x: torch.cat([net.token.expand(x.shape[0], -1, -1), x], 1).relu(),
    "behind": lambda net, x: torch.cat([x, net.token], dim=-2).relu(),
    "around": lambda net, x: torch.cat([net.token, x[:, :3], net.token], 1).relu(),
    "with positions": lambda net, x: torch.cat([net.token, x], 1) + net.position,
    "added to positions": lambda net, x: net.position + torch.cat([net.token, x], 1),
    "read twice": lambda net, x: (tokens := torch.cat([net.token, x], 1)) * (tokens + net.position),
    "last axis": lambda net, x: torch.cat([x, net.position[:, :4].detach() * 1.0], 2).relu(),
}


@pytest.mark.parametrize("name", JOINS)
def test_the_values_are_the_same(name):
    torch.manual_seed(0)
    x = torch.randn(1, 4, 6)
    module = torch.export.export(Tokens(JOINS[name]).eval(), (x,)).module()
    with torch.no_grad():
        expected = module(x)
        count = rewrite_constant_parts(module)
        module.recompile()
        assert np.array_equal(module(x).numpy(), expected.numpy())
    assert count == (0 if name == "last axis" else 1)
    assert bool(nodes_of(module, [aten.cat.default])) == (count == 0)
    sums = len(nodes_of(module, [aten.add.Tensor]))
    assert sums == {"last axis": 0, "read twice": 2}.get(name, 1)


def test_what_is_computed_alone_stays():
    x = torch.randn(1, 4, 6)
    module = torch.export.export(Tokens(lambda net, x: torch.cat([x, x * 2], 1)).eval(), (x,)).module()
    assert rewrite_constant_parts(module) == 0
