"""ONNX's operators as functions of torch: one table (https://onnx.ai/onnx/operators).

All shapes are known and constants are folded, so what ONNX passes as tensors of lengths and axes is read as numbers.
An operator that is not here is refused by name; the whole network is compared with ONNX Runtime afterwards.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from samesight.conversion.sources.onnx.call import Call, UnreadableError
from samesight.conversion.sources.onnx.pointwise import POINTWISE
from samesight.conversion.sources.onnx.selection import SELECTION

POOLED = 2


def _window(call: Call, kernel: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Strides, dilations and padding (begins, then ends) of a convolution or pool over the last axes."""
    rank = len(kernel)
    strides, dilations = call.get("strides") or [1] * rank, call.get("dilations") or [1] * rank
    pads = list(call.get("pads") or [0] * 2 * rank)
    if (auto := call.get("auto_pad", b"NOTSET")) in (b"SAME_UPPER", b"SAME_LOWER"):
        begins, ends = [], []
        for length, side, stride, dilation in zip(call.x.shape[2:], kernel, strides, dilations, strict=True):
            total = max((math.ceil(length / stride) - 1) * stride + (side - 1) * dilation + 1 - length, 0)
            less, more = total // 2, total - total // 2
            begins.append(less if auto == b"SAME_UPPER" else more)
            ends.append(more if auto == b"SAME_UPPER" else less)
        pads = begins + ends
    return list(strides), list(dilations), pads


def _padded(x: Tensor, pads: Sequence[int], value: float = 0.0) -> tuple[Tensor, list[int]]:
    """Equal padding is left to the operator; unequal padding is done before it."""
    rank = len(pads) // 2
    begins, ends = list(pads[:rank]), list(pads[rank:])
    if begins == ends:
        return x, begins
    flat = [length for pair in zip(reversed(begins), reversed(ends), strict=True) for length in pair]
    return functional.pad(x, flat, value=value), [0] * rank


def _conv(call: Call) -> Tensor:
    weight = call.tensor(1)
    strides, dilations, pads = _window(call, weight.shape[2:])
    x, padding = _padded(call.x, pads)
    run = {1: functional.conv1d, 2: functional.conv2d}[weight.dim() - 2]
    return run(x, weight, call.optional(2), strides, padding, dilations, call.get("group", 1))


def _conv_transpose(call: Call) -> Tensor:
    weight = call.tensor(1)
    strides, dilations, pads = _window(call, weight.shape[2:])
    rank = weight.dim() - 2
    automatic = call.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER")
    if call.get("output_shape") or automatic or rank != 2:
        raise UnreadableError("ConvTranspose to a given shape, or not over two axes")
    extra = call.get("output_padding") or [0] * rank
    equal = pads[:rank] == pads[rank:]
    x = functional.conv_transpose2d(
        call.x,
        weight,
        call.optional(2),
        strides,
        pads[:rank] if equal else [0] * rank,
        extra,
        call.get("group", 1),
        dilations,
    )
    if equal:
        return x
    height, width = x.shape[2:]
    return x[:, :, pads[0] : height - pads[2], pads[1] : width - pads[3]]


def _max_pool(call: Call) -> Tensor:
    kernel = call.get("kernel_shape")
    strides, dilations, pads = _window(call, kernel)
    if call.outputs > 1 or len(kernel) != POOLED:
        raise UnreadableError("MaxPool with indices, or not over two axes")
    x, padding = _padded(call.x, pads, -math.inf)
    return functional.max_pool2d(x, kernel, strides, padding, dilations, bool(call.get("ceil_mode", 0)))


def _average_pool(call: Call) -> Tensor:
    kernel = call.get("kernel_shape")
    strides, dilations, pads = _window(call, kernel)
    counted = bool(call.get("count_include_pad", 0))
    if any(dilation != 1 for dilation in dilations) or len(kernel) != POOLED:
        raise UnreadableError("AveragePool with dilations, or not over two axes")
    ceiling = bool(call.get("ceil_mode", 0))
    x, padding = _padded(call.x, pads)
    mean = functional.avg_pool2d(x, kernel, strides, padding, ceiling, counted)
    if pads[:POOLED] == pads[POOLED:] or counted:
        return mean
    # Each sum is of as many values as the kernel meets inside of the map.
    inside, _ = _padded(torch.ones(1, 1, *call.x.shape[2:]), pads)
    return mean / functional.avg_pool2d(inside, kernel, strides, 0, ceiling)


