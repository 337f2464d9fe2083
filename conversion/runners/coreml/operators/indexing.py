"""Gather and scatter with integer indices.

In programs of iOS 15 and 16 negative indices count from the end. From iOS 17 on (where the operators have
`validate_indices`) they are out of bounds, and what lies out of bounds is undefined: such a program is refused.
"""

import torch
from torch import Tensor

MODES = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def gather(x: Tensor, indices: Tensor, axis: int, batch_dims: int = 0, validate_indices: bool | None = None) -> Tensor:
    """Slices of x along an axis; the indices' shape stands in its place (without their first `batch_dims` axes)."""
    axis = axis % x.dim()
    places = _places(indices, x.shape[axis], validate_indices)
    if batch_dims == 0:
        picked = x.index_select(axis, places.reshape(-1))
        return picked.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    batch = x.shape[:batch_dims]
    rows = zip(x.reshape(-1, *x.shape[batch_dims:]), places.reshape(-1, *places.shape[batch_dims:]), strict=True)
    made = torch.stack([gather(row, place, axis - batch_dims, 0, validate_indices) for row, place in rows])
    return made.reshape(*batch, *made.shape[1:])


def gather_along_axis(x: Tensor, indices: Tensor, axis: int, validate_indices: bool | None = None) -> Tensor:
    """NumPy's take_along_axis."""
    return x.gather(axis, _places(indices, x.shape[axis], validate_indices))


def gather_nd(x: Tensor, indices: Tensor, batch_dims: int = 0, validate_indices: bool | None = None) -> Tensor:
    """Slices of x at the positions in the last axis of the indices."""
    if batch_dims:
        batch = x.shape[:batch_dims]
        rows = zip(x.reshape(-1, *x.shape[batch_dims:]), indices.reshape(-1, *indices.shape[batch_dims:]), strict=True)
        made = torch.stack([gather_nd(row, place, 0, validate_indices) for row, place in rows])
        return made.reshape(*batch, *made.shape[1:])
    return x[tuple(_places(place, x.shape[axis], validate_indices) for axis, place in enumerate(indices.unbind(-1)))]


def scatter(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int, mode: str, validate_indices: bool | None = None
) -> Tensor:
    """`data` with the slices at `indices` (a vector) along an axis updated."""
    axis = axis % data.dim()
    shape = [-1 if place == axis else 1 for place in range(data.dim())]
    places = _places(indices, data.shape[axis], validate_indices).reshape(shape).expand(updates.shape)
    return _update(data, places, updates, axis, mode)


def scatter_along_axis(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int, mode: str, validate_indices: bool | None = None
) -> Tensor:
    """`data` with the elements at `indices` along an axis updated."""
    return _update(data, _places(indices, data.shape[axis], validate_indices), updates, axis % data.dim(), mode)


def scatter_nd(
    data: Tensor, indices: Tensor, updates: Tensor, mode: str, validate_indices: bool | None = None
) -> Tensor:
    """`data` with the slices at the positions in the last axis of the indices updated."""
    depth = indices.shape[-1]
    whole, rest = data.shape[:depth], data.shape[depth:]
    flat = torch.zeros(indices.shape[:-1], dtype=torch.int64)
    for axis, place in enumerate(indices.unbind(-1)):
        flat = flat * whole[axis] + _places(place, whole[axis], validate_indices)
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


def _places(indices: Tensor, length: int, validate_indices: bool | None) -> Tensor:
    places = indices.long()
    lowest = -length if validate_indices is None else 0
    if places.numel() and (int(places.min()) < lowest or int(places.max()) >= length):
        raise IndexError(f"an index is not in {lowest}..{length - 1}, where the operator is undefined")
    return torch.where(places < 0, places + length, places)


def _update(data: Tensor, places: Tensor, updates: Tensor, axis: int, mode: str) -> Tensor:
    if mode == "update":
        return data.scatter(axis, places, updates)
    if mode == "sub":
        return data.scatter_reduce(axis, places, -updates, "sum")
    if mode == "div":
        return data.scatter_reduce(axis, places, updates.reciprocal(), "prod")
    return data.scatter_reduce(axis, places, updates, MODES[mode])
