"""Detectors in the manner of well-known ones, small, in the form in which people meet them, with untrained weights."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = 7
STRIDES = (8, 16, 32)
WIDTHS = (32, 48, 64)
BINS = 8


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, BatchNorm, SiLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.SiLU(inplace=True),
    )


class Cross(nn.Module):
    """A cross-stage block: one part of the channels goes on through a residual block, all are joined."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.first, self.last = conv(width, width), conv(width + half, width)
        self.block = nn.Sequential(conv(half, half, 3), conv(half, half, 3))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        left, right = self.first(x).chunk(2, 1)
        return self.last(torch.cat([left, right, right + self.block(right)], 1))


class Pyramid(nn.Module):
    """Normalised images [B, 3, H, W] -> features at strides 8, 16 and 32, joined from coarse to fine."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 3, 2), conv(16, 24, 3, 2))
        widths = (24, *WIDTHS)
        self.stages = nn.ModuleList(
            nn.Sequential(conv(a, b, 3, 2), Cross(b)) for a, b in zip(widths, WIDTHS, strict=False)
        )
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.mix = conv(2 * WIDTHS[-1], WIDTHS[-1])
        self.joins = nn.ModuleList(conv(a + b, a) for a, b in pairwise(WIDTHS))

    def forward(self, x: Tensor) -> list[Tensor]:  # noqa: D102
        x, features = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        features[-1] = self.mix(torch.cat([features[-1], self.pool(features[-1])], 1))
        for level in (1, 0):
            above = F.interpolate(features[level + 1], scale_factor=2.0, mode="nearest")
            features[level] = self.joins[level](torch.cat([features[level], above], 1))
        return features


class YoloV5(nn.Module):
    """One output [1, N, 5 + classes]: centre and size in pixels, objectness and classes as probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.pyramid = Pyramid()
        self.heads = nn.ModuleList(nn.Conv2d(width, 5 + CLASSES, 1) for width in WIDTHS)

    def forward(self, image: Tensor) -> Tensor:  # noqa: D102
        outputs = []
        for stride, head, x in zip(STRIDES, self.heads, self.pyramid(image), strict=True):
            values = head(x).sigmoid()
            _, _, height, width = values.shape
            down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            cells = torch.stack([across, down])[None].float()
            centre = (values[:, :2] * 2 - 0.5 + cells) * stride
            size = (values[:, 2:4] * 2) ** 2 * (4.0 * stride)
            outputs.append(torch.cat([centre, size, values[:, 4:]], 1).flatten(2).transpose(1, 2))
        return torch.cat(outputs, 1)


class YoloX(nn.Module):
    """Decoupled heads, one tensor per role: distances in strides, classes, objectness."""

    def __init__(self) -> None:
        super().__init__()
        self.pyramid = Pyramid()
        self.towers = nn.ModuleList(nn.Sequential(conv(width, 32), conv(32, 32, 3)) for width in WIDTHS)
        self.boxes = nn.ModuleList(nn.Conv2d(32, 4, 1) for _ in WIDTHS)
        self.kinds = nn.ModuleList(nn.Conv2d(32, CLASSES, 1) for _ in WIDTHS)
        self.objects = nn.ModuleList(nn.Conv2d(32, 1, 1) for _ in WIDTHS)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: D102
        features = [tower(x) for tower, x in zip(self.towers, self.pyramid(image), strict=True)]
        kinds, boxes, objects = (
            torch.cat([head(x).flatten(2).transpose(1, 2) for head, x in zip(heads, features, strict=True)], 1)
            for heads in (self.kinds, self.boxes, self.objects)
        )
        return kinds, boxes.abs() + 0.5, objects


