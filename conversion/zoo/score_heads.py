"""Scores and boxes of untrained detectors: made those of a sure one, so that a threshold separates them.

`settle` gives every layer outputs of deviation one; a detector whose scores all lie close has no answers to compare.
"""

import torch
from torch import Tensor, nn

from samesight.conversion.sources.torchvision_detectors import RawHeads
from samesight.conversion.zoo.detectors import CLASSES, YoloV5

# Of the score heads' outputs, whose mean is 0 and deviation 1: some positions answer, and few are near the threshold.
CONTRAST, RARITY = 4.0, 6.0
# Share of the positions that say something in torchvision's, in every second image.
ANSWERING = 0.03
# Most deviation of RetinaNet's deltas, in anchors, and how many of its many anchors answer in every second image.
DELTAS, FEW = 0.25, 4
# The channel of SSD that says nothing is there comes first.
BACKGROUND = 0


def sharpen(network: nn.Module, images: Tensor) -> None:
    """Make the scores of an untrained detector those of a sure one, in place; nothing is done to other networks.

    Args:
        network: settled.
        images: normalised, float32 [B, C, H, W].
    """
    with torch.no_grad():
        if isinstance(network, RawHeads):
            _sharpen_raw_heads(network, images)
            return
        for head in _score_heads(network):
            first = head.out_channels - CLASSES if isinstance(network, YoloV5) else 0
            head.weight[first:].mul_(CONTRAST)
            if head.bias is not None:
                head.bias[first:].mul_(CONTRAST).sub_(RARITY)


def _score_heads(network: nn.Module) -> list[nn.Conv2d]:
    """The last convolutions before the scores."""
    names = ("heads",) if isinstance(network, YoloV5) else ("kinds", "kind")
    heads = [getattr(network, name) for name in names if hasattr(network, name)]
    return [_last(part) for head in heads for part in _parts(head)]


def _sharpen_raw_heads(network: RawHeads, images: Tensor) -> None:
    """Torchvision's heads begin with biases for a training, far from zero beside weights that are nearly zero."""
    scores, boxes = network.head.get_submodule("classification_head"), network.head.get_submodule("regression_head")
    is_ssd = hasattr(scores, "module_list")
    layers = [
        _last(part) for part in (scores.module_list.children() if is_ssd else [scores.get_submodule("cls_logits")])
    ]
    for layer in layers:
        layer.weight.mul_(CONTRAST)
        _bias(layer).zero_()
    if hasattr(boxes, "bbox_ctrness"):
        # FCOS cuts distances off below zero: half of all boxes would have no size.
        _bias(boxes.get_submodule("bbox_reg")).fill_(3.0)
        _bias(boxes.get_submodule("bbox_ctrness")).zero_()
    share = ANSWERING
    logits, deltas = network(images)[:2]
    if hasattr(boxes, "bbox_reg") and not hasattr(boxes, "bbox_ctrness"):
        # RetinaNet's: moved too far they are cut off at the image's edge, and no box without area equals another.
        for parameter in boxes.get_submodule("bbox_reg").parameters():
            parameter.mul_(min(1.0, DELTAS / float(deltas.std())))
        share = FEW / logits.shape[1]
    best = logits[..., BACKGROUND + 1 :].amax(-1) - logits[..., BACKGROUND] if is_ssd else logits.amax(-1)
    threshold = best.quantile(1 - share, dim=1).median()
    for layer in layers:
        if is_ssd:
            _bias(layer).view(-1, CLASSES + 1)[:, BACKGROUND] = threshold
        else:
            _bias(layer).fill_(-threshold)


def _bias(layer: nn.Module) -> Tensor:
    bias = layer.bias
    assert isinstance(bias, Tensor)
    return bias


def _last(part: nn.Module) -> nn.Conv2d:
    return [each for each in part.modules() if isinstance(each, nn.Conv2d)][-1]


def _parts(head: nn.Module) -> list[nn.Module]:
    return list(head) if isinstance(head, nn.ModuleList) else [head]
