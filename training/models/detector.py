"""The small default detector: anchor-free, one grid of stride 4, 143 k parameters for ten classes.

A dense residual backbone down to stride 16, features added back up to stride 4 through bilinear upsampling, and two
heads. Each grid cell says how sure it is of each class and how far the box's sides are, as in FCOS (Tian et al., 2019)
with the one fine grid of CenterNet (Zhou et al., 2019). Boxes and scores are separate outputs, and neither exp nor
sigmoid is in the graph: such graphs survive int8. Nearest upsampling would split XNNPACK's graph in three.
"""

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from samesight.training.models.classifier import ResidualBlock, convolution

STRIDE = 4
STEM = 16
WIDTHS = (32, 48, 64)
NECK = 32
START_SCORE = 0.01
START_DISTANCE = 3.0


class Backbone(nn.Module):
    """[B, 3, H, W] -> features at strides 4, 8 and 16."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolution(3, STEM, 3, 2)
        sizes = (STEM, *WIDTHS)
        self.blocks = nn.ModuleList(ResidualBlock(a, b, 2) for a, b in zip(sizes, WIDTHS, strict=False))

    def forward(self, x: Tensor) -> list[Tensor]:  # noqa: D102
        x = F.relu(self.stem(x))
        features = []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return features


class Neck(nn.Module):
    """Features of rising stride (4, 8, ...), each half the size of the one before -> [B, NECK, H / 4, W / 4].

    The top-down path of feature pyramids (Lin et al., 2017), only its finest level kept.
    """

    def __init__(self, widths: Sequence[int], neck: int = NECK) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(convolution(width, neck, 1) for width in widths)
        self.smooth = convolution(neck, neck, 3)

    def forward(self, features: list[Tensor]) -> Tensor:  # noqa: D102
        levels = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        x = levels[-1]
        for finer in reversed(levels[:-1]):
            x = finer + F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return F.relu(self.smooth(F.relu(x)))


class Heads(nn.Module):
    """[B, NECK, h, w] -> logits [B, h * w, classes] and boxes [B, h * w, 4], cells in row-major order.

    A box is left, top, right, bottom: distances from the middle of the cell in strides; below zero counts as zero.
    """

    def __init__(self, classes: int, neck: int = NECK, dropout: float = 0.0) -> None:
        super().__init__()
        self.tower = convolution(neck, neck, 3)
        self.dropout = nn.Dropout2d(dropout)
        self.scores = nn.Conv2d(neck, classes, 1)
        self.distances = nn.Conv2d(neck, 4, 1)
        # The focal loss starts from rare objects (Lin et al., 2017, "Focal Loss", 4.1), boxes from a usual size.
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.normal_(self.distances.weight, std=0.01)
        nn.init.constant_(self.scores.bias, -math.log(1 / START_SCORE - 1))  # type: ignore[arg-type]
        nn.init.constant_(self.distances.bias, START_DISTANCE)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        x = self.dropout(F.relu(self.tower(x)))
        logits, boxes = self.scores(x), self.distances(x)
        batch, classes, height, width = logits.shape
        return (
            logits.permute(0, 2, 3, 1).reshape(batch, height * width, classes),
            boxes.permute(0, 2, 3, 1).reshape(batch, height * width, 4),
        )


class Detector(nn.Module):
    """Normalised images float32 [B, 3, H, W] -> logits [B, N, classes], boxes [B, N, 4]; N = H / 4 * W / 4.

    H and W are multiples of 16.
    """

    def __init__(self, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.neck = Neck(WIDTHS)
        self.heads = Heads(classes, dropout=dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        return self.heads(self.neck(self.backbone(x)))
