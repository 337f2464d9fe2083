"""Outputs of files whose manifest says how they are quantized: real values, and scale and zero point by role."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from samesight.contract.manifest import TensorInfo
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import dequantize
from samesight.conversion.qparams import Float32, QuantParams


def output_qparams(outputs: Sequence[TensorInfo]) -> dict[Role, QuantParams]:
    """Scale and zero point of the outputs that have them."""
    return {
        info.role: QuantParams(info.scale, info.zero_point)
        for info in outputs
        if info.role != "image" and info.scale is not None and info.zero_point is not None
    }


def real_outputs(outputs: Sequence[TensorInfo], values: Sequence[Any]) -> dict[Role, Float32]:
    """The stored values of the outputs, in their order, as new float32 arrays by role."""
    real: dict[Role, Float32] = {}
    for info, value in zip(outputs, values, strict=True):
        if info.scale is not None and info.zero_point is not None:
            value = dequantize(value, info.scale, info.zero_point)
        real[cast("Role", info.role)] = np.array(value, dtype=np.float32)
    return real
