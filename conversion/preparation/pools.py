"""Pools as windows that every format takes: of one size, inside of the map, divided by the number of their values.

Runtimes read a window that hangs over the map's end in three ways. With `ceil_mode`, PyTorch divides by the elements
that are there, Core ML by the whole kernel (github.com/apple/coremltools/issues/2772), ONNX Runtime's integer pool too;
others refuse such a pool, one with a divisor of its own, or an adaptive one whose bins differ in size.

Here such a pool becomes plain pools of parts of the map, joined again: exact, and in int8 on the grid of its input.
Means and maxima over rectangles are taken along one axis and then along the other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import (
    add_call,
    add_tensor,
    argument,
    aten,
    first_of,
    nodes_of,
    replace,
    shape_of,
)

AVERAGE, MAXIMUM = aten.avg_pool2d.default, aten.max_pool2d.default
OF_LINES: dict[Any, Any] = {aten.avg_pool1d.default: AVERAGE, aten.max_pool1d.default: MAXIMUM}
ADAPTIVE: dict[Any, Any] = {
    aten.adaptive_avg_pool1d.default: AVERAGE,
    aten.adaptive_avg_pool2d.default: AVERAGE,
    aten._adaptive_avg_pool2d.default: AVERAGE,
    aten.adaptive_max_pool1d.default: MAXIMUM,
    aten.adaptive_max_pool2d.default: MAXIMUM,
}
LARGE_KERNEL = 7
"""Of an average pool that counts its padding: Core ML divides the mean by the kernel once more (coremltools#1901)."""
WITH_POSITIONS = (
    aten.adaptive_max_pool1d.default,
    aten.adaptive_max_pool2d.default,
    aten.max_pool2d_with_indices.default,
)
"""Operators with two results; the second says where the maxima are."""


@dataclass(frozen=True)
class Window:
    """Elements `start` up to `stop` of an axis."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many elements it has."""
        return self.stop - self.start


def windows_of_bins(size: int, count: int) -> list[Window]:
    """The bins of an adaptive pool (PyTorch's `start_index` and `end_index`): they may overlap and differ in size."""
    return [Window(place * size // count, -(-(place + 1) * size // count)) for place in range(count)]


def windows_of_steps(size: int, kernel: int, stride: int, padding: int, count: int) -> list[Window]:
    """`count` windows from `-padding` on, cut to the `size` elements that there are."""
    starts = [place * stride - padding for place in range(count)]
    return [Window(max(start, 0), min(start + kernel, size)) for start in starts]


def groups_of(windows: Sequence[Window]) -> list[list[Window]]:
    """Neighbouring windows of one length at one distance: each group is one plain pool."""
    groups: list[list[Window]] = []
    for window in windows:
        group = groups[-1] if groups else []
        fits = bool(group) and group[0].length == window.length and window.start > group[-1].start
        if fits and len(group) > 1:
            fits = window.start - group[-1].start == group[1].start - group[0].start
        if fits:
            group.append(window)
        else:
            groups.append([window])
    return groups


def name_pools(module: GraphModule) -> int:
    """Pools of lines, adaptive ones and those that also give positions become `avg_pool2d` and `max_pool2d`."""
    count = 0
    for node in nodes_of(module, [*OF_LINES, *ADAPTIVE, aten.max_pool2d_with_indices.default]):
        result = first_of(node) if node.target in WITH_POSITIONS else node
        image = node.args[0]
        if result is None or not isinstance(image, Node) or len(shape_of(image)) not in (3, 4):
            continue
        shape, of_lines = shape_of(result), "pool1d" in str(node.target)
        if len(shape_of(image)) == 3:
            first, second, last = shape_of(image)
            map_shape = [first, second, 1, last] if of_lines else [1, first, second, last]
            image = add_call(module, aten.reshape.default, [image, map_shape], node, node)
        if node.target in ADAPTIVE:
            bins = _pair(argument(node, 1, "output_size"), 1 if of_lines else None)
            per_axis = [windows_of_bins(size, number) for size, number in zip(shape_of(image)[2:], bins, strict=True)]
            made = pooled(module, ADAPTIVE[node.target], image, per_axis, node)
        else:
            target = OF_LINES.get(node.target, MAXIMUM)
            options = _line_options(node) if of_lines else list(node.args[1:])
            made = add_call(module, target, [image, *options], node, node)
        if shape_of(made) != shape:
            made = add_call(module, aten.reshape.default, [made, list(shape)], node, node)
        replace(result, made)
        if result is not node:
            module.graph.erase_node(node)
        count += 1
    return count


def rewrite_pools(module: GraphModule, split_excluded: bool = False) -> int:
    """Overhanging windows, divisors of their own and large padded kernels as plain pools.

    `ceil_mode` goes where it changes nothing. `split_excluded`: means that leave out their padding too, for a format
    that counts it.
    """
    count = 0
    for node in nodes_of(module, [AVERAGE, MAXIMUM]):
        image = node.args[0]
        if not isinstance(image, Node) or len(shape_of(image)) != 4:
            continue
        average = node.target is AVERAGE
        kernel = _pair(argument(node, 1, "kernel_size"))
        stride = _pair(argument(node, 2, "stride", []) or kernel)
        padding = _pair(argument(node, 3, "padding", [0, 0]))
        ceiling = bool(argument(node, 4 if average else 5, "ceil_mode", False))
        dilation = [1, 1] if average else _pair(argument(node, 4, "dilation", [1, 1]))
        divisor = argument(node, 6, "divisor_override") if average else None
        include = bool(argument(node, 5, "count_include_pad", True)) if average else False
        large = include and any(padding) and min(kernel) >= LARGE_KERNEL
        split = large or (split_excluded and average and not include and any(padding))
        if not (ceiling or divisor or split) or dilation != [1, 1]:
            continue
        sizes, counts = shape_of(image)[2:], shape_of(node)[2:]
        axes = list(zip(sizes, kernel, stride, padding, counts, strict=True))
        overhangs = [max(0, (n - 1) * step + k - size - 2 * pad) for size, k, step, pad, n in axes]
        if divisor:
            made = _divided(module, node, image, kernel, stride, padding, overhangs, int(divisor))
        elif not any(overhangs) and not split:
            options = [include, None] if average else []
            args = [image, kernel, stride, padding, *([False] if average else [[1, 1], False]), *options]
            made = add_call(module, node.target, args, node, node)
        else:
            if average and include and any(padding):
                image = _padded(module, image, padding, [0, 0], node)
                axes = [(size + 2 * pad, k, step, 0, n) for size, k, step, pad, n in axes]
            made = pooled(module, node.target, image, [windows_of_steps(*axis) for axis in axes], node)
        replace(node, made)
        count += 1
    return count


def pooled(module: GraphModule, target: Any, image: Node, per_axis: Sequence[Sequence[Window]], before: Node) -> Node:
    """Means or maxima over the product of two lists of windows: image [N,C,H,W] -> [N,C,len(rows),len(columns)]."""
    plain = [_plain(windows, size) for windows, size in zip(per_axis, shape_of(image)[2:], strict=True)]
    if all(plain):
        (kernel_h, stride_h), (kernel_w, stride_w) = (pair for pair in plain if pair)
        return add_call(module, target, [image, [kernel_h, kernel_w], [stride_h, stride_w]], before, before)
    for axis, windows in zip((2, 3), per_axis, strict=True):
        image = _pooled_axis(module, target, image, axis, windows, before)
    return image


def _plain(windows: Sequence[Window], size: int) -> tuple[int, int] | None:
    """Kernel and stride, if the windows are those of one pool over the whole axis."""
    groups = groups_of(windows)
    if len(groups) > 1 or windows[0].start:
        return None
    kernel = windows[0].length
    stride = windows[1].start - windows[0].start if len(windows) > 1 else size
    return (kernel, stride) if (size - kernel) // stride + 1 == len(windows) else None


def _pooled_axis(
    module: GraphModule, target: Any, image: Node, axis: int, windows: Sequence[Window], before: Node
) -> Node:
    if list(windows) == [Window(place, place + 1) for place in range(shape_of(image)[axis])]:
        return image
    parts = []
    for group in groups_of(windows):
        part = image
        start, stop, length = group[0].start, group[-1].stop, group[0].length
        distance = group[1].start - start if len(group) > 1 else length
        if (start, stop) != (0, shape_of(image)[axis]):
            part = add_call(module, aten.slice.Tensor, [image, axis, start, stop], before, before)
        if length > 1 or distance > 1:
            kernel, stride = ([length, 1], [distance, 1]) if axis == 2 else ([1, length], [1, distance])
            part = add_call(module, target, [part, kernel, stride], before, before)
        parts.append(part)
    return parts[0] if len(parts) == 1 else add_call(module, aten.cat.default, [parts, axis], before, before)


def _divided(
    module: GraphModule,
    node: Node,
    image: Node,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    overhangs: Sequence[int],
    divisor: int,
) -> Node:
    """A pool with `divisor_override`: zeros around the map, the mean of whole windows, a factor."""
    if any(padding) or any(overhangs):
        image = _padded(module, image, padding, overhangs, node)
    mean = add_call(module, AVERAGE, [image, list(kernel), list(stride)], node, node)
    factor = add_tensor(module, "divisor", torch.full((1, 1, 1, 1), math.prod(kernel) / divisor), node)
    return add_call(module, aten.mul.Tensor, [mean, factor], node, node)


def _padded(module: GraphModule, image: Node, padding: Sequence[int], overhangs: Sequence[int], before: Node) -> Node:
    (top, left), (below, right) = padding, overhangs
    widths = [left, left + right, top, top + below]
    return add_call(module, aten.constant_pad_nd.default, [image, widths, 0.0], before, before)


def _line_options(node: Node) -> list[Any]:
    """The arguments of a pool of lines after its input, for a map of height 1."""
    kernel = _pair(argument(node, 1, "kernel_size"), 1)
    stride = _pair(argument(node, 2, "stride", []) or kernel[-1], 1)
    padding = _pair(argument(node, 3, "padding", 0), 0)
    if node.target is aten.avg_pool1d.default:
        flags = [argument(node, 4, "ceil_mode", False), argument(node, 5, "count_include_pad", True)]
    else:
        flags = [_pair(argument(node, 4, "dilation", 1), 1), argument(node, 5, "ceil_mode", False)]
    return [kernel, stride, padding, *flags]


def _pair(value: Any, height: int | None = None) -> list[int]:
    """Two numbers, of height and width: one number stands for both, or for the width if `height` is given."""
    numbers = [int(value)] if isinstance(value, int) else [int(number) for number in value]
    if height is not None:
        return [height, numbers[-1]]
    return numbers * 2 if len(numbers) == 1 else numbers
