"""Reported faults of Core AI. Of an asset only the kinds of its operators are known (see `readers/coreai_asset.py`)."""

from samesight.conversion.known_faults.fault import Fault
from samesight.conversion.known_faults.patterns.coreai import together

COREAI = ("coreai",)
TRACKER = "https://github.com/apple/coreai-torch/issues"

COREAI_FAULTS = (
    Fault(
        id="coreai-ane-choice-and-gather",
        title="a head with top-k and gather gives zeros in half precision",
        formats=COREAI,
        units=("npu",),
        versions="iPhone 17 Pro, iOS 27.0, coreai-core 1.0.0b2; open",
        pattern="topk together with gather in a float16 asset",
        matches=lambda network: together(
            network, ("topk",), ("gather", "gather_along_axis", "gather_nd", "broadcasting_gather_nd")
        ),
        wrong="every confidence is 0.0 with the default options; GPU, CPU and float32 are right",
        source=f"{TRACKER}/115",
        remedy="leave top-k to the app, prefer the GPU, or convert to fp32",
        severity="wrong",
    ),
    Fault(
        id="coreai-ane-linear-hard-swish",
        title="a linear layer with hard swish behind it loses accuracy",
        formats=COREAI,
        units=("npu",),
        versions="2026-07; open",
        pattern="a matrix product together with a hard sigmoid in a float16 asset",
        matches=lambda network: together(
            network,
            ("batch_matmul", "broadcasting_batch_matmul", "matmul"),
            ("hardsigmoid", "hardswish", "hard_sigmoid", "hard_swish"),
        ),
        wrong="MobileNetV3's logits are 4 % off, MobileNetV2's 0.1 %",
        source=f"{TRACKER}/51",
        remedy="reshape the product to rank 4 before the activation",
        severity="wrong",
    ),
    Fault(
        id="coreai-ane-quantized-product",
        title="a quantized multiplication is off by the ratio of its scales",
        formats=COREAI,
        units=("npu",),
        versions="2026-09; open",
        pattern="quantize, dequantize and mul in one asset",
        matches=lambda network: (
            [next(iter(network.of(kind))) for kind in ("quantize", "dequantize", "mul")]
            if all(network.of(kind) for kind in ("quantize", "dequantize", "mul"))
            else []
        ),
        wrong="1 comes out as 2, 4 or 8, as the output's scale is",
        source=f"{TRACKER}/112",
        remedy="clip the product to the range of its grid before it is quantized",
        severity="wrong",
    ),
    Fault(
        id="coreai-ane-palette-with-scales",
        title="weights from a palette with several scales per channel are wrong",
        formats=COREAI,
        units=("npu",),
        versions="M5 Pro, macOS 27.0; open",
        pattern="weights from a look-up table in an asset with convolutions",
        matches=lambda network: (
            network.of("lut_to_dense", "constexpr_lut_to_dense", "palettize") if network.of("conv2d") else []
        ),
        wrong="47 % of the values are wrong: scales are read in another order",
        source=f"{TRACKER}/93",
        remedy="one scale per channel, or a convolution for each group",
        severity="wrong",
    ),
)
