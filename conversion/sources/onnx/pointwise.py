"""ONNX's operators on each value by itself, and those that join values along axes (https://onnx.ai/onnx/operators)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from samesight.conversion.sources.onnx.call import Call, UnreadableError


def _prelu(call: Call) -> Tensor:
    slope = call.tensor(1)
    if slope.numel() in (1, call.x.shape[1]):
        return functional.prelu(call.x, slope.reshape(-1))
    return torch.where(call.x < 0, slope * call.x, call.x)


def _gelu(call: Call) -> Tensor:
    return functional.gelu(call.x, approximate=call.get("approximate", b"none").decode())


def _clip(call: Call) -> Tensor:
    low, high = (call.number(index, name) for index, name in ((1, "min"), (2, "max")))
    bounds = [None if bound is None else float(np.asarray(bound).reshape(-1)[0]) for bound in (low, high)]
    if bounds == [0.0, 6.0]:
        return functional.relu6(call.x)
    return torch.clamp(call.x, *bounds)


def _many(run: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Call], Tensor]:
    def all_of_them(call: Call) -> Tensor:
        x = call.x
        for index in range(1, len(call.inputs)):
            x = run(x, call.tensor(index))
        return x

    return all_of_them


def _unary(run: Callable[[Tensor], Tensor]) -> Callable[[Call], Tensor]:
    return lambda call: run(call.x)


def _binary(run: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Call], Tensor]:
    return lambda call: run(call.x, call.tensor(1))


def _reduce(run: Callable[..., Tensor]) -> Callable[[Call], Tensor]:
    def reduced(call: Call) -> Tensor:
        axes = call.integers(1, "axes")
        if not axes:
            if call.get("noop_with_empty_axes", 0):
                return call.x
            axes = list(range(call.x.dim()))
        return run(call.x, axes, bool(call.get("keepdims", 1)))

    return reduced


def _many_mean(call: Call) -> Tensor:
    return _many(torch.add)(call) / len(call.inputs)


def _cumulative_sum(call: Call) -> Tensor:
    if call.get("exclusive", 0):
        raise UnreadableError("CumSum that is exclusive")
    axis = int(np.asarray(call.number(1)).reshape(-1)[0])
    if call.get("reverse", 0):
        return call.x.flip(axis).cumsum(axis).flip(axis)
    return call.x.cumsum(axis)


def _local_response_norm(call: Call) -> Tensor:
    size = call.get("size")
    if size % 2 == 0:
        raise UnreadableError("LRN over an even number of channels")  # ONNX and torch place it differently
    return functional.local_response_norm(
        call.x, size, call.get("alpha", 1e-4), call.get("beta", 0.75), call.get("bias", 1.0)
    )


def _lp_norm(call: Call) -> Tensor:
    return call.x / torch.linalg.vector_norm(call.x, call.get("p", 2), call.get("axis", -1), keepdim=True)


POINTWISE: dict[str, Callable[[Call], Tensor]] = {
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMin": _reduce(torch.amin),
    "ReduceL2": _reduce(lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keep)),
    "Add": _binary(torch.add),
    "Sub": _binary(torch.sub),
    "Mul": _binary(torch.mul),
    "Div": _binary(torch.div),
    "Mod": lambda call: (torch.fmod if call.get("fmod", 0) else torch.remainder)(call.x, call.tensor(1)),
    "Pow": _binary(torch.pow),
    "Max": _many(torch.maximum),
    "Min": _many(torch.minimum),
    "Sum": _many(torch.add),
    "Neg": _unary(torch.neg),
    "Abs": _unary(torch.abs),
    "Sqrt": _unary(torch.sqrt),
    "Exp": _unary(torch.exp),
    "Log": _unary(torch.log),
    "Erf": _unary(torch.erf),
    "Reciprocal": _unary(torch.reciprocal),
    "Relu": _unary(functional.relu),
    "Sigmoid": _unary(torch.sigmoid),
    "Tanh": _unary(torch.tanh),
    "Softplus": _unary(functional.softplus),
    "HardSwish": _unary(functional.hardswish),
    "Mish": _unary(functional.mish),
    "Gelu": _gelu,
    "PRelu": _prelu,
    "LeakyRelu": lambda call: functional.leaky_relu(call.x, call.get("alpha", 0.01)),
    "Elu": lambda call: functional.elu(call.x, call.get("alpha", 1.0)),
    "Clip": _clip,
    "HardSigmoid": lambda call: (
        functional.hardsigmoid(call.x)
        if abs(call.get("alpha", 0.2) - 1 / 6) < 1e-6 and call.get("beta", 0.5) == 0.5
        else torch.clamp(call.get("alpha", 0.2) * call.x + call.get("beta", 0.5), 0.0, 1.0)
    ),
    "Mean": _many_mean,
    "ReduceL1": _reduce(lambda x, axes, keep: torch.sum(x.abs(), axes, keep)),
    "ReduceSumSquare": _reduce(lambda x, axes, keep: torch.sum(x * x, axes, keep)),
    "ReduceLogSum": _reduce(lambda x, axes, keep: torch.sum(x, axes, keep).log()),
    "ReduceLogSumExp": _reduce(torch.logsumexp),
    "CumSum": _cumulative_sum,
    "LRN": _local_response_norm,
    "LpNormalization": _lp_norm,
    "Sin": _unary(torch.sin),
    "Cos": _unary(torch.cos),
    "Tan": _unary(torch.tan),
    "Atan": _unary(torch.atan),
    "Sinh": _unary(torch.sinh),
    "Cosh": _unary(torch.cosh),
    "Floor": _unary(torch.floor),
    "Ceil": _unary(torch.ceil),
    "Round": _unary(torch.round),
    "Sign": _unary(torch.sign),
    "Softsign": _unary(functional.softsign),
    "Selu": lambda call: (
        call.get("gamma", 1.0507009873554805) * functional.elu(call.x, call.get("alpha", 1.6732632423543772))
    ),
    "Celu": lambda call: functional.celu(call.x, call.get("alpha", 1.0)),
    "ThresholdedRelu": lambda call: functional.threshold(call.x, call.get("alpha", 1.0), 0.0),
}
"""Rows of `OPERATORS`."""
