"""Pools whose windows differ in size or hang over the map become plain pools, which compute what torch computes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from samesight.conversion.preparation.graph import aten, nodes_of, shape_of
from samesight.conversion.preparation.pools import Window, groups_of, name_pools, rewrite_pools, windows_of_bins

POOLS = (aten.avg_pool2d.default, aten.max_pool2d.default)


class Pool(nn.Module):
    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def forward(self, x):
        return self.pool(x)


def rewritten(pool, *shape):
    """The graph of a pool, rewritten; and what the pool and the graph give for noise."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    module = torch.export.export(Pool(pool), (x,)).run_decompositions({}).module(check_guards=False)
    name_pools(module)
    rewrite_pools(module)
    module.graph.lint()
    module.recompile()
    return module, pool(x), module(x)


def is_plain(node):
    """No ceiling, no divisor, and windows that end inside of the map and its padding."""
    options = [argument for argument in node.args[4:] if not isinstance(argument, list)]
    kernel, stride = node.args[1:3]
    padding = node.args[3] if len(node.args) > 3 else [0, 0]
    sizes, counts = shape_of(node.args[0])[2:], shape_of(node)[2:]
    axes = zip(sizes, counts, kernel, stride, padding, strict=True)
    inside = all((count - 1) * step + extent <= size + 2 * pad for size, count, extent, step, pad in axes)
    return inside and True not in options[:1] and all(option is None for option in options[2:])


PLAIN = {
    "ceiling": nn.AvgPool2d(2, 2, ceil_mode=True),
    "ceiling, strides apart": nn.AvgPool2d(2, 3, ceil_mode=True),
    "ceiling, overlapping": nn.AvgPool2d(5, 2, ceil_mode=True),
    "ceiling and padding": nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    "ceiling and padding of unequal axes": nn.AvgPool2d((2, 5), (3, 4), (1, 2), ceil_mode=True),
    "ceiling, padding not counted": nn.AvgPool2d(4, 3, 2, ceil_mode=True, count_include_pad=False),
    "ceiling and divisor": nn.AvgPool2d(3, 2, 1, ceil_mode=True, divisor_override=5),
    "divisor": nn.AvgPool2d(3, 2, divisor_override=7),
    "idle ceiling": nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False),
    "large and padded": nn.AvgPool2d(7, 4, 3),
    "maximum": nn.MaxPool2d(2, 2, ceil_mode=True),
    "maximum with padding": nn.MaxPool2d(3, 4, 1, ceil_mode=True),
    "bins": nn.AdaptiveAvgPool2d((5, 3)),
    "equal bins": nn.AdaptiveAvgPool2d(1),
    "more bins than elements": nn.AdaptiveAvgPool2d(20),
    "maxima of bins": nn.AdaptiveMaxPool2d((4, 7)),
}


@pytest.mark.parametrize("size", [(7, 7), (9, 12)], ids=str)
@pytest.mark.parametrize("name", PLAIN)
def test_a_pool_of_a_map_becomes_plain_pools(name, size):
    module, wanted, found = rewritten(PLAIN[name], 1, 3, *size)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    assert all(is_plain(node) for node in nodes_of(module, POOLS))
    assert not [node for node in module.graph.nodes if "adaptive" in str(node.target)]


LINES = {
    "ceiling": lambda x: F.avg_pool1d(x, 3, 2, ceil_mode=True),
    "ceiling and padding": lambda x: F.avg_pool1d(x, 4, 3, 2, True, False),
    "maximum": lambda x: F.max_pool1d(x, 3, 2, ceil_mode=True),
    "maximum, dilated": lambda x: F.max_pool1d(x, 2, 2, dilation=3),
    "bins": lambda x: F.adaptive_avg_pool1d(x, 4),
    "maxima of bins": lambda x: F.adaptive_max_pool1d(x, 4),
}


@pytest.mark.parametrize("name", LINES)
def test_a_pool_of_lines_becomes_plain_pools_of_maps(name):
    module, wanted, found = rewritten(LINES[name], 1, 3, 10)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    assert not [node for node in module.graph.nodes if "pool1d" in str(node.target)]
    assert all(is_plain(node) for node in nodes_of(module, POOLS))


def test_a_large_pool_that_counts_its_padding_is_padded_before():
    """Core ML divides such a mean twice: github.com/apple/coremltools/issues/1901. A small one is left alone."""
    module, _, _ = rewritten(nn.AvgPool2d(7, 4, 3), 1, 3, 16, 16)
    (pool,) = nodes_of(module, POOLS)
    assert pool.args[0].target is aten.constant_pad_nd.default and len(pool.args) == 3
    module, _, _ = rewritten(nn.AvgPool2d(3, 2, 1), 1, 3, 16, 16)
    (pool,) = nodes_of(module, POOLS)
    assert pool.args[3] == [1, 1]


def test_a_map_without_a_batch():
    _, wanted, found = rewritten(nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False), 3, 7, 8)
    torch.testing.assert_close(found.reshape(wanted.shape), wanted)


def test_positions_of_maxima_are_kept():
    module, (values, places), (found, found_places) = rewritten(
        nn.AdaptiveMaxPool2d(3, return_indices=True), 1, 2, 7, 7
    )
    assert torch.equal(values, found)
    assert torch.equal(places, found_places)
    assert any("adaptive_max_pool2d" in str(node.target) for node in module.graph.nodes)


def test_the_values_of_apples_report():
    """github.com/apple/coremltools/pull/2844 has both: torch's, which every format must give, and Core ML's."""
    grid = torch.arange(49.0).reshape(1, 1, 7, 7)
    module, _, _ = rewritten(nn.AvgPool2d(2, 3, ceil_mode=True), 1, 1, 7, 7)
    np.testing.assert_array_equal(module(grid)[0, 0], [[4, 7, 9.5], [25, 28, 30.5], [42.5, 45.5, 48]])


def test_windows_are_grouped_by_length_and_distance():
    assert windows_of_bins(7, 3) == [Window(0, 3), Window(2, 5), Window(4, 7)]
    bins = windows_of_bins(10, 4)
    assert bins == [Window(0, 3), Window(2, 5), Window(5, 8), Window(7, 10)]
    assert groups_of(bins) == [bins[:2], bins[2:]]
