"""For each known fault the smallest network that has its pattern, and one near it that has not."""

from samesight.conversion.known_faults.network import Network, Operator, Tensor

HALF, FLOAT, INT8 = "float16", "float32", "int8"


def t(name, *shape, dtype=FLOAT, constant=False, numbers=None, scale=None):
    return Tensor(name, tuple(shape), dtype, constant or numbers is not None, numbers, scale)


def op(kind, inputs, result, **options):
    """`inputs` is a list, or a dictionary by parameter."""
    named = inputs if isinstance(inputs, dict) else {str(place): tensor for place, tensor in enumerate(inputs)}
    return Operator(kind, kind, named, (result,), options)


def net(*operators, outputs=(), version=0):
    return Network(operators, outputs, version)


def one(kind, inputs, result, version=0, **options):
    return net(op(kind, inputs, result, **options), version=version)


def kinds(*names, dtype=HALF):
    """A Core AI asset: kinds alone."""
    return net(*(Operator(name, name, {}, (Tensor(name, None, dtype),)) for name in names))


def mean(size, dtype=FLOAT):
    return one("MEAN", [t("x", 1, size, size, 8, dtype=dtype)], t("y", 1, 1, 1, 8, dtype=dtype))


def squares(size):
    x, y = t("x", 1, size, size, 8), t("xx", 1, size, size, 8)
    return net(op("MUL", [x, x], y), op("MEAN", [y], t("m", 1, 1, 1, 8)))


def sum_and_reader(*outputs):
    total = t("s", 1, 4)
    first = op("ADD", [t("a", 1, 4), t("b", 1, 4)], total)
    return net(first, op("SUM", [total], t("r", 1, 1)), outputs=outputs)


def products(*shape):
    return one("BATCH_MATMUL", [t("a", *shape), t("b", *shape)], t("c", *shape))


def add(*shapes, result):
    return one("ADD", [t(f"x{place}", *shape) for place, shape in enumerate(shapes)], t("y", *result))


def masked(*mask):
    scores = t("s", 1, 8, 16, 16)
    product = op("BATCH_MATMUL", [t("q", 1, 8, 16, 4), t("k", 1, 8, 4, 16)], scores)
    return net(product, op("ADD", [scores, t("mask", *mask)], t("y", 1, 8, 16, 16)))


def divided(other):
    return one("DIV", [t("x", 1, 4), t(other, 1, 4)], t("y", 1, 4))


def residual(*shape, dtype=INT8):
    y = t("y", *shape)
    linear = op("FULLY_CONNECTED", [t("x", *shape), t("w", 8, 8, dtype=dtype, constant=True)], y)
    return net(linear, op("ADD", [y, t("x", *shape)], t("z", *shape)))


def bilinear(corners, centres):
    options = {"alignCorners": corners, "halfPixelCenters": centres}
    return one("RESIZE_BILINEAR", [t("x", 1, 4, 4, 3)], t("y", 1, 8, 8, 3), **options)


def reshape(before, after):
    return one("RESHAPE", [t("x", *before)], t("y", *after))


def normalised(*shape):
    x, m = t("x", *shape), t("m", *shape[:-1], 1)
    return net(op("MEAN", [x], m), op("SUB", [x, m], t("y", *shape)))


def linear(*shape):
    return one("FULLY_CONNECTED", [t("x", *shape), t("w", 4, 4, constant=True)], t("y", *shape))


def layer(scale):
    bias = t("b", 8, dtype="int32", constant=True, scale=scale)
    inputs = [t("x", 1, 8, 8, 8, dtype=INT8), t("w", 8, 3, 3, 8, dtype=INT8, constant=True), bias]
    return one("CONV_2D", inputs, t("y", 1, 8, 8, 8, dtype=INT8))


def xnn_padded(dtype):
    y = t("1", 1, 9, 9, 4, dtype=dtype)
    pad = op("XNNStaticConstantPad", {"input_id": t("0", 1, 8, 8, 4, dtype=dtype)}, y)
    return net(pad, op("XNNConv2d", {"input1_id": y}, t("2", 1, 8, 8, 4, dtype=dtype), output_min=0.0))


