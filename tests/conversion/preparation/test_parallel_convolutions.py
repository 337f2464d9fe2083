"""Parallel convolutions become one: where they may, where they may not, and always with the same outputs."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.conversion.preparation.batchnorm import fuse_batch_norms
from samesight.conversion.preparation.canonical import canonical
from samesight.conversion.preparation.graph import aten, nodes_of
from samesight.conversion.preparation.parallel_convolutions import merge_parallel_convolutions
from samesight.conversion.preparation.prepare import prepare

torch.set_num_threads(1)


class Sum(nn.Module):
    """The sum of what branches make of one image."""

    def __init__(self, *branches, alpha=1):
        super().__init__()
        self.branches, self.alpha = nn.ModuleList(branches), alpha

    def forward(self, image):
        total = self.branches[0](image)
        for branch in self.branches[1:]:
            total = torch.add(total, branch(image), alpha=self.alpha)
        return total


def conv(kernel=3, padding=None, inputs=4, outputs=4, **options):
    padding = kernel // 2 if padding is None else padding
    return nn.Conv2d(inputs, outputs, kernel, padding=padding, **options)


def settled(network, image):
    """With BatchNorm statistics unlike their start, in evaluation mode."""
    with torch.no_grad():
        for _ in range(3):
            network.train()(torch.randn(4, *image.shape[1:]) * 2 + 1)
    return network.eval()


def merged(network, image):
    """The merged graph, how many sums it lost, and its largest difference from the network."""
    module = canonical(torch.export.export(network, (image,), strict=False), "network")
    fuse_batch_norms(module)
    count = merge_parallel_convolutions(module)
    module.graph.eliminate_dead_code()
    module.recompile()
    actual, expected = module(image), network(image)
    assert actual.shape == expected.shape
    return module, count, float((actual - expected).detach().abs().max() / expected.detach().abs().max())


def convolutions(module):
    return len(nodes_of(module, [aten.conv2d.default]))


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("group_size", [0, 1])
@pytest.mark.parametrize("stride", [1, 2])
def test_mobileones_block_is_what_its_library_deploys(kernel, group_size, stride):
    from timm.models.byobnet import MobileOneBlock

    torch.manual_seed(0)
    image = torch.randn(1, 8, 9, 9)
    block = MobileOneBlock(8, 8, kernel, stride, group_size=group_size, num_conv_branches=4)
    block = settled(block, image)
    module, count, difference = merged(block, image)
    deployed = copy.deepcopy(block)
    deployed.reparameterize()
    with torch.no_grad():
        own = float((module(image) - deployed(image)).abs().max() / deployed(image).abs().max())
    assert difference < 1e-5 and own < 1e-5
    # One convolution; a BatchNorm beside one of all channels stays, for the sake of int8.
    assert convolutions(module) == (2 if stride == 1 and group_size == 0 else 1)
    assert count == len([part for part in (*block.conv_kxk, block.conv_scale) if part is not None]) - 1 + (
        stride == 1 and group_size == 1
    )


sides = st.sampled_from([1, 3, 5])


@settings(max_examples=60, deadline=None)
@given(
    kernels=st.lists(st.tuples(sides, sides), min_size=2, max_size=4),
    margin=st.integers(0, 2),
    stride=st.sampled_from([1, 2, (2, 1)]),
    groups=st.sampled_from([1, 2, 4]),
    has_bias=st.lists(st.booleans(), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
)
def test_whatever_the_kernels_the_sum_is_the_same(kernels, margin, stride, groups, has_bias, seed):
    torch.manual_seed(seed)
    image = torch.randn(1, 4, 11, 8)
    layers = [
        nn.Conv2d(4, 4, kernel, stride, (kernel[0] // 2 + margin, kernel[1] // 2 + margin), groups=groups, bias=bias)
        for kernel, bias in zip(kernels, has_bias, strict=False)
    ]
    network = Sum(*layers)
    module, count, difference = merged(network.eval(), image)
    assert difference < 1e-5
    assert convolutions(module) == len(kernels) - count
    if len(set(kernels)) == 1:
        assert count == len(kernels) - 1


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (Sum(conv(), conv(dilation=2, padding=2)), "other pixels"),
        (Sum(conv((1, 3), (0, 1)), conv((3, 1), (1, 0))), "a cross is smaller than its square"),
        (Sum(conv(groups=4), conv(1)), "a 3x3 of all channels is larger than a 3x3 of each and a 1x1 of all"),
        (Sum(conv(), nn.BatchNorm2d(4)), "int8 would lose the kernel beside the one"),
        (Sum(conv(), nn.Identity()), "no convolution"),
        (Sum(conv(), conv(), alpha=2), "no plain sum"),
        (Sum(conv(11, 0), conv()), "one value is added to all"),
        (Sum(conv(), nn.Sequential(nn.ReLU(), conv())), "another input"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_another_sum_stays(network, why):
    torch.manual_seed(0)
    image = torch.randn(1, 4, 11, 11)
    _, count, difference = merged(settled(network, image), image)
    assert count == 0 and difference < 1e-5, why


def test_a_convolution_that_something_else_reads_stays():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = conv(), conv()

        def forward(self, image):
            first = self.first(image)
            return (first + self.second(image)) * first

    image = torch.randn(1, 4, 8, 8)
    _, count, difference = merged(Both().eval(), image)
    assert count == 0 and difference < 1e-6


def test_the_same_layer_twice_stays():
    layer = conv()
    image = torch.randn(1, 4, 8, 8)
    _, _, difference = merged(Sum(layer, layer).eval(), image)
    assert difference < 1e-6


def test_a_network_is_prepared_without_its_branches():
    from timm.models.byobnet import RepVggBlock

    spec = ModelSpec(
        name="branches",
        task="classification",
        input=Input(width=16, height=16, mean=(0.5,) * 3, std=(0.25,) * 3),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("abcd"),
    )
    torch.manual_seed(0)
    blocks = nn.Sequential(RepVggBlock(3, 8, stride=2), RepVggBlock(8, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = settled(nn.Sequential(blocks, nn.Linear(8, 4)), torch.zeros(1, 3, 16, 16))
    prepared = prepare(torch.export.export(network, (torch.zeros(1, 3, 16, 16),)), spec)
    assert prepared.changes["branches merged"] == 2 and prepared.decibels > 100
    # The normalisation, two blocks, and the second one's BatchNorm of the image beside them.
    assert convolutions(prepared.module) == 4
