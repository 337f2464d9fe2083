"""ONNX's operators that choose among values, by place or by comparison (https://onnx.ai/onnx/operators)."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from samesight.conversion.sources.onnx.call import Call


def _slice(call: Call) -> Tensor:
    starts, ends = call.integers(1, "starts"), call.integers(2, "ends")
    axes = call.integers(3, "axes", range(len(starts)))
    steps = call.integers(4, None, [1] * len(starts))
    x = call.x
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        part = slice(start, end, step)
        if step < 0:
            x = x.index_select(axis, torch.tensor(range(*part.indices(x.shape[axis]))))
            continue
        index = [slice(None)] * x.dim()
        index[axis] = part
        x = x[tuple(index)]
    return x


def _gather(call: Call) -> Tensor:
    axis, indices = call.get("axis", 0), call.number(1)
    if np.ndim(indices) == 0:
        return call.x.select(axis, int(indices))
    chosen = call.x.index_select(axis, torch.as_tensor(np.asarray(indices).reshape(-1) % call.x.shape[axis]))
    return chosen.reshape(*call.x.shape[:axis], *np.shape(indices), *call.x.shape[axis + 1 :])


def _gather_elements(call: Call) -> Tensor:
    axis, indices = call.get("axis", 0), call.tensor(1)
    return call.x.gather(axis, torch.where(indices < 0, indices + call.x.shape[axis], indices))


def _top_k(call: Call) -> Sequence[Tensor]:
    count = int(np.asarray(call.number(1, "k")).reshape(-1)[0])
    return torch.topk(call.x, count, call.get("axis", -1), bool(call.get("largest", 1)), bool(call.get("sorted", 1)))


def _place(run: Callable[..., Tensor]) -> Callable[[Call], Tensor]:
    def place(call: Call) -> Tensor:
        axis, keep = call.get("axis", 0), bool(call.get("keepdims", 1))
        if not call.get("select_last_index", 0):
            return run(call.x, axis, keep)
        return call.x.shape[axis] - 1 - run(call.x.flip(axis), axis, keep)

    return place


def _comparison(run: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Call], Tensor]:
    return lambda call: run(call.x, call.tensor(1))


SELECTION: dict[str, Callable[[Call], Tensor | Sequence[Tensor]]] = {
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "TopK": _top_k,
    "ArgMax": _place(torch.argmax),
    "ArgMin": _place(torch.argmin),
    "Where": lambda call: torch.where(call.x, call.tensor(1), call.tensor(2)),
    "Equal": _comparison(torch.eq),
    "Greater": _comparison(torch.gt),
    "GreaterOrEqual": _comparison(torch.ge),
    "Less": _comparison(torch.lt),
    "LessOrEqual": _comparison(torch.le),
    "And": _comparison(torch.logical_and),
    "Or": _comparison(torch.logical_or),
    "Xor": _comparison(torch.logical_xor),
    "Not": lambda call: torch.logical_not(call.x),
}
"""Rows of `OPERATORS`."""
