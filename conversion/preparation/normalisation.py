"""The normalisation inside the graph, as a 1x1 depthwise convolution.

Why a depthwise convolution and not arithmetic: `mul` and `add` with constants of one element cost two transposes in a
`.tflite`, `sub` and `div` keep its int8 input float; and without padding it is exact at the borders.
"""

import torch
from torch.fx import GraphModule, Node

from samesight.contract.spec import Input
from samesight.conversion.normalisation import affine_of
from samesight.conversion.preparation.graph import add_call, add_tensor, aten

NORMALISE = "normalise"


def normalise(pixels: torch.Tensor, spec: Input) -> torch.Tensor:
    """The original network's input: float32 [n,C,H,W] from pixel values 0..255 of the same shape."""
    affine = affine_of(spec)
    shape = (1, -1, 1, 1)
    factor = torch.tensor(affine.factor, dtype=torch.float64).reshape(shape)
    offset = torch.tensor(affine.offset, dtype=torch.float64).reshape(shape)
    return (pixels.double() * factor + offset).float()


def prepend_normalisation(module: GraphModule, image: Node, spec: Input) -> int:
    """Put the step behind the input `image`. Returns 0 where it would be the identity."""
    affine = affine_of(spec)
    if affine.identity:
        return 0
    first = image.next
    channels = len(affine.factor)
    weight = add_tensor(module, "normalise_weight", torch.tensor(affine.factor).reshape(channels, 1, 1, 1), first)
    bias = add_tensor(module, "normalise_bias", torch.tensor(affine.offset), first)
    node = add_call(
        module, aten.conv2d.default, [image, weight, bias, [1, 1], [0, 0], [1, 1], channels], first, like=image
    )
    node.meta["nn_module_stack"] = {NORMALISE: (NORMALISE, "torch.nn.modules.conv.Conv2d")}
    image.replace_all_uses_with(node, delete_user_cb=lambda user: user is not node)
    return 1
