"""Reported faults of ExecuTorch with XNNPACK."""

from samesight.conversion.known_faults.fault import Fault
from samesight.conversion.known_faults.patterns.executorch import (
    padded_quantized_convolutions,
    pools_that_hang_over,
    products_in_float,
)

EXECUTORCH = ("executorch",)
TRACKER = "https://github.com/pytorch/executorch/issues"

EXECUTORCH_FAULTS = (
    Fault(
        id="executorch-xnnpack-quantized-padding",
        title="a quantized convolution with padding of its own fails",
        formats=EXECUTORCH,
        units=("cpu",),
        versions="1.0.0 and 1.3.1; closed",
        pattern="an int8 convolution with ReLU behind an int8 constant padding (`padding='same'`, even kernel)",
        matches=padded_quantized_convolutions,
        wrong="the program fails when it is run",
        source=f"{TRACKER}/20517",
        remedy="a kernel of odd size, whose padding is the convolution's own",
        severity="fails",
    ),
    Fault(
        id="executorch-xnnpack-ceiling",
        title="a pool with ceil_mode fails",
        formats=EXECUTORCH,
        units=("cpu",),
        versions="2024-05; mended: newer versions add the padding",
        pattern="a pool in the delegate whose last window hangs over the map",
        matches=pools_that_hang_over,
        wrong="a network of one such pool cannot be lowered and run",
        source=f"{TRACKER}/3567",
        remedy="pools of slices (samesight makes them)",
        severity="fails",
    ),
    Fault(
        id="executorch-xnnpack-float-product",
        title="a matrix product stays in float in an int8 program",
        formats=EXECUTORCH,
        units=("cpu",),
        versions="2025-02; closed",
        pattern="XNNBatchMatrixMultiply of float32 in a program with int8 values",
        matches=products_in_float,
        wrong="the quantizer leaves it out without a word; values are converted before and after",
        source=f"{TRACKER}/8138",
        remedy="a linear layer where one operand is constant",
        severity="slow",
    ),
)
