"""Operators that move values or make them: none computes with them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from samesight.conversion.runners.coreml.dtypes import Ints

PADDING_MODES = {"reflect": "reflect", "replicate": "replicate"}


def identity(x: Tensor) -> Tensor:
    """`x` itself."""
    return x


def shape(x: Tensor, output_dtype: str = "int32") -> Tensor:
    """The lengths of x's axes."""
    return torch.tensor(x.shape)


def reshape(x: Tensor, shape: Ints) -> Tensor:
    """The same values in another shape; -1 takes what is left, 0 keeps the axis with that place from the right.

    A 0 without such an axis is 1 (iOS 17; before, both shapes have the same number of axes).
    """
    kept = (1,) * (len(shape) - x.dim()) + tuple(x.shape)[max(0, x.dim() - len(shape)) :]
    return x.reshape([kept[axis] if length == 0 else length for axis, length in enumerate(shape)])


def reshape_like(
    x: Tensor, ref_tensors: list[Tensor], begins: list[Tensor], ends: list[Tensor], end_masks: list[Tensor]
) -> Tensor:
    """A shape put together from parts of other tensors' shapes."""
    lengths: list[int] = []
    for other, begin, end, whole in zip(ref_tensors, begins, ends, end_masks, strict=True):
        lengths += other.shape[int(begin) : None if bool(whole) else int(end)]
    return x.reshape(lengths)


def flatten2d(x: Tensor, axis: int) -> Tensor:
    """A matrix; axes before `axis` become its rows."""
    rows = math.prod(x.shape[: axis % x.dim() if axis < 0 else axis])
    return x.reshape(rows, -1)


def expand_dims(x: Tensor, axes: Ints) -> Tensor:
    """Axes of length 1 at the places that `axes` have in the result."""
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def squeeze(x: Tensor, axes: Ints | None = None) -> Tensor:
    """Without these axes of length 1 (all of them, if none is named)."""
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def transpose(x: Tensor, perm: Ints) -> Tensor:
    """Axes in another order."""
    return x.permute(perm)


def slice_by_index(
    x: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Ints | None = None,
    end_mask: Ints | None = None,
    squeeze_mask: Ints | None = None,
) -> Tensor:
    """NumPy's x[begin:end:stride, …]; masks leave a bound open, or take the one element and drop the axis."""
    squeezed = squeeze_mask or (0,) * x.dim()
    for axis, part in enumerate(_slices(x, begin, end, stride, begin_mask, end_mask, squeezed)):
        x = _take(x, axis, part)
    return x.squeeze(tuple(axis for axis, mask in enumerate(squeezed) if mask)) if any(squeezed) else x


def slice_by_size(x: Tensor, begin: Ints, size: Ints) -> Tensor:
    """`size` elements of each axis from `begin` on; -1: all that follow."""
    for axis, (first, count) in enumerate(zip(begin, size, strict=True)):
        first = first % x.shape[axis] if first < 0 else first
        x = x.narrow(axis, first, x.shape[axis] - first if count == -1 else count)
    return x


def slice_update(
    x: Tensor,
    update: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Ints | None = None,
    end_mask: Ints | None = None,
    squeeze_mask: Ints | None = None,
) -> Tensor:
    """`x` with the slice that `slice_by_index` would take replaced by `update`."""
    squeezed = squeeze_mask or (0,) * x.dim()
    places = torch.arange(x.numel()).reshape(x.shape)
    for axis, part in enumerate(_slices(x, begin, end, stride, begin_mask, end_mask, squeezed)):
        places = _take(places, axis, part)
    made = x.reshape(-1).clone()
    made[places.reshape(-1)] = update.reshape(-1)
    return made.reshape(x.shape)


def concat(values: list[Tensor], axis: int, interleave: bool = False) -> Tensor:
    """Tensors joined along an axis; interleaved: one slice of each in turn."""
    if not interleave:
        return torch.cat(values, axis)
    return torch.stack(values, axis % values[0].dim() + 1).flatten(axis % values[0].dim(), axis % values[0].dim() + 1)


def stack(values: list[Tensor], axis: int) -> Tensor:
    """Tensors joined along a new axis."""
    return torch.stack(values, axis)