def xnn_pool(count):
    sides = {f"padding_{side}": 0 for side in ("top", "right", "bottom", "left")}
    options = {**sides, "pooling_height": 2, "pooling_width": 2, "stride_height": 2, "stride_width": 2}
    return one("XNNMaxPooling2d", {"input_id": t("0", 1, 7, 7, 4)}, t("1", 1, count, count, 4), **options)


def xnn_product(other):
    product = op(
        "XNNBatchMatrixMultiply", {"input1_id": t("0", 1, 4, 4), "input2_id": t("1", 1, 4, 4)}, t("2", 1, 4, 4)
    )
    return net(product, op("XNNConvert", {"input_id": t("3", 1, 4, dtype=other)}, t("4", 1, 4)))


def onnx_pool(kind="AveragePool", **options):
    return one(kind, {"X": t("x", 1, 3, 7, 7)}, t("y", 1, 3, 4, 4), **options)


def onnx_quantized(kind, behind="QuantizeLinear"):
    x, y = t("x", 1, 3, 8, 8), t("y", 1, 3, 4, 4)
    first = op("DequantizeLinear", {"x": t("q", 1, 3, 8, 8, dtype=INT8)}, x)
    return net(first, op(kind, {"X": x}, y), op(behind, {"x": y}, t("z", 1, 3, 4, 4, dtype=INT8)))


def onnx_softmax(version, axis=1):
    return one("Softmax", {"input": t("x", 1, 10, 1, 1)}, t("y", 1, 10, 1, 1), version=version, axis=axis)


def onnx_resize(*scales):
    inputs = {"X": t("x", 1, 3, 4, 4), "scales": t("s", *scales, constant=True)}
    return one("Resize", inputs, t("y", 1, 3, 8, 8))


def onnx_depthwise(highest):
    y = t("y", 1, 8, 4, 4)
    conv = op("Conv", {"X": t("x", 1, 8, 4, 4), "W": t("w", 8, 1, 3, 3, constant=True)}, y, group=8)
    limits = {"input": y, "min": t("lo", numbers=(0.0,)), "max": t("hi", numbers=(highest,))}
    return net(conv, op("Clip", limits, t("z", 1, 8, 4, 4)))


def onnx_gather(indices):
    return one("GatherElements", {"data": t("x", 1, 9), "indices": indices}, t("y", 1, 3))


def pool(size, count, kernel=2, stride=2, kind="avg_pool", **options):
    values = {"kernel_sizes": (kernel, kernel), "strides": (stride, stride), "pad_type": "valid", **options}
    return one(kind, {"x": t("x", 1, 3, size, size, dtype=HALF)}, t("y", 1, 3, count, count, dtype=HALF), **values)


def line_pool(pad_type, *shape):
    return one("max_pool", {"x": t("x", *shape)}, t("y", *shape), kernel_sizes=(2,), pad_type=pad_type)


def weights(dtype):
    data = {"quantized_data": t("w", 8, 8, dtype=dtype, constant=True)}
    return one("constexpr_affine_dequantize", data, t("v", 8, 8, dtype=HALF))


def transposed(*shape, dtype=HALF, **options):
    inputs = {"x": t("x", *shape, dtype=dtype), "weight": t("w", 3, 3, *(3,) * (len(shape) - 2), constant=True)}
    return one("conv_transpose", inputs, t("y", *shape, dtype=dtype), **options)


def attention(batch):
    inputs = {"query": t("q", batch, 4, 8), "key": t("k", batch, 4, 8), "value": t("v", batch, 4, 8)}
    return one("scaled_dot_product_attention", inputs, t("y", batch, 4, 8))


