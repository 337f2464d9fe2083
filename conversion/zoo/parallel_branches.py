"""BatchNorms of branches that are added up (timm's MobileOne): made so that the sum stays in scale.

Each of six branches with a deviation and a shift of one's own makes sums six times as large, in which what padding
does at the borders is larger than what images differ by. Here the branches with convolutions share the scale of one,
smaller beside an identity, as LayerScale is in `weights.py`.
"""

import math

from torch import nn


def share_scale(network: nn.Module, scale: float, shift: float) -> None:
    """Divide scale and shift among parallel branches, in place; nothing is done to other networks.

    Args:
        network: fresh.
        scale: deviation of all convolutional branches' sum beside an identity, whose own is one.
        shift: mean of the block's sum.
    """
    from timm.models.byobnet import MobileOneBlock

    for block in network.modules():
        if not isinstance(block, MobileOneBlock) or block.reparam_conv is not None:
            continue
        branches = [branch.bn for branch in (*block.conv_kxk, block.conv_scale) if branch is not None]
        for norm in branches:
            norm.weight.fill_((1.0 if block.identity is None else scale) / math.sqrt(len(branches)))
            norm.bias.fill_(shift / len(branches))
        if block.identity is not None:
            block.identity.bias.zero_()