def _gemm(call: Call) -> Tensor:
    a, b, c = call.x, call.tensor(1), call.optional(2)
    a = a.transpose(0, 1) if call.get("transA", 0) else a
    weight = b if call.get("transB", 0) else b.transpose(0, 1)
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    if alpha == 1.0 and beta == 1.0 and (c is None or c.dim() == 1):
        return functional.linear(a, weight, c)
    product = alpha * functional.linear(a, weight)
    return product if c is None else product + beta * c


def _batch_norm(call: Call) -> Tensor:
    if call.get("training_mode", 0):
        raise UnreadableError("BatchNormalization in training mode; export the network in evaluation mode")
    scale, bias, mean, variance = (call.tensor(index) for index in range(1, 5))
    return functional.batch_norm(call.x, mean, variance, scale, bias, False, 0.0, call.get("epsilon", 1e-5))


def _layer_norm(call: Call) -> Tensor:
    axis = call.get("axis", -1) % call.x.dim()
    shape = call.x.shape[axis:]
    return functional.layer_norm(call.x, shape, call.tensor(1), call.optional(2), call.get("epsilon", 1e-5))


def _group_norm(call: Call) -> Tensor:
    scale, bias = call.tensor(1), call.tensor(2)
    groups, channels = call.get("num_groups"), call.x.shape[1]
    if scale.shape[0] != channels:  # version 18 has one for each group
        scale, bias = (values.repeat_interleave(channels // groups) for values in (scale, bias))
    return functional.group_norm(call.x, groups, scale, bias, call.get("epsilon", 1e-5))


def _softmax(run: Callable[..., Tensor]) -> Callable[[Call], Tensor]:
    def softmax(call: Call) -> Tensor:
        if call.opset >= 13:
            return run(call.x, call.get("axis", -1))
        axis = call.get("axis", 1) % call.x.dim()
        return run(call.x.flatten(axis), axis).reshape(call.x.shape)

    return softmax


def _reshape(call: Call) -> Tensor:
    shape = call.integers(1, "shape")
    if not call.get("allowzero", 0):
        shape = [call.x.shape[axis] if length == 0 else length for axis, length in enumerate(shape)]
    return call.x.reshape(shape)


def _flatten(call: Call) -> Tensor:
    axis = call.get("axis", 1)
    if axis == 1:
        return call.x.flatten(1)
    return call.x.reshape(math.prod(call.x.shape[:axis]), -1)


def _squeeze(call: Call) -> Tensor:
    axes = call.integers(1, "axes") or [axis for axis, length in enumerate(call.x.shape) if length == 1]
    return call.x.squeeze(axes)


def _unsqueeze(call: Call) -> Tensor:
    axes = call.integers(1, "axes")
    x = call.x
    for axis in sorted(axis % (x.dim() + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _split(call: Call) -> Sequence[Tensor]:
    axis = call.get("axis", 0)
    sizes = call.integers(1, "split")
    if not sizes:
        part = math.ceil(call.x.shape[axis] / call.outputs)
        return torch.split(call.x, part, axis)
    return torch.split(call.x, sizes, axis)


def _pad(call: Call) -> Tensor:
    pads, value = call.integers(1, "pads"), call.number(2, "value", 0.0)
    axes = call.integers(3, None, range(len(pads) // 2))
    mode = {b"constant": "constant", b"reflect": "reflect", b"edge": "replicate"}.get(call.get("mode", b"constant"))
    if mode is None:
        raise UnreadableError("Pad that wraps")
    rank, half = call.x.dim(), len(pads) // 2
    ends = {axis % rank: (pads[place], pads[half + place]) for place, axis in enumerate(axes)}
    used = [axis for axis in range(rank) if any(ends.get(axis, (0, 0)))]
    if not used:
        return call.x
    first = used[0] if mode == "constant" else max(0, rank - 2)
    flat = [length for axis in reversed(range(first, rank)) for length in ends.get(axis, (0, 0))]
    if mode != "constant":
        if used[0] < first:
            raise UnreadableError("Pad by reflection or edge over another axis than height and width")
        return functional.pad(call.x, flat, mode)
    return functional.pad(call.x, flat, "constant", float(np.asarray(value).reshape(-1)[0]))


def _resize(call: Call) -> Tensor:
    scales = call.number(2) if call.kind == "Resize" else call.number(1, "scales")
    sizes = call.integers(3) if call.kind == "Resize" else []
    rank = call.x.dim()
    if (
        call.get("axes")
        or rank != 4
        or call.get("antialias", 0)
        or call.get("keep_aspect_ratio_policy", b"stretch") != b"stretch"
    ):
        raise UnreadableError("Resize with axes, antialias or a kept aspect")
    if not sizes:
        factors = [float(value) for value in np.asarray(scales).reshape(-1)]
        sizes = [math.floor(length * factor) for length, factor in zip(call.x.shape, factors, strict=True)]
    mode, transform = call.get("mode", b"nearest"), call.get("coordinate_transformation_mode", b"half_pixel")
    nearest = (transform, call.get("nearest_mode", b"round_prefer_floor"))
    if sizes[:2] != list(call.x.shape[:2]):
        raise UnreadableError("Resize of channels")
    if mode == b"nearest" and (
        nearest == (b"asymmetric", b"floor") or call.kind == "Upsample" or _doubles(call.x, sizes)
    ):
        return functional.interpolate(call.x, sizes[2:], mode="nearest")
    if mode in (b"linear", b"cubic") and transform in (b"half_pixel", b"pytorch_half_pixel", b"align_corners"):
        if mode == b"cubic" and call.get("cubic_coeff_a", -0.75) != -0.75:
            raise UnreadableError("Resize with another cubic than torch's")
        kind = "bilinear" if mode == b"linear" else "bicubic"
        return functional.interpolate(call.x, sizes[2:], mode=kind, align_corners=transform == b"align_corners")
    raise UnreadableError(f"Resize by {mode.decode()} with {transform.decode()}")


def _doubles(x: Tensor, sizes: Sequence[int]) -> bool:
    """Whether every side becomes a whole multiple: then all of ONNX's ways to the nearest are the same."""
    return all(after % before == 0 for before, after in zip(x.shape[2:], sizes[2:], strict=True))


def _depth_to_space(call: Call) -> Tensor:
    block = call.get("blocksize")
    if call.get("mode", b"DCR") == b"CRD":
        return functional.pixel_shuffle(call.x, block)
    n, c, h, w = call.x.shape
    x = call.x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, c // block**2, h * block, w * block)


def _space_to_depth(call: Call) -> Tensor:
    block = call.get("blocksize")
    n, c, h, w = call.x.shape
    x = call.x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, c * block**2, h // block, w // block)


def _cast(call: Call) -> Tensor:
    from onnx import helper

    return call.x.to(torch.from_numpy(np.zeros(1, helper.tensor_dtype_to_np_dtype(call.get("to")))).dtype)


OPERATORS: dict[str, Callable[[Call], Tensor | Sequence[Tensor]]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": lambda call: torch.matmul(call.x, call.tensor(1)),
    "Einsum": lambda call: torch.einsum(call.get("equation").decode(), *map(call.tensor, range(len(call.inputs)))),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": lambda call: functional.instance_norm(
        call.x, weight=call.tensor(1), bias=call.tensor(2), eps=call.get("epsilon", 1e-5)
    ),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda call: functional.adaptive_avg_pool2d(call.x, 1),
    "GlobalMaxPool": lambda call: functional.adaptive_max_pool2d(call.x, 1),
    "Softmax": _softmax(torch.softmax),
    "LogSoftmax": _softmax(torch.log_softmax),
    "Concat": lambda call: torch.cat(list(map(call.tensor, range(len(call.inputs)))), call.get("axis")),
    "Split": _split,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda call: call.x.permute(call.get("perm") or tuple(reversed(range(call.x.dim())))),
    "Expand": lambda call: call.x.expand(torch.broadcast_shapes(call.x.shape, tuple(call.integers(1)))),
    "Tile": lambda call: call.x.repeat(call.integers(1)),
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Cast": _cast,
    "Identity": lambda call: call.x,
    "Dropout": lambda call: call.x,
    **SELECTION,
    **POINTWISE,
}
