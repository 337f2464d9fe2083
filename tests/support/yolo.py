"""A small detector of the YOLO family, after Jocher et al., YOLOv8, and Li et al. 2020, Generalized Focal Loss."""

import numpy as np
import torch
from torch import nn

SIZE = 32


def smooth_images(count, size=SIZE, seed=3):
    """Blurred noise, uint8 [count, size, size, 3]."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, size // 8, size // 8, 3))
    fine = random.integers(-30, 31, (count, size, size, 3))
    return np.clip(coarse.repeat(8, 1).repeat(8, 2) + fine, 0, 255).astype(np.uint8)


class Conv(nn.Sequential):
    def __init__(self, inputs, outputs, kernel=1, stride=1):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.SiLU(inplace=True),
        )


class Split(nn.Module):
    """C2f: one half of the channels goes on through a residual block, all are joined."""

    def __init__(self, inputs, outputs):
        super().__init__()
        half = outputs // 2
        self.first, self.last = Conv(inputs, 2 * half), Conv(3 * half, outputs)
        self.block = nn.Sequential(Conv(half, half, 3), Conv(half, half, 3))

    def forward(self, x):
        parts = list(self.first(x).chunk(2, 1))
        parts.append(parts[-1] + self.block(parts[-1]))
        return self.last(torch.cat(parts, 1))


class Detector(nn.Module):
    """Two levels, boxes as distributions, one output [1, 4 + classes, N] of boxes and probabilities."""

    def __init__(self, classes=3, bins=8):
        super().__init__()
        self.classes, self.bins = classes, bins
        self.fine = nn.Sequential(Conv(3, 12, 3, 2), Conv(12, 16, 3, 2), Split(16, 16))
        self.coarse = nn.Sequential(Conv(16, 24, 3, 2), Split(24, 24))
        self.pool, self.up = nn.MaxPool2d(5, 1, 2), nn.Upsample(scale_factor=2, mode="nearest")
        self.join = Split(16 + 48, 16)
        self.boxes = nn.ModuleList(nn.Conv2d(width, 4 * bins, 1) for width in (16, 48))
        self.kinds = nn.ModuleList(nn.Conv2d(width, classes, 1) for width in (16, 48))
        self.expectation = nn.Conv2d(bins, 1, 1, bias=False)
        self.expectation.weight.data[:] = torch.arange(bins).float().reshape(1, bins, 1, 1)

    def forward(self, image):
        fine = self.fine(image)
        coarse = self.coarse(fine)
        coarse = torch.cat([coarse, self.pool(coarse)], 1)
        maps = [self.join(torch.cat([self.up(coarse), fine], 1)), coarse]
        raw = [torch.cat([box(x), kind(x)], 1) for x, box, kind in zip(maps, self.boxes, self.kinds, strict=True)]
        boxes, kinds = torch.cat([x.flatten(2) for x in raw], 2).split((4 * self.bins, self.classes), 1)
        count = boxes.shape[2]
        weights = boxes.view(1, 4, self.bins, count).transpose(2, 1).softmax(1)
        near, far = self.expectation(weights).view(1, 4, count).chunk(2, 1)
        points, strides = self._grid(maps)
        corners = points - near, points + far
        centre_size = torch.cat([(corners[0] + corners[1]) / 2, corners[1] - corners[0]], 1) * strides
        return torch.cat([centre_size, kinds.sigmoid()], 1)

    def _grid(self, maps):
        points, strides = [], []
        for x, stride in zip(maps, (4.0, 8.0), strict=True):
            height, width = x.shape[2:]
            down, across = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
            points.append(torch.stack([across, down]).flatten(1))
            strides.append(torch.full((1, height * width), stride))
        return torch.cat(points, 1), torch.cat(strides, 1)


def detector():
    """With the statistics of some images, so that its outputs depend on them."""
    torch.manual_seed(0)
    network = Detector()
    images = torch.from_numpy(smooth_images(64).transpose(0, 3, 1, 2).copy()).float() / 255
    stages = [network.fine, network.coarse]
    network.train()
    with torch.no_grad():
        for _ in range(30):
            x = images
            for stage in stages:
                x = stage(x)
            network.join(torch.cat([network.up(torch.cat([x, network.pool(x)], 1)), network.fine(images)], 1))
        for kind in network.kinds:
            kind.weight.mul_(6)
            kind.bias.sub_(3)
    return network.eval()
