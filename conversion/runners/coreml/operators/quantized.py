"""Quantized activations, and weights that are stored compressed (`constexpr_…`)."""

import math

import torch
from torch import Tensor

from samesight.conversion.runners.coreml.dtypes import Ints

RANGES = {"int8": (-128, 127), "uint8": (0, 255)}


def quantize(
    input: Tensor, scale: Tensor, output_dtype: str, zero_point: Tensor | None = None, axis: int | None = None
) -> Tensor:
    """clip(round(input / scale) + zero_point); ties go to the even integer, as in coremltools (Apple's is unknown)."""
    steps = (input / _along(scale, input, axis)).round_()
    if zero_point is not None:
        steps = steps + _along(zero_point, input, axis).float()
    return steps.clamp_(*RANGES[output_dtype])


def dequantize(input: Tensor, scale: Tensor, zero_point: Tensor | None = None, axis: int | None = None) -> Tensor:
    """`scale · (input - zero_point)`."""
    steps = input.float()
    if zero_point is not None:
        steps = steps - _along(zero_point, input, axis).float()
    return steps * _along(scale, input, axis)


def constexpr_affine_dequantize(quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int) -> Tensor:
    """`scale · (data - zero_point)`, per tensor or along an axis."""
    return dequantize(quantized_data, scale, zero_point, axis)


def constexpr_blockwise_shift_scale(data: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
    """`scale · (data - offset)`; each scale serves a block of equal lengths."""
    steps = data.float()
    if offset is not None:
        steps = steps - _spread(offset.float(), data.shape)
    return steps * _spread(scale, data.shape)


def constexpr_cast(source_val: Tensor, output_dtype: str) -> Tensor:
    """Stored in half precision, used in single."""
    return source_val


def constexpr_lut_to_dense(
    indices: Tensor, lut: Tensor, shape: Ints | None = None, vector_axis: int | None = None
) -> Tensor:
    """Values from a look-up table.

    iOS 16: indices uint8 [M], packed bits from the lowest on; lut [2^bits]; `shape` of the result.
    iOS 18: indices [*D]; lut [*G, 2^bits, V], one table for each block of D; V elements along `vector_axis`.
    """
    if shape is not None:
        bits = int(math.log2(lut.numel()))
        return lut[_unpack(indices, bits, math.prod(shape))].reshape(shape)
    count, width = lut.shape[-2:]
    tables = _spread(lut, (*indices.shape, count, width)).reshape(-1, count, width)
    picked = tables[torch.arange(len(tables)), indices.reshape(-1).long()].reshape(*indices.shape, width)
    if vector_axis is None:
        return picked.squeeze(-1)
    axis = vector_axis % indices.dim()
    return picked.movedim(-1, axis + 1).flatten(axis, axis + 1)


def constexpr_sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: Ints | None = None) -> Tensor:
    """Values where the mask is set, else 0. iOS 16: mask uint8, packed bits, and `shape`; iOS 18: mask in the shape."""
    if shape is not None:
        mask = _unpack(mask, 1, math.prod(shape)).reshape(shape)
    dense = torch.zeros(mask.shape, dtype=nonzero_data.dtype)
    dense[mask != 0] = nonzero_data
    return dense


def constexpr_lut_to_sparse(
    indices_mask: Tensor, indices_nonzero_data: Tensor, lut: Tensor, vector_axis: int | None = None
) -> tuple[Tensor, Tensor]:
    """A mask, and the values from a look-up table where it is set."""
    dense = constexpr_lut_to_dense(
        constexpr_sparse_to_dense(indices_nonzero_data, indices_mask), lut, vector_axis=vector_axis
    )
    mask = indices_mask
    if vector_axis is not None:
        mask = mask.repeat_interleave(lut.shape[-1], vector_axis)
    return mask, dense[mask != 0]


def constexpr_sparse_blockwise_shift_scale(
    data_mask: Tensor, nonzero_data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """A mask, and scale · (data - offset) where it is set."""
    dense = constexpr_blockwise_shift_scale(constexpr_sparse_to_dense(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask != 0]


def _along(parameter: Tensor, data: Tensor, axis: int | None) -> Tensor:
    """A scalar as it is, a vector along one axis of the data."""
    if parameter.dim() == 0 or axis is None:
        return parameter
    return parameter.reshape([-1 if place == axis % data.dim() else 1 for place in range(data.dim())])


def _spread(parameter: Tensor, shape: Ints) -> Tensor:
    """Each element repeated over its block."""
    for axis, length in enumerate(shape):
        if parameter.shape[axis] not in (1, length):
            parameter = parameter.repeat_interleave(length // parameter.shape[axis], axis)
    return parameter.expand(shape)


def _unpack(packed: Tensor, bits: int, count: int) -> Tensor:
    """`count` numbers of some bits each out of bytes, lowest bit first: int64 [count]."""
    single = (packed.long()[:, None] >> torch.arange(8)) & 1
    words = single.reshape(-1)[: count * bits].reshape(count, bits)
    return (words << torch.arange(bits)).sum(1)