def split(x: Tensor, axis: int, num_splits: int | None = None, split_sizes: Ints | None = None) -> tuple[Tensor, ...]:
    """Parts of x along an axis, equal ones or of given lengths."""
    if split_sizes is not None:
        return x.split(list(split_sizes), axis)
    return x.split(x.shape[axis] // (num_splits or 1), axis)


def pad(x: Tensor, pad: Ints, mode: str, constant_val: float) -> Tensor:
    """Elements before and after the last axes: a constant, reflected, or the edge's."""
    pairs = [(pad[position], pad[position + 1]) for position in range(0, len(pad), 2)]
    if mode == "constant":
        return functional.pad(x, [number for pair in reversed(pairs) for number in pair], value=constant_val)
    for axis, (before, after) in enumerate(pairs, start=x.dim() - len(pairs)):
        length = x.shape[axis]
        places = torch.arange(-before, length + after)
        if mode == "reflect":
            places = (length - 1) - ((places % (2 * length - 2 or 1)) - (length - 1)).abs()
        x = x.index_select(axis, places.clamp(0, length - 1))
    return x


def tile(x: Tensor, reps: Ints) -> Tensor:
    """`x` repeated along each axis."""
    return x.repeat(reps)


def reverse(x: Tensor, axes: Ints | None = None) -> Tensor:
    """`x` with the order of these axes (or of all) turned."""
    return x.flip(tuple(range(x.dim())) if axes is None else axes)


def depth_to_space(x: Tensor, block_size: int) -> Tensor:
    """Channels to blocks; a block's positions are the channel's slower index (TensorFlow's order)."""
    n, c, h, w = x.shape
    blocks = x.reshape(n, block_size, block_size, c // block_size**2, h, w)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * block_size, w * block_size)


def space_to_depth(x: Tensor, block_size: int) -> Tensor:
    """The inverse of `depth_to_space`."""
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // block_size, block_size, w // block_size, block_size)
    return blocks.permute(0, 3, 5, 1, 2, 4).reshape(n, -1, h // block_size, w // block_size)


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """Channels to blocks; a block's positions are the channel's faster index (PyTorch's order)."""
    return functional.pixel_shuffle(x, upscale_factor)


def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """The inverse of `pixel_shuffle`."""
    return functional.pixel_unshuffle(x, downscale_factor)


def sliding_windows(x: Tensor, axis: int, size: int, stride: int) -> Tensor:
    """Windows along an axis; they stand at that axis, their elements at the next."""
    axis = axis % x.dim()
    return x.unfold(axis, size, stride).movedim(-1, axis + 1)


def fill(shape: Ints, value: Tensor) -> Tensor:
    """One value everywhere."""
    return value.reshape(()).expand(shape).clone()


def fill_like(ref_tensor: Tensor, value: Tensor) -> Tensor:
    """One value in the shape of another tensor."""
    return value.reshape(()).expand(ref_tensor.shape).clone()


def range_1d(end: Tensor, start: Tensor, step: Tensor) -> Tensor:
    """start, start + step, … below end."""
    return torch.arange(start.item(), end.item(), step.item())


def band_part(x: Tensor, lower: int, upper: int) -> Tensor:
    """Zero outside a band of the last two axes; -1 leaves a side open."""
    rows, columns = torch.arange(x.shape[-2])[:, None], torch.arange(x.shape[-1])[None]
    keep = torch.ones(x.shape[-2:], dtype=torch.bool)
    if lower >= 0:
        keep &= rows - columns <= lower
    if upper >= 0:
        keep &= columns - rows <= upper
    return torch.where(keep, x, torch.zeros((), dtype=x.dtype))


def _slices(
    x: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None,
    begin_mask: Ints | None,
    end_mask: Ints | None,
    squeezed: Sequence[int],
) -> list[slice]:
    open_begin, open_end = begin_mask or (0,) * x.dim(), end_mask or (0,) * x.dim()
    steps = stride or (1,) * x.dim()
    parts = []
    for axis in range(x.dim()):
        first = None if open_begin[axis] else begin[axis]
        if squeezed[axis]:
            place = range(x.shape[axis])[first or 0]
            parts.append(slice(place, place + 1, 1))
        else:
            parts.append(slice(first, None if open_end[axis] else end[axis], steps[axis]))
    return parts


def _take(x: Tensor, axis: int, part: slice) -> Tensor:
    first, last, step = part.indices(x.shape[axis])
    if step > 0:
        return x[(slice(None),) * axis + (slice(first, max(first, last), step),)]
    return x.index_select(axis, torch.arange(first, min(first, last), step))
