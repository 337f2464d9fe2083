"""Linear layers as convolutions of one pixel: the same values for rows of any arrangement."""

import pytest
import torch
from torch import nn

from samesight.conversion.formats.linear_layers import rewrite_linear_layers
from samesight.conversion.preparation.graph import aten, nodes_of


@pytest.mark.parametrize("shape", [(1, 6), (3, 6), (1, 5, 6), (2, 3, 4, 6)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_values_are_the_same(shape, bias):
    torch.manual_seed(0)
    x = torch.randn(shape)
    module = torch.export.export(nn.Sequential(nn.Linear(6, 7, bias), nn.ReLU(), nn.Linear(7, 2)), (x,)).module()
    with torch.no_grad():
        expected = module(x)
        assert rewrite_linear_layers(module) == 2
        module.recompile()
        torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-6)
    assert not nodes_of(module, [aten.linear.default])


def test_a_product_of_two_values_stays():
    module = torch.export.export(Product(), (torch.randn(4, 6), torch.randn(3, 6))).module()
    assert rewrite_linear_layers(module) == 0


class Product(nn.Module):
    """A linear layer whose weight is computed."""

    def forward(self, x, weight):
        return torch.nn.functional.linear(x, weight)