def conv(*kernel, size=5, stride=1, pad=0, channels=2, groups=1, weight=None):
    inputs = {
        "x": t("x", 1, channels, size, size),
        "weight": weight or t("w", channels, channels, *kernel, constant=True),
    }
    options = {"strides": (stride, stride), "pad_type": "custom", "pad": (pad,) * 4, "groups": groups}
    return one("conv", inputs, t("y", 1, channels, 3, 3), **options)


def computed_kernel(kind):
    weight = t("w", 2, 2, 3, 3)
    inner = op(kind, {"x": t("v", 2, 2, 3, 3)}, weight)
    return net(inner, *conv(3, 3, weight=weight).operators)


def upsampled(factor):
    factors = {"scale_factor_height": factor, "scale_factor_width": 2}
    return one("upsample_nearest_neighbor", {"x": t("x", 1, 3, 4, 4)}, t("y", 1, 3, 8, 8), **factors)


def palette(first):
    data = t("v", 8, 8, dtype=HALF)
    scaled = {"data": data, "scale": t("s", 8, 1, constant=True)}
    result = t("w", 8, 8, dtype=HALF)
    return net(op(first, {"indices": t("i", 8, 8)}, data), op("constexpr_blockwise_shift_scale", scaled, result))


def reduced(kind, size):
    return one(kind, {"x": t("x", 1, 4, size, size, dtype=HALF)}, t("y", 1, 4, 1, 1, dtype=HALF))


def neighbour(count):
    return one("resize_nearest_neighbor", {"x": t("x", 1, 3, 4, 4)}, t("y", 1, 3, count, count))


def half(kind, dtype=HALF):
    return one(kind, {"x": t("x", 1, 4, 4, 4, dtype=dtype)}, t("y", 1, 4, 4, 4, dtype=dtype))


def hard_swish(behind):
    x, y = t("x", 1, 4, dtype=HALF), t("y", 1, 4, dtype=HALF)
    return net(op("sigmoid_hard", {"x": x}, y), op(behind, {"x": x, "y": y}, t("z", 1, 4, dtype=HALF)))


def joined(axis, groups):
    parts = {"values[0]": t("a", 1, 4, 8, 8), "values[1]": t("b", 1, 4, 8, 8)}
    both = t("x", 1, 8, 8, 8)
    depthwise = {"x": both, "weight": t("w", 8, 1, 5, 1, constant=True)}
    return net(op("concat", parts, both, axis=axis), op("conv", depthwise, t("y", 1, 8, 4, 8), groups=groups))


def choice(length):
    return one("reduce_argmax", {"x": t("x", 1, length)}, t("y", 1, dtype="int32"), axis=-1)


def side(length):
    return one("relu", {"x": t("x", 1, 4, length)}, t("y", 1, 4, length))


def reciprocal(epsilon):
    return one("inverse", {"x": t("x", 1, 4)}, t("y", 1, 4), epsilon=epsilon)


