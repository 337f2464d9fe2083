"""Copies of calibration images, cropped and exposed otherwise: images that the network might meet too.

The float program says what its answers to them are, so they need no labels.
"""

import torch
from torch import Tensor
from torchvision.transforms import v2

CROPPED, STRETCHED = (0.6, 1.0), (0.8, 1.25)
"""Share of the area, and width by height against the image's own."""
BRIGHTNESS, CONTRAST = 0.25, 0.3


def filled_up(pixels: Tensor, count: int, seed: int = 0) -> Tensor:
    """The first `count` images; where there are fewer, altered copies of them follow.

    Args:
        pixels: float32 [n,C,H,W], whole values 0..255, n >= 1.
        count: of the images that come out.
        seed: of what is altered.
    """
    images = pixels[:count]
    if len(images) == count:
        return images
    size = tuple(pixels.shape[2:])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        alter = v2.Compose(
            [
                v2.RandomResizedCrop(size, CROPPED, STRETCHED, antialias=True),
                v2.ColorJitter(brightness=BRIGHTNESS, contrast=CONTRAST),
            ]
        )
        copies = [alter(images[index % len(images)] / 255) for index in range(count - len(images))]
    return torch.cat([images, (torch.stack(copies) * 255).round().clamp(0, 255)])
