"""A detector in the manner of YOLOv8: SiLU, cross-stage blocks, joined features, boxes as distributions; one grid.

What people bring from such families and what is hard on int8: SiLU leaves unbounded values beside small negative ones,
concatenation puts tensors of unlike ranges on one scale, and a box's side is the expectation of a softmax (Li et al.,
"Generalized Focal Loss", 2020), here trained by the boxes' overlap alone. The default detector is smaller and faster.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samesight.training.models.detector import START_SCORE

STRIDE = 8
STEM = 16
WIDTHS = (32, 48, 64)
BINS = 16


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size (divided by `stride`), BatchNorm, SiLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.SiLU()
    )


class CrossStage(nn.Module):
    """[B, inputs, H, W] -> [B, outputs, H, W]: half of the channels pass a residual block, and all are joined."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.first, self.last = convolution(inputs, outputs), convolution(outputs + half, outputs)
        self.block = nn.Sequential(convolution(half, half, 3), convolution(half, half, 3))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        left, right = self.first(x).chunk(2, 1)
        return self.last(torch.cat([left, right, right + self.block(right)], 1))


class SiluDetector(nn.Module):
    """Normalised images float32 [B, 3, H, W] -> logits [B, N, classes], boxes [B, N, 4]; N = H / 8 * W / 8.

    A box is left, top, right, bottom in strides from the middle of its cell, each 0..15. H and W are multiples of 16.
    """

    def __init__(self, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.stem = convolution(3, STEM, 3, 2)
        self.fine = nn.Sequential(convolution(STEM, fine, 3, 2), CrossStage(fine, fine))
        self.middle = nn.Sequential(convolution(fine, middle, 3, 2), CrossStage(middle, middle))
        self.coarse = nn.Sequential(convolution(middle, coarse, 3, 2), CrossStage(coarse, coarse))
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.mix = convolution(2 * coarse, coarse)
        self.join = CrossStage(middle + coarse, middle)
        self.dropout = nn.Dropout2d(dropout)
        self.sides = nn.Sequential(convolution(middle, middle, 3), nn.Conv2d(middle, 4 * BINS, 1))
        self.tower = convolution(middle, middle, 3)
        self.scores = nn.Conv2d(middle, classes, 1)
        self.bins: Tensor
        self.register_buffer("bins", torch.arange(BINS).float().reshape(1, BINS, 1, 1), persistent=False)
        # The focal loss starts from rare objects (Lin et al., 2017, "Focal Loss", 4.1).
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.constant_(self.scores.bias, -math.log(1 / START_SCORE - 1))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        middle = self.middle(self.fine(self.stem(x)))
        coarse = self.coarse(middle)
        coarse = self.mix(torch.cat([coarse, self.pool(coarse)], 1))
        above = F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        x = self.dropout(self.join(torch.cat([middle, above], 1)))
        logits, sides = self.scores(self.tower(x)), self.sides(x)
        batch, classes, height, width = logits.shape
        shares = sides.reshape(batch, 4, BINS, height * width).transpose(1, 2).softmax(1)
        boxes = (shares * self.bins).sum(1).transpose(1, 2)
        return logits.permute(0, 2, 3, 1).reshape(batch, height * width, classes), boxes
