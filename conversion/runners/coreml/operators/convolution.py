"""Convolutions, pooling, and what multiplies matrices. Images are [N, C, *D] with one to three axes D."""

import torch
from torch import Tensor
from torch.nn import functional

from samesight.conversion.runners.coreml.dtypes import Ints

CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)
TRANSPOSED = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
AVERAGES = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
MAXIMA = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)


def padding(pad_type: str, pad: Ints, size: Ints, extent: Ints, strides: Ints) -> list[tuple[int, int]]:
    """Elements before and after each axis; `extent` is the kernel's, with its dilation."""
    if pad_type == "custom":
        return [(pad[2 * axis], pad[2 * axis + 1]) for axis in range(len(size))]
    if pad_type == "valid":
        return [(0, 0)] * len(size)
    both = []
    for length, kernel, stride in zip(size, extent, strides, strict=True):
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        less, more = total // 2, total - total // 2
        both.append((more, less) if pad_type == "same_lower" else (less, more))
    return both


def pad_axes(x: Tensor, both: list[tuple[int, int]], value: float = 0.0) -> Tensor:
    """Pad the last axes of x; negative numbers crop."""
    return functional.pad(x, [number for pair in reversed(both) for number in pair], value=value)


def conv(
    x: Tensor,
    weight: Tensor,
    strides: Ints,
    pad_type: str,
    pad: Ints,
    dilations: Ints,
    groups: int,
    bias: Tensor | None = None,
) -> Tensor:
    """Convolution; weight [C_out, C_in / groups, *K]."""
    extent = _extent(weight, dilations)
    both = padding(pad_type, pad, tuple(x.shape[2:]), extent, strides)
    convolve = CONVOLUTIONS[len(both) - 1]
    if all(before == after for before, after in both):
        return convolve(x, weight, bias, strides, [before for before, _ in both], dilations, groups)
    return convolve(pad_axes(x, both), weight, bias, strides, 0, dilations, groups)


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    strides: Ints,
    pad_type: str,
    pad: Ints,
    dilations: Ints,
    groups: int,
    bias: Tensor | None = None,
    output_shape: Ints | None = None,
) -> Tensor:
    """The gradient of `conv`; weight [C_in, C_out / groups, *K]. Padding crops what the kernel spreads."""
    extent = _extent(weight, dilations)
    convolve = TRANSPOSED[weight.dim() - 3]
    whole = convolve(x, weight, None, strides, 0, 0, groups, dilations)
    lengths = tuple(whole.shape[2:])
    if pad_type == "custom":
        begins = [pad[2 * axis] for axis in range(len(extent))]
        sizes = [length - pad[2 * axis] - pad[2 * axis + 1] for axis, length in enumerate(lengths)]
    elif pad_type == "valid":
        begins, sizes = [0] * len(extent), list(lengths)
    else:
        sizes = [length * stride for length, stride in zip(x.shape[2:], strides, strict=True)]
        begins = [max(length - size, 0) // 2 for length, size in zip(lengths, sizes, strict=True)]
    if output_shape is not None:
        sizes = list(output_shape[2:])
    both = [(-begin, begin + size - length) for begin, size, length in zip(begins, sizes, lengths, strict=True)]
    made = pad_axes(whole, both)
    return made if bias is None else made + bias.reshape(-1, *(1,) * len(extent))


def windows(
    size: Ints, kernel_sizes: Ints, strides: Ints, pad_type: str, pad: Ints, ceil_mode: bool
) -> list[tuple[int, int]]:
    """Elements before and after each axis, so that every window of a pool lies inside.

    With `ceil_mode` the windows that hang over the end are counted as MIL documents it: one that would begin behind
    the map and its padding before is dropped only if the axis is padded.
    """
    both = padding(pad_type, pad, size, kernel_sizes, strides)
    if not ceil_mode:
        return both
    made = []
    for length, kernel, stride, (before, after) in zip(size, kernel_sizes, strides, both, strict=True):
        count = -(-(length + before + after - kernel) // stride) + 1
        if before + after > 0 and (count - 1) * stride >= length + (before + after) / 2:
            count -= 1
        made.append((before, max(after, (count - 1) * stride + kernel - length - before)))
    return made


def avg_pool(
    x: Tensor,
    kernel_sizes: Ints,
    strides: Ints,
    pad_type: str,
    pad: Ints,
    ceil_mode: bool,
    exclude_padding_from_average: bool,
) -> Tensor:
    """Means of windows; whether zeros of the padding are counted is the last argument.

    Core ML counts what `ceil_mode` adds behind the end like padding, unlike torch: a window that hangs over is divided
    by the whole kernel, or by its elements if padding is excluded.
    """
    both = windows(tuple(x.shape[2:]), kernel_sizes, strides, pad_type, pad, ceil_mode)
    pool = AVERAGES[len(both) - 1]
    if all(before == after <= kernel // 2 for (before, after), kernel in zip(both, kernel_sizes, strict=True)):
        before = [pair[0] for pair in both]
        return pool(x, kernel_sizes, strides, before, False, not exclude_padding_from_average)
    means = pool(pad_axes(x, both), kernel_sizes, strides)
    if not exclude_padding_from_average:
        return means
    shares = pool(pad_axes(torch.ones_like(x), both), kernel_sizes, strides)
    if not shares.all():
        raise NotImplementedError("mean of a window without elements")
    return means / shares


def max_pool(x: Tensor, kernel_sizes: Ints, strides: Ints, pad_type: str, pad: Ints, ceil_mode: bool) -> Tensor:
    """Maxima of windows; padding and what `ceil_mode` adds never win."""
    both = windows(tuple(x.shape[2:]), kernel_sizes, strides, pad_type, pad, ceil_mode)
    pool = MAXIMA[len(both) - 1]
    if all(before == after <= kernel // 2 for (before, after), kernel in zip(both, kernel_sizes, strict=True)):
        return pool(x, kernel_sizes, strides, [before for before, _ in both])
    return pool(pad_axes(x, both, -torch.inf), kernel_sizes, strides)


def l2_pool(x: Tensor, kernel_sizes: Ints, strides: Ints, pad_type: str, pad: Ints, ceil_mode: bool) -> Tensor:
    """Square roots of the sums of squares of windows."""
    both = windows(tuple(x.shape[2:]), kernel_sizes, strides, pad_type, pad, ceil_mode)
    count = float(torch.tensor(kernel_sizes).prod())
    return (AVERAGES[len(both) - 1](pad_axes(x * x, both), kernel_sizes, strides) * count).sqrt()


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x · weightᵀ + bias`; x [..., D_in], weight [D_out, D_in], which may be integers."""
    return functional.linear(x, weight.to(x.dtype), None if bias is None else bias.to(x.dtype))


def matmul(x: Tensor, y: Tensor, transpose_x: bool, transpose_y: bool) -> Tensor:
    """Product of matrices in the last two axes; one of them may be integers."""
    kind = torch.promote_types(x.dtype, y.dtype)
    x, y = x.to(kind), y.to(kind)
    left = x.mT if transpose_x and x.dim() > 1 else x
    right = y.mT if transpose_y and y.dim() > 1 else y
    return left @ right


def einsum(values: list[Tensor], equation: str) -> Tensor:
    """Einstein's sum."""
    return torch.einsum(equation, *values)


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """softmax(query · keyᵀ / sqrt(E) + mask) · value."""
    return functional.scaled_dot_product_attention(query, key, value, attn_mask)


def _extent(weight: Tensor, dilations: Ints) -> Ints:
    return tuple((kernel - 1) * dilation + 1 for kernel, dilation in zip(weight.shape[2:], dilations, strict=True))
