"""Reductions over axes (all of them, where none is given)."""

import torch
from torch import Tensor

from samesight.conversion.runners.coreml.dtypes import Ints


def reduce_sum(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """The sum."""
    return x.sum(_axes(x, axes), keepdim=keep_dims)


def reduce_mean(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """The mean; of integers without its fraction."""
    return (x if x.is_floating_point() else x.double()).mean(_axes(x, axes), keepdim=keep_dims)


def reduce_max(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """The largest element."""
    return x.amax(_axes(x, axes), keepdim=keep_dims)


def reduce_min(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """The smallest element."""
    return x.amin(_axes(x, axes), keepdim=keep_dims)


def reduce_prod(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """The product."""
    for axis in sorted(_axes(x, axes), reverse=True):
        x = x.prod(axis, keepdim=keep_dims)
    return x


def reduce_l1_norm(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """The sum of absolute values."""
    return x.abs().sum(_axes(x, axes), keepdim=keep_dims)


def reduce_l2_norm(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """The square root of the sum of squares."""
    return x.square().sum(_axes(x, axes), keepdim=keep_dims).sqrt()


def reduce_sum_square(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """The sum of squares."""
    return x.square().sum(_axes(x, axes), keepdim=keep_dims)


def reduce_log_sum(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """The logarithm of the sum."""
    return x.sum(_axes(x, axes), keepdim=keep_dims).log()


def reduce_log_sum_exp(x: Tensor, keep_dims: bool, axes: Ints | None = None) -> Tensor:
    """The logarithm of the sum of e^x."""
    return x.logsumexp(_axes(x, axes), keepdim=keep_dims)


def reduce_argmax(x: Tensor, axis: int, keep_dims: bool, output_dtype: str = "int32") -> Tensor:
    """Where the largest element stands; the first of equal ones."""
    return _numeric(x).argmax(axis, keepdim=keep_dims)


def reduce_argmin(x: Tensor, axis: int, keep_dims: bool, output_dtype: str = "int32") -> Tensor:
    """Where the smallest element stands; the first of equal ones."""
    return _numeric(x).argmin(axis, keepdim=keep_dims)


def cumsum(x: Tensor, axis: int, exclusive: bool, reverse: bool) -> Tensor:
    """Running sums along an axis; exclusive: without the element itself; reverse: from the end."""
    turned = x.flip(axis) if reverse else x
    sums = turned.cumsum(axis)
    if exclusive:
        sums = sums - turned
    return sums.flip(axis) if reverse else sums


def argsort(x: Tensor, axis: int, ascending: bool) -> Tensor:
    """Positions in sorted order."""
    return x.argsort(dim=axis, descending=not ascending, stable=True)


def topk(
    x: Tensor,
    k: int,
    axis: int,
    ascending: bool,
    sort: bool = True,
    return_indices: bool = True,
    output_indices_dtype: str = "int32",
) -> Tensor | tuple[Tensor, ...]:
    """The k largest (or smallest) elements along an axis, sorted, and their positions; k of -1: all."""
    order = x.argsort(dim=axis, descending=not ascending, stable=True)
    order = order.narrow(axis, 0, x.shape[axis] if k == -1 else k)
    values = x.gather(axis, order)
    return (values, order) if return_indices else values


def _axes(x: Tensor, axes: Ints | None) -> Ints:
    return tuple(range(x.dim())) if axes is None else tuple(axis % x.dim() for axis in axes)


def _numeric(x: Tensor) -> Tensor:
    return x.to(torch.int32) if x.dtype == torch.bool else x
