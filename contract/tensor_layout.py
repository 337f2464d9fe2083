"""Packing: the input tensor in the layout that an artifact takes; and quantized outputs back to real values."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

TensorLayout = Literal["int8_nhwc", "float32_nhwc", "float32_nchw", "bgra8_nhwc"]


def pack(tensor: NDArray[np.uint8], layout: TensorLayout) -> NDArray[Any]:
    """The input tensor uint8 [H, W, C] (C of 1 or 3) as an artifact's input, contiguous.

    int8_nhwc: int8 [1, H, W, C], pixel - 128 (scale 1, zero point -128).
    float32_nhwc: float32 [1, H, W, C], values 0..255.
    float32_nchw: float32 [1, C, H, W], values 0..255.
    bgra8_nhwc: uint8 [1, H, W, 4], channels 2, 1, 0 of the tensor (its only one three times, if grey), then 255.
    """
    if layout == "int8_nhwc":
        return (tensor ^ np.uint8(128)).view(np.int8)[None]
    if layout == "float32_nhwc":
        return tensor.astype(np.float32)[None]
    if layout == "float32_nchw":
        return np.ascontiguousarray(tensor.transpose(2, 0, 1)).astype(np.float32)[None]
    height, width, _ = tensor.shape
    packed = np.full((1, height, width, 4), 255, dtype=np.uint8)
    packed[0, :, :, :3] = tensor[:, :, ::-1]
    return packed


def dequantize(q: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """Real values of a quantized tensor (int8 or uint8): float32(q - zero_point) · float32(scale)."""
    return (q.astype(np.int32) - np.int32(zero_point)).astype(np.float32) * np.float32(scale)
