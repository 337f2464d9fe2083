"""The small default classifier: a residual network of ReLU convolutions, 165 k parameters for ten classes.

Only what every phone runtime runs fast in int8: dense 3 x 3 convolutions, BatchNorm (fused later), ReLU, addition, one
global mean and one fully connected layer. Residual blocks as in He et al., "Deep Residual Learning" (2015).
"""

import torch.nn.functional as F
from torch import Tensor, nn

STEM = 16
WIDTHS = (32, 64, 72)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size (divided by `stride`), then BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class ResidualBlock(nn.Module):
    """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]: two 3 x 3 convolutions beside a 1 x 1 shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, 3, stride)
        self.second = convolution(outputs, outputs, 3)
        self.shortcut = convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class Classifier(nn.Module):
    """Normalised images float32 [B, 3, H, W] -> logits float32 [B, classes]. Sides of 32 pixels or more."""

    def __init__(self, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = convolution(3, STEM, 3, 2)
        sizes = (STEM, *WIDTHS)
        self.blocks = nn.Sequential(*(ResidualBlock(a, b, 2) for a, b in zip(sizes, WIDTHS, strict=False)))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = self.blocks(F.relu(self.stem(x)))
        # This form of the global mean is delegated by XNNPACK; x.mean((2, 3)) is not.
        return self.head(self.dropout(F.adaptive_avg_pool2d(x, 1).flatten(1)))
