"""Gather and scatter: indices are integers, negative ones count from the end."""

import torch
from torch import Tensor

MODES = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def gather(x: Tensor, indices: Tensor, axis: int, batch_dims: int = 0, validate_indices: bool = False) -> Tensor:
    """Slices of x along an axis; the indices' shape stands in its place (without their first `batch_dims` axes)."""
    axis = axis % x.dim()
    places = _positive(indices, x.shape[axis])
    if batch_dims == 0:
        picked = x.index_select(axis, places.reshape(-1))
        return picked.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    batch = x.shape[:batch_dims]
    rows = zip(x.reshape(-1, *x.shape[batch_dims:]), places.reshape(-1, *places.shape[batch_dims:]), strict=True)
    made = torch.stack([gather(row, place, axis - batch_dims) for row, place in rows])
    return made.reshape(*batch, *made.shape[1:])


def gather_along_axis(x: Tensor, indices: Tensor, axis: int, validate_indices: bool = False) -> Tensor:
    """NumPy's take_along_axis."""
    return x.gather(axis, _positive(indices, x.shape[axis]))


def gather_nd(x: Tensor, indices: Tensor, batch_dims: int = 0, validate_indices: bool = False) -> Tensor:
    """Slices of x at the positions in the last axis of the indices."""
    if batch_dims:
        batch = x.shape[:batch_dims]
        rows = zip(x.reshape(-1, *x.shape[batch_dims:]), indices.reshape(-1, *indices.shape[batch_dims:]), strict=True)
        made = torch.stack([gather_nd(row, place) for row, place in rows])
        return made.reshape(*batch, *made.shape[1:])
    return x[tuple(_positive(place, x.shape[axis]) for axis, place in enumerate(indices.unbind(-1)))]


def scatter(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int, mode: str, validate_indices: bool = False
) -> Tensor:
    """`data` with the slices at `indices` (a vector) along an axis updated."""
    axis = axis % data.dim()
    shape = [-1 if place == axis else 1 for place in range(data.dim())]
    places = _positive(indices, data.shape[axis]).reshape(shape).expand(updates.shape)
    return _update(data, places, updates, axis, mode)


def scatter_along_axis(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int, mode: str, validate_indices: bool = False
) -> Tensor:
    """`data` with the elements at `indices` along an axis updated."""
    return _update(data, _positive(indices, data.shape[axis]), updates, axis % data.dim(), mode)


def scatter_nd(data: Tensor, indices: Tensor, updates: Tensor, mode: str, validate_indices: bool = False) -> Tensor:
    """`data` with the slices at the positions in the last axis of the indices updated."""
    depth = indices.shape[-1]
    whole, rest = data.shape[:depth], data.shape[depth:]
    flat = torch.zeros(indices.shape[:-1], dtype=torch.int64)
    for axis, place in enumerate(indices.unbind(-1)):
        flat = flat * whole[axis] + _positive(place, whole[axis])
    width = rest.numel()
    places = flat.reshape(-1, 1).expand(-1, width)
    made = _update(data.reshape(-1, width), places, updates.reshape(-1, width), 0, mode)
    return made.reshape(data.shape)


def one_hot(indices: Tensor, one_hot_vector_size: int, axis: int, on_value: Tensor, off_value: Tensor) -> Tensor:
    """on_value where the position along a new axis is the index, else off_value."""
    axis = axis % (indices.dim() + 1)
    hot = indices.unsqueeze(-1) == torch.arange(one_hot_vector_size)
    return torch.where(hot, on_value.reshape(()), off_value.reshape(())).movedim(-1, axis)


def non_zero(x: Tensor) -> Tensor:
    """Positions of elements that are not 0: [K, rank]."""
    return x.nonzero()


def _positive(indices: Tensor, length: int) -> Tensor:
    places = indices.long()
    return torch.where(places < 0, places + length, places)


def _update(data: Tensor, places: Tensor, updates: Tensor, axis: int, mode: str) -> Tensor:
    if mode == "update":
        return data.scatter(axis, places, updates)
    if mode == "sub":
        return data.scatter_reduce(axis, places, -updates, "sum")
    if mode == "div":
        return data.scatter_reduce(axis, places, updates.reciprocal(), "prod")
    return data.scatter_reduce(axis, places, updates, MODES[mode])