class YoloV8(nn.Module):
    """One output [1, 4 + classes, N]; the sides of boxes are expectations of distributions (Li et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.pyramid = Pyramid()
        self.boxes = nn.ModuleList(nn.Sequential(conv(width, 32, 3), nn.Conv2d(32, 4 * BINS, 1)) for width in WIDTHS)
        self.kinds = nn.ModuleList(nn.Sequential(conv(width, 32, 3), nn.Conv2d(32, CLASSES, 1)) for width in WIDTHS)
        self.register_buffer("bins", torch.arange(BINS).float().reshape(1, BINS, 1, 1))

    def forward(self, image: Tensor) -> Tensor:  # noqa: D102
        parts = []
        for stride, box, kind, x in zip(STRIDES, self.boxes, self.kinds, self.pyramid(image), strict=True):
            height, width = x.shape[2:]
            sides = (box(x).view(-1, 4, BINS, height * width).transpose(1, 2).softmax(1) * self.bins).sum(1)
            down, across = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
            points = torch.stack([across, down]).flatten(1)[None]
            near, far = points - sides[:, :2], points + sides[:, 2:]
            corners = torch.cat([(near + far) / 2, far - near], 1) * stride
            parts.append(torch.cat([corners, kind(x).flatten(2).sigmoid()], 1))
        return torch.cat(parts, 2)


class Fcos(nn.Module):
    """One tower with GroupNorm for all levels, a learned scale for each (Tian et al. 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.pyramid = Pyramid()
        self.laterals = nn.ModuleList(nn.Conv2d(width, 32, 1) for width in WIDTHS)
        self.tower = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.GroupNorm(8, 32), nn.ReLU())
        self.kind, self.box = nn.Conv2d(32, CLASSES, 3, padding=1), nn.Conv2d(32, 4, 3, padding=1)
        self.scales = nn.Parameter(torch.tensor([0.8, 1.0, 1.3]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        kinds, boxes = [], []
        for level, (lateral, x) in enumerate(zip(self.laterals, self.pyramid(image), strict=True)):
            x = self.tower(lateral(x))
            kinds.append(self.kind(x).flatten(2).transpose(1, 2))
            boxes.append(F.relu(self.box(x) * self.scales[level] + 3).flatten(2).transpose(1, 2))
        return torch.cat(kinds, 1), torch.cat(boxes, 1)


class TimmPyramid(nn.Module):
    """Features of a timm backbone at strides 8, 16 and 32, joined from coarse to fine, under shared heads."""

    def __init__(self, name: str) -> None:
        super().__init__()
        import timm

        self.backbone = timm.create_model(name, pretrained=False, features_only=True, out_indices=(2, 3, 4))
        widths = self.backbone.feature_info.channels()
        self.laterals = nn.ModuleList(nn.Conv2d(width, 32, 1) for width in widths)
        self.weights = nn.Parameter(torch.tensor([[0.7, 0.4], [0.5, 0.9]]))
        self.tower = nn.Sequential(conv(32, 32, 3, groups=32), conv(32, 32))
        self.kind, self.box = nn.Conv2d(32, CLASSES, 1), nn.Conv2d(32, 4, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        levels = [lateral(x) for lateral, x in zip(self.laterals, self.backbone(image), strict=True)]
        for level in (1, 0):
            above = F.interpolate(levels[level + 1], size=levels[level].shape[2:], mode="bilinear", align_corners=False)
            # Fast normalised fusion (Tan et al. 2020).
            own, other = F.relu(self.weights[level])
            levels[level] = (own * levels[level] + other * above) / (own + other + 1e-4)
        features = [self.tower(level) for level in levels]
        kinds = torch.cat([self.kind(x).flatten(2).transpose(1, 2) for x in features], 1)
        boxes = torch.cat([F.relu(self.box(x) + 1).flatten(2).transpose(1, 2) for x in features], 1)
        return kinds, boxes


DETECTORS: dict[str, Callable[[], nn.Module]] = {
    "yolo_v5": YoloV5,
    "yolox": YoloX,
    "yolo_v8": YoloV8,
    "fcos": Fcos,
    "mobilenetv4_fpn": lambda: TimmPyramid("mobilenetv4_conv_small"),
    "efficientnet_bifpn": lambda: TimmPyramid("efficientnet_b0"),
}

_GRID = {"boxes": {"coding": "distances", "unit": "stride", "strides": STRIDES}}


def _apart(*roles: str) -> dict[str, Any]:
    """The spec of heads that are outputs of their own."""
    return {
        "outputs": {
            "tensors": roles,
            "roles": {role: {"tensor": role, "channel_axis": 2} for role in roles},
            "activation": "sigmoid",
        },
        "detection": _GRID,
    }


def _mixed(axis: int, **channels: tuple[int, int]) -> dict[str, Any]:
    """The spec of one output with everything in it."""
    roles = {
        role: {"tensor": "out", "channel_axis": axis, "start": start, "stop": stop}
        for role, (start, stop) in channels.items()
    }
    return {
        "outputs": {"tensors": ("out",), "roles": roles, "activation": "none"},
        "detection": {"boxes": {"coding": "center_size"}},
    }


SPECS: dict[str, dict[str, Any]] = {
    "yolo_v5": _mixed(2, boxes=(0, 4), objectness=(4, 5), logits=(5, 5 + CLASSES)),
    "yolox": _apart("logits", "boxes", "objectness"),
    "yolo_v8": _mixed(1, boxes=(0, 4), logits=(4, 4 + CLASSES)),
    "fcos": _apart("logits", "boxes"),
    "mobilenetv4_fpn": _apart("logits", "boxes"),
    "efficientnet_bifpn": _apart("logits", "boxes"),
}
"""What the `model.json` of each says of outputs and boxes."""
