"""Small classifiers, each made of what converters have been seen to stumble over."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = 20


class SharedPReLU(nn.Module):
    """One convolution with BatchNorm called twice, PReLU after a linear layer, a mean without kept axes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, 2, 1)
        self.again = nn.Sequential(nn.Conv2d(24, 24, 3, 1, 1, bias=False), nn.BatchNorm2d(24), nn.PReLU(24))
        self.hidden, self.bend, self.head = nn.Linear(24, 48), nn.PReLU(), nn.Linear(48, CLASSES)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = F.relu(self.stem(x))
        x = x + self.again(self.again(x))
        return self.head(self.bend(self.hidden(x.mean((2, 3)))))


class WideRange(nn.Module):
    """Channels of which one carries values a thousand times another's, and biases that are all equal."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2, 1)
        self.scale = nn.Parameter(torch.logspace(-1.5, 1.5, 32).reshape(1, 32, 1, 1))
        self.middle = nn.Conv2d(32, 48, 3, 2, 1)
        self.head = nn.Linear(48, CLASSES)
        nn.init.constant_(self.head.bias, -3.0)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = F.hardswish(self.stem(x)) * self.scale
        return self.head(F.adaptive_avg_pool2d(F.gelu(self.middle(x)), 1).flatten(1))


class FiveAxes(nn.Module):
    """Window attention on tensors of rank 5 and 6, a channel shuffle, and a split into unequal parts."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 4, 4)
        self.norm, self.mix, self.out = nn.LayerNorm(32), nn.Linear(32, 96), nn.Linear(32, 32)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x, batch = self.stem(x), x.shape[0]
        x = x.view(batch, 4, 8, 16, 16).transpose(1, 2).reshape(batch, 32, 16, 16)
        windows = x.view(batch, 32, 4, 4, 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(batch * 16, 16, 32)
        query, key, value = self.mix(self.norm(windows)).view(batch * 16, 16, 3, 2, 16).permute(2, 0, 3, 1, 4)
        attended = (query @ key.transpose(-2, -1) / 4.0).softmax(-1) @ value
        y = windows + self.out(attended.transpose(1, 2).reshape(batch * 16, 16, 32))
        few, many = y.split((8, 24), 2)
        return self.head(torch.cat([many, few.roll(1, 1)], 2).reshape(batch, 256, 32).mean(1))


class OddSizes(nn.Module):
    """Odd sides all the way: pools that round up, a reflected border, nearest upsampling to a given size."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.down = nn.Conv2d(3, 16, 5, 2, 1), nn.Conv2d(16, 32, 3, 2)
        self.pool, self.mean = nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.side = nn.Conv2d(16, 32, 1)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        fine = F.silu(self.stem(F.pad(x, (1, 2, 2, 1), mode="reflect")))
        coarse = self.mean(self.pool(F.leaky_relu(self.down(fine), 0.1)))
        wide = F.interpolate(coarse, size=fine.shape[2:], mode="nearest")
        return self.head((wide * torch.sigmoid(self.side(fine))).amax((2, 3)))


AWKWARD: dict[str, Callable[[], nn.Module]] = {
    "shared_prelu": SharedPReLU,
    "wide_range": WideRange,
    "five_axes": FiveAxes,
    "odd_sizes": OddSizes,
}
