"""The step from pixel values 0..255 to what the original network takes, as a 1x1 depthwise convolution.

Why a depthwise convolution and not arithmetic: `mul` and `add` with constants of one element cost two transposes in a
`.tflite`, `sub` and `div` keep its int8 input float; and without padding it is exact at the borders.
"""

from dataclasses import dataclass

import torch
from torch.fx import GraphModule, Node

from samesight.contract.spec import Input
from samesight.conversion.preparation.graph import add_call, add_tensor, aten

NORMALISE = "normalise"


@dataclass(frozen=True)
class Affine:
    """x -> factor * x + offset per channel, in float64; `x` is a pixel value 0..255."""

    factor: tuple[float, ...]
    offset: tuple[float, ...]

    @property
    def identity(self) -> bool:
        """Whether it changes nothing: value_range [0, 255], mean 0, std 1."""
        return all(f == 1.0 for f in self.factor) and all(o == 0.0 for o in self.offset)

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value that any channel can take; zero (the padding value) is inside."""
        ends = [f * pixel + o for f, o in zip(self.factor, self.offset, strict=True) for pixel in (0.0, 255.0)]
        return min(0.0, *ends), max(0.0, *ends)


def affine_of(spec: Input) -> Affine:
    """(low + p / 255 * (high - low) - mean) / std, written as one multiplication and one addition."""
    low, high = spec.value_range
    return Affine(
        factor=tuple((high - low) / (255.0 * std) for std in spec.std),
        offset=tuple((low - mean) / std for mean, std in zip(spec.mean, spec.std, strict=True)),
    )


def normalise(pixels: torch.Tensor, spec: Input) -> torch.Tensor:
    """What the original network takes: float32 [n,C,H,W] from pixel values 0..255 of the same shape."""
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
