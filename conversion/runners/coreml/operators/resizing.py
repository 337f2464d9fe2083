"""Resizing the last axes of images. A sampling mode is the grid of source positions of one axis."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from samesight.conversion.runners.coreml.dtypes import Ints


def grid(source: int, target: int, mode: str) -> Tensor:
    """Source positions 0..source-1 of `target` samples: float32 [target] (MIL's resize_bilinear)."""
    step = torch.arange(target, dtype=torch.float64)
    if mode in ("ALIGN_CORNERS", "STRICT_ALIGN_CORNERS"):
        if target == 1:
            places = torch.full((1,), (source - 1) / 2 if mode == "ALIGN_CORNERS" else 0.0, dtype=torch.float64)
        else:
            places = step * ((source - 1) / (target - 1))
    elif mode == "DEFAULT":
        places = step * (source / target)
    elif mode == "OFFSET_CORNERS":
        places = (step + 0.5) * (max(1, source - 1) / target)
    elif mode == "UNALIGN_CORNERS":
        places = (step + 0.5) * (source / target) - 0.5
    else:
        raise NotImplementedError(f"sampling mode {mode}")
    return places.clamp(0, source - 1).float()


def interpolate(x: Tensor, axis: int, places: Tensor) -> Tensor:
    """Linear interpolation of one axis at source positions."""
    low = places.floor().long()
    high = (low + 1).clamp(max=x.shape[axis] - 1)
    share = (places - low).reshape([-1 if place == axis % x.dim() else 1 for place in range(x.dim())])
    return x.index_select(axis, low) * (1 - share) + x.index_select(axis, high) * share


def resize_bilinear(x: Tensor, target_size_height: int, target_size_width: int, sampling_mode: str) -> Tensor:
    """Both last axes resized linearly."""
    rows = grid(x.shape[-2], target_size_height, sampling_mode)
    return interpolate(interpolate(x, -2, rows), -1, grid(x.shape[-1], target_size_width, sampling_mode))


def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float,
    scale_factor_width: float,
    align_corners: bool,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    """Both last axes resized linearly by factors; the step is recomputed from the lengths."""
    height, width = _scaled(x, scale_factor_height, scale_factor_width)
    centred = not align_corners if half_pixel_centers is None else half_pixel_centers
    if align_corners and centred:
        raise NotImplementedError("align_corners together with half_pixel_centers")
    if x.dim() == 4 and (centred or align_corners):
        return functional.interpolate(x, (height, width), mode="bilinear", align_corners=align_corners)
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS" if centred else "DEFAULT"
    return resize_bilinear(x, height, width, mode)


def nearest(x: Tensor, axis: int, target: int) -> Tensor:
    """Sample i of an axis is the element at floor((i + 1/2) · source / target), as Apple's tests have it.

    coremltools takes this operator for TensorFlow's with half-pixel centres, and notes that one sample of a longer
    axis is another element than TensorFlow's (rdar://79699954), not which.
    """
    source = x.shape[axis]
    if target == 1 < source:
        raise NotImplementedError("nearest neighbour for one sample of a longer axis")
    places = torch.div((2 * torch.arange(target) + 1) * source, 2 * target, rounding_mode="floor")
    return x.index_select(axis, places)


def resize_nearest_neighbor(x: Tensor, target_size_height: int, target_size_width: int) -> Tensor:
    """Both last axes resized by `nearest`."""
    return nearest(nearest(x, -2, target_size_height), -1, target_size_width)


def upsample_nearest_neighbor(x: Tensor, scale_factor_height: float, scale_factor_width: float) -> Tensor:
    """Sample i of one of the last two axes is the element at floor(i · source / target), unlike `nearest`."""
    for axis, target in zip((-2, -1), _scaled(x, scale_factor_height, scale_factor_width), strict=True):
        x = x.index_select(axis, torch.div(torch.arange(target) * x.shape[axis], target, rounding_mode="floor"))
    return x


def resize(x: Tensor, shape: Ints, resized_dims: int, interpolation_mode: str, sampling_mode: str) -> Tensor:
    """The last `resized_dims` axes resized to the last numbers of `shape`; 0 keeps a length."""
    for back in range(resized_dims, 0, -1):
        source, target = x.shape[-back], shape[-back] or x.shape[-back]
        if source == target and sampling_mode != "OFFSET_CORNERS":
            continue
        if interpolation_mode == "LINEAR":
            x = interpolate(x, -back, grid(source, target, sampling_mode))
        elif sampling_mode == "DEFAULT":
            x = nearest(x, -back, target)
        else:
            raise NotImplementedError(f"nearest neighbours with sampling mode {sampling_mode}")
    return x


def _scaled(x: Tensor, height: float, width: float) -> tuple[int, int]:
    # Factors are stored in float32: 13 / 7 · 7 must not become 12.
    return math.floor(x.shape[-2] * height + 1e-4), math.floor(x.shape[-1] * width + 1e-4)
