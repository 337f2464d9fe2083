"""Reported faults of TensorFlow Lite and LiteRT on CPUs and with NNAPI."""

from samesight.conversion.known_faults.fault import Fault
from samesight.conversion.known_faults.patterns.litert import (
    bilinear,
    linears_of_high_rank,
    tiny_bias_scales,
)

LITERT = ("litert",)
TRACKER = "https://github.com/google-ai-edge/LiteRT/issues"
TENSORFLOW = "https://github.com/tensorflow/tensorflow/issues"
TORCH = "https://github.com/google-ai-edge/litert-torch"


LITERT_FAULTS = (
    Fault(
        id="litert-cpu-corners-and-centres",
        title="bilinear resizing with aligned corners and half-pixel centres does not load",
        formats=LITERT,
        units=("cpu", "gpu", "npu"),
        versions="ai-edge-torch of August 2024",
        pattern="RESIZE_BILINEAR with align_corners and half_pixel_centers",
        matches=lambda network: bilinear(network, True, True),
        wrong="«If half_pixel_centers is True, align_corners must be False»",
        source=f"{TORCH}/issues/158",
        remedy="align_corners=False in the network",
        severity="fails",
    ),
    Fault(
        id="litert-nnapi-half-pixel-centres",
        title="NNAPI does not take half-pixel centres",
        formats=LITERT,
        units=("npu",),
        versions="TensorFlow Lite 2.3 and 2.4, Android 11",
        pattern="RESIZE_BILINEAR with half_pixel_centers",
        matches=lambda network: bilinear(network, None, True),
        wrong="the operator stays on the CPU and the graph falls into parts",
        source=f"{TENSORFLOW}/45207",
        remedy="nearest neighbours, or another delegate than NNAPI",
        severity="slow",
    ),
    Fault(
        id="litert-xnnpack-linear-of-rank-7",
        title="XNNPACK takes a linear layer of rank 7 and fails",
        formats=LITERT,
        units=("cpu",),
        versions="2.1.6; open",
        pattern="FULLY_CONNECTED with more than six axes",
        matches=linears_of_high_rank,
        wrong="preparation fails instead of leaving it to the built-in kernel",
        source="https://github.com/google/XNNPACK/issues/11036",
        remedy="reshape to two axes before the layer",
        severity="fails",
    ),
    Fault(
        id="litert-xnnpack-tiny-bias-scale",
        title="XNNPACK refuses an int8 layer with a tiny scale",
        formats=LITERT,
        units=("cpu",),
        versions="TensorFlow Lite 2.7",
        pattern="an int8 layer whose bias has a scale below 1e-9",
        matches=tiny_bias_scales,
        wrong="the delegate cannot be applied after quantization-aware training",
        source="https://github.com/google/XNNPACK/issues/3693",
        remedy="a least scale for activations and weights (samesight has 2^-12 for activations)",
        severity="fails",
    ),
)