CASES = {
    "litert-gpu-large-sum": (mean(64), mean(32)),
    "litert-gpu-sum-of-squares": (squares(16), squares(8)),
    "litert-gpu-sum-read-twice": (sum_and_reader("s", "r"), sum_and_reader("r")),
    "litert-gpu-attention-of-rank-3": (products(4, 8, 8), products(1, 4, 8, 8)),
    "litert-gpu-broadcast-to": (one("BROADCAST_TO", [t("x", 1)], t("y", 4)), one("TILE", [t("x", 1)], t("y", 4))),
    "litert-gpu-operands-of-unequal-rank": (
        add((2, 3, 4), (1, 1, 3, 4), result=(1, 2, 3, 4)),
        add((1, 2, 3, 4), (1, 1, 3, 4), result=(1, 2, 3, 4)),
    ),
    "litert-gpu-both-operands-broadcast": (
        add((1, 16, 1), (1, 1, 8), result=(1, 16, 8)),
        add((1, 16, 8), (1, 1, 8), result=(1, 16, 8)),
    ),
    "litert-gpu-broadcast-behind-product": (masked(1, 1, 16, 16), masked(1, 8, 16, 16)),
    "litert-gpu-equal-operands": (divided("x"), divided("z")),
    "litert-gpu-maximum-of-constant": (
        one("REDUCE_MAX", [t("x", 1, 4, constant=True)], t("y", 1, 1)),
        one("REDUCE_MAX", [t("x", 1, 4)], t("y", 1, 1)),
    ),
    "litert-gpu-select": (
        one("SELECT_V2", [t("c", 4), t("a", 4), t("b", 4)], t("y", 4)),
        one("MAXIMUM", [t("a", 4), t("b", 4)], t("y", 4)),
    ),
    "litert-gpu-rank-5": (reshape((1, 4, 4, 8), (1, 2, 2, 4, 8)), reshape((1, 4, 4, 8), (1, 2, 8, 8))),
    "litert-gpu-gather-nd": (one("GATHER_ND", [t("x", 4)], t("y", 2)), one("STRIDED_SLICE", [t("x", 4)], t("y", 2))),
    "litert-gpu-reduce-window": (
        one("STABLEHLO_REDUCE_WINDOW", [t("x", 4)], t("y", 2)),
        one("AVERAGE_POOL_2D", [t("x", 4)], t("y", 2)),
    ),
    "litert-gpu-gather": (one("GATHER", [t("x", 4)], t("y", 2)), one("SLICE", [t("x", 4)], t("y", 2))),
    "litert-gpu-arg-max": (one("ARG_MAX", [t("x", 4)], t("y")), one("REDUCE_MAX", [t("x", 4)], t("y"))),
    "litert-gpu-relu-0-to-1": (one("RELU_0_TO_1", [t("x", 4)], t("y", 4)), one("RELU6", [t("x", 4)], t("y", 4))),
    "litert-gpu-quantized-residual": (residual(1, 4, 8), residual(1, 4, 8, dtype=FLOAT)),
    "litert-gpu-align-corners": (bilinear(True, False), bilinear(False, True)),
    "litert-cpu-corners-and-centres": (bilinear(True, True), bilinear(True, False)),
    "litert-nnapi-half-pixel-centres": (bilinear(False, True), bilinear(False, False)),
    "litert-gpu-reshaped-batch": (reshape((4, 8), (32,)), reshape((4, 8), (4, 2, 4))),
    "litert-gpu-normalised-matrix": (normalised(4, 8), normalised(1, 1, 4, 8)),
    "litert-xnnpack-linear-of-rank-7": (linear(1, 1, 1, 1, 1, 2, 4), linear(1, 1, 1, 1, 2, 4)),
    "litert-xnnpack-tiny-bias-scale": (layer(3.8e-10), layer(2e-6)),
    "executorch-xnnpack-quantized-padding": (xnn_padded(INT8), xnn_padded(FLOAT)),
    "executorch-xnnpack-ceiling": (xnn_pool(4), xnn_pool(3)),
    "executorch-xnnpack-float-product": (xnn_product(INT8), xnn_product(FLOAT)),
    "onnx-cpu-ceiling-with-padding": (
        onnx_pool(ceil_mode=1, count_include_pad=1),
        onnx_pool(ceil_mode=1, count_include_pad=0),
    ),
    "onnx-coreml-ceiling": (onnx_pool("MaxPool", ceil_mode=1), onnx_pool("MaxPool", ceil_mode=0)),
    "onnx-cpu-integer-average": (onnx_quantized("AveragePool"), onnx_quantized("AveragePool", "Relu")),
    "onnx-cpu-integer-global-average": (onnx_quantized("GlobalAveragePool"), onnx_quantized("ReduceMean")),
    "onnx-nnapi-softmax-axis": (onnx_softmax(12), onnx_softmax(13)),
    "onnx-nnapi-depthwise-relu6": (onnx_depthwise(6.0), onnx_depthwise(1.0)),
    "onnx-xnnpack-empty-scales": (onnx_resize(0), onnx_resize(4)),
    "onnx-coreml-gather-elements": (
        onnx_gather(t("i", 1, 3, dtype="int64")),
        onnx_gather(t("i", 1, 3, dtype="int64", constant=True)),
    ),
    "coreml-ceiling": (pool(7, 4, ceil_mode=True), pool(8, 4, ceil_mode=True)),
    "coreml-large-padded-average": (
        pool(32, 8, kernel=7, stride=4, pad_type="custom", pad=(3, 3, 3, 3)),
        pool(32, 16, kernel=3, stride=2, pad_type="custom", pad=(1, 1, 1, 1)),
    ),
    "coreml-padding-before-lines": (line_pool("same_lower", 1, 3, 8), line_pool("same", 1, 3, 8)),
    "coreml-signed-weights": (weights(INT8), weights("uint8")),
    "coreml-transposed-to-a-shape": (transposed(1, 3, 4, 4, output_shape=(1, 3, 4, 4)), transposed(1, 3, 4, 4)),
    "coreml-transposed-lines": (
        transposed(1, 3, 4, pad_type="custom", pad=(1, 0)),
        transposed(1, 3, 4, dtype=FLOAT, pad_type="custom", pad=(1, 0)),
    ),
    "coreml-gpu-attention-of-large-batch": (attention(10), attention(9)),
    "coreml-uneven-kernel": (conv(3, 2, stride=2, pad=1), conv(3, 3, stride=2, pad=1)),
    "coreml-gpu-computed-kernel": (computed_kernel("mul"), computed_kernel("constexpr_lut_to_dense")),
    "coreml-gpu-layer-norm": (half("layer_norm"), half("layer_norm", FLOAT)),
    "coreml-prelu-in-half": (half("prelu"), half("prelu", FLOAT)),
    "coreml-scatter-ios18": (
        one("scatter_nd", {"data": t("x", 4)}, t("y", 4), version=18),
        one("scatter_nd", {"data": t("x", 4)}, t("y", 4), version=17),
    ),
    "coreml-gpu-fractional-upsampling": (upsampled(1.5), upsampled(2.0)),
    "coreml-gpu-crop-resize": (half("crop_resize"), half("resize_bilinear")),
    "coreml-single-neighbour": (neighbour(1), neighbour(2)),
    "coreml-reciprocal-epsilon": (reciprocal(1e-4), reciprocal(1e-12)),
    "coreml-scaled-palette": (palette("constexpr_lut_to_dense"), palette("constexpr_sparse_to_dense")),
    "coreml-gpu-large-sum": (reduced("reduce_sum", 64), reduced("reduce_mean", 64)),
    "coreml-resample-on-the-cpu": (half("resample"), half("resize")),
    "coreml-ane-softplus": (half("softplus"), half("softplus", FLOAT)),
    "coreml-ane-hard-swish": (hard_swish("mul"), hard_swish("add")),
    "coreml-ane-depthwise-behind-concatenation": (joined(1, 8), joined(1, 1)),
    "coreml-ane-large-stride": (conv(16, 16, size=48, stride=16), conv(4, 4, size=48, stride=4)),
    "coreml-ane-wide-kernel": (conv(1, 15), conv(1, 13)),
    "coreml-ane-long-side": (side(16385), side(16384)),
    "coreml-ane-long-choice": (choice(2049), choice(2048)),
    "coreml-ane-no-hardware-path": (half("reduce_prod"), half("reduce_mean")),
    "coreai-ane-choice-and-gather": (kinds("topk", "gather_nd"), kinds("topk", "gather_nd", dtype="")),
    "coreai-ane-linear-hard-swish": (kinds("batch_matmul", "hardsigmoid"), kinds("batch_matmul", "relu")),
    "coreai-ane-quantized-product": (kinds("quantize", "dequantize", "mul"), kinds("quantize", "dequantize")),
    "coreai-ane-palette-with-scales": (kinds("lut_to_dense", "conv2d"), kinds("constant", "conv2d")),
}
