"""The one table of operators: how each type of an ML program is evaluated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from samesight.conversion.runners.coreml.dtypes import conversions
from samesight.conversion.runners.coreml.operators import (
    activation,
    arithmetic,
    convolution,
    indexing,
    normalization,
    quantized,
    reduction,
    resizing,
    shape,
)


@dataclass(frozen=True)
class Operator:
    """One row.

    `exact`: what comes out is among what goes in (or 0, 1 and infinity), so that half precision needs no rounding.
    `source`: how we know what Core ML computes, and what nobody says; docs/core-ml.md lists both.
    """

    compute: Callable[..., Any]
    exact: bool
    parameters: Mapping[str, Callable[[Any], Any] | None]
    source: str


TESTED = "Apple's operator tests"
"""coremltools 9.0, mil/ops/tests: Apple compares what Core ML predicts with these values."""
INFERRED = "coremltools' value inference"
"""What coremltools computes where all inputs are constant, in NumPy."""
DOCUMENTED = "MIL's documentation"
UNKNOWN = "not known"


def computed(function: Callable[..., Any], source: str) -> Operator:
    """An operator whose results have to be rounded to their dtype."""
    return Operator(function, False, conversions(function), source)


def moved(function: Callable[..., Any], source: str) -> Operator:
    """An operator that moves or chooses values."""
    return Operator(function, True, conversions(function), source)


OPERATORS: dict[str, Operator] = {
    "abs": moved(arithmetic.absolute, TESTED),
    "acos": computed(arithmetic.acos, TESTED),
    "add": computed(arithmetic.add, TESTED),
    "argsort": moved(reduction.argsort, f"{TESTED}; order of equal elements: {UNKNOWN}"),
    "asin": computed(arithmetic.asin, TESTED),
    "atan": computed(arithmetic.atan, TESTED),
    "atanh": computed(arithmetic.atanh, TESTED),
    "avg_pool": computed(
        convolution.avg_pool,
        f"{TESTED}; windows that hang over: github.com/apple/coremltools/issues/2772 and pull/2844",
    ),
    "band_part": moved(shape.band_part, TESTED),
    "batch_norm": computed(normalization.batch_norm, TESTED),
    "cast": computed(arithmetic.cast, f"{TESTED}; towards zero: {INFERRED}; out of range and NaN: {UNKNOWN}"),
    "ceil": moved(arithmetic.ceil, INFERRED),
    "clamped_relu": computed(activation.clamped_relu, TESTED),
    "clip": computed(arithmetic.clip, TESTED),
    "concat": moved(shape.concat, TESTED),
    "constexpr_affine_dequantize": computed(quantized.constexpr_affine_dequantize, TESTED),
    "constexpr_blockwise_shift_scale": computed(quantized.constexpr_blockwise_shift_scale, TESTED),
    "constexpr_cast": computed(quantized.constexpr_cast, TESTED),
    "constexpr_lut_to_dense": moved(quantized.constexpr_lut_to_dense, TESTED),
    "constexpr_lut_to_sparse": moved(quantized.constexpr_lut_to_sparse, TESTED),
    "constexpr_sparse_blockwise_shift_scale": computed(quantized.constexpr_sparse_blockwise_shift_scale, TESTED),
    "constexpr_sparse_to_dense": moved(quantized.constexpr_sparse_to_dense, TESTED),
    "conv": computed(convolution.conv, TESTED),
    "conv_transpose": computed(
        convolution.conv_transpose,
        f"{TESTED}; output_shape differs between units: github.com/apple/coremltools/issues/2281",
    ),
    "cos": computed(arithmetic.cos, TESTED),
    "cosh": computed(arithmetic.cosh, TESTED),
    "cumsum": computed(reduction.cumsum, TESTED),
    "depth_to_space": moved(shape.depth_to_space, TESTED),
    "dequantize": computed(quantized.dequantize, TESTED),
    "einsum": computed(convolution.einsum, TESTED),
    "elu": computed(activation.elu, TESTED),
    "equal": moved(arithmetic.equal, TESTED),
    "erf": computed(arithmetic.erf, TESTED),
    "exp": computed(arithmetic.exp, TESTED),
    "exp2": computed(arithmetic.exp2, TESTED),
    "expand_dims": moved(shape.expand_dims, TESTED),
    "fill": moved(shape.fill, INFERRED),
    "fill_like": moved(shape.fill_like, INFERRED),
    "flatten2d": moved(shape.flatten2d, TESTED),
    "floor": moved(arithmetic.floor, TESTED),
    "floor_div": computed(arithmetic.floor_div, f"{TESTED}; towards minus infinity: {DOCUMENTED}; by 0: {UNKNOWN}"),
    "gather": moved(indexing.gather, f"{TESTED}; out of bounds: {DOCUMENTED}"),
    "gather_along_axis": moved(indexing.gather_along_axis, f"{TESTED}; out of bounds: {DOCUMENTED}"),
    "gather_nd": moved(indexing.gather_nd, f"{TESTED}; out of bounds: {DOCUMENTED}"),
    "gelu": computed(activation.gelu, TESTED),
    "greater": moved(arithmetic.greater, TESTED),
    "greater_equal": moved(arithmetic.greater_equal, TESTED),
    "identity": moved(shape.identity, TESTED),
    "instance_norm": computed(normalization.instance_norm, TESTED),
    "inverse": computed(arithmetic.inverse, f"{TESTED}; epsilon: {DOCUMENTED}"),
    "l2_norm": computed(normalization.l2_norm, TESTED),
    "l2_pool": computed(convolution.l2_pool, f"{TESTED}; windows that hang over: {DOCUMENTED}"),
    "layer_norm": computed(normalization.layer_norm, TESTED),
    "leaky_relu": computed(activation.leaky_relu, TESTED),
    "less": moved(arithmetic.less, TESTED),
    "less_equal": moved(arithmetic.less_equal, TESTED),
    "linear": computed(convolution.linear, TESTED),
    "linear_activation": computed(activation.linear_activation, TESTED),
    "local_response_norm": computed(
        normalization.local_response_norm, f"{TESTED}; an even number of neighbours of maps: {UNKNOWN}"
    ),
    "log": computed(arithmetic.log, f"{TESTED}; epsilon: {DOCUMENTED}"),
    "logical_and": moved(arithmetic.logical_and, INFERRED),
    "logical_not": moved(arithmetic.logical_not, INFERRED),
    "logical_or": moved(arithmetic.logical_or, INFERRED),
    "logical_xor": moved(arithmetic.logical_xor, INFERRED),
    "matmul": computed(convolution.matmul, TESTED),
    "max_pool": moved(convolution.max_pool, f"{TESTED}; windows that hang over: {DOCUMENTED}"),
    "maximum": moved(arithmetic.maximum, f"{TESTED}; of NaN: {UNKNOWN}"),
    "minimum": moved(arithmetic.minimum, f"{TESTED}; of NaN: {UNKNOWN}"),
    "mod": computed(arithmetic.mod, f"{TESTED}; sign of the divisor: {INFERRED}; by 0: {UNKNOWN}"),
    "mul": computed(arithmetic.mul, TESTED),
    "non_zero": moved(indexing.non_zero, TESTED),
    "not_equal": moved(arithmetic.not_equal, TESTED),
    "one_hot": moved(indexing.one_hot, TESTED),
    "pad": computed(shape.pad, TESTED),
    "pixel_shuffle": moved(shape.pixel_shuffle, TESTED),
    "pixel_unshuffle": moved(shape.pixel_unshuffle, TESTED),
    "pow": computed(arithmetic.power, TESTED),
    "prelu": computed(activation.prelu, TESTED),
    "quantize": computed(quantized.quantize, f"{TESTED}; ties: {UNKNOWN}"),
    "range_1d": computed(shape.range_1d, TESTED),
    "real_div": computed(arithmetic.real_div, f"{TESTED}; of integers: {UNKNOWN}"),
    "reduce_argmax": moved(reduction.reduce_argmax, f"{TESTED}; among equal elements: {UNKNOWN} (MIL: not guaranteed)"),
    "reduce_argmin": moved(reduction.reduce_argmin, f"{TESTED}; among equal elements: {UNKNOWN} (MIL: not guaranteed)"),
    "reduce_l1_norm": computed(reduction.reduce_l1_norm, TESTED),
    "reduce_l2_norm": computed(reduction.reduce_l2_norm, TESTED),
    "reduce_log_sum": computed(reduction.reduce_log_sum, TESTED),
    "reduce_log_sum_exp": computed(reduction.reduce_log_sum_exp, TESTED),
    "reduce_max": moved(reduction.reduce_max, TESTED),
    "reduce_mean": computed(reduction.reduce_mean, f"{TESTED}; of integers: {UNKNOWN}"),
    "reduce_min": moved(reduction.reduce_min, TESTED),
    "reduce_prod": computed(reduction.reduce_prod, TESTED),
    "reduce_sum": computed(reduction.reduce_sum, TESTED),
    "reduce_sum_square": computed(reduction.reduce_sum_square, TESTED),
    "relu": moved(activation.relu, TESTED),
    "relu6": moved(activation.relu6, TESTED),
    "reshape": moved(shape.reshape, f"{TESTED}; 0 from the right: {DOCUMENTED}"),
    "reshape_like": moved(shape.reshape_like, TESTED),
    "resize": computed(resizing.resize, f"{TESTED}; linear modes: {DOCUMENTED}; nearest with other modes is refused"),
    "resize_bilinear": computed(resizing.resize_bilinear, f"{DOCUMENTED}; its examples are a test"),
    "resize_nearest_neighbor": moved(
        resizing.resize_nearest_neighbor,
        f"{TESTED}; half-pixel centres: TestResize and coremltools' TensorFlow frontend",
    ),
    "reverse": moved(shape.reverse, TESTED),
    "round": moved(arithmetic.nearest, f"{TESTED}; 0.5 to 0: {DOCUMENTED}; other ties to even: {INFERRED}"),
    "rsqrt": computed(arithmetic.rsqrt, f"{TESTED}; epsilon: {DOCUMENTED}"),
    "scaled_dot_product_attention": computed(convolution.scaled_dot_product_attention, TESTED),
    "scaled_tanh": computed(activation.scaled_tanh, TESTED),
    "scatter": computed(
        indexing.scatter, f"{TESTED}; out of bounds: {DOCUMENTED}; repeated indices with `update`: {UNKNOWN}"
    ),
    "scatter_along_axis": computed(
        indexing.scatter_along_axis, f"{TESTED}; out of bounds: {DOCUMENTED}; repeated indices with `update`: {UNKNOWN}"
    ),
    "scatter_nd": computed(
        indexing.scatter_nd, f"{TESTED}; out of bounds: {DOCUMENTED}; repeated indices with `update`: {UNKNOWN}"
    ),
    "select": moved(arithmetic.select, INFERRED),
    "shape": moved(shape.shape, TESTED),
    "sigmoid": computed(activation.sigmoid, TESTED),
    "sigmoid_hard": computed(activation.sigmoid_hard, TESTED),
    "sign": moved(arithmetic.sign, TESTED),
    "silu": computed(activation.silu, TESTED),
    "sin": computed(arithmetic.sin, TESTED),
    "sinh": computed(arithmetic.sinh, TESTED),
    "slice_by_index": moved(shape.slice_by_index, TESTED),
    "slice_by_size": moved(shape.slice_by_size, TESTED),
    "slice_update": moved(shape.slice_update, INFERRED),
    "sliding_windows": moved(shape.sliding_windows, TESTED),
    "softmax": computed(activation.softmax, TESTED),
    "softplus": computed(
        activation.softplus, f"{TESTED}; the Neural Engine departs: github.com/apple/coremltools/issues/2687"
    ),
    "softplus_parametric": computed(activation.softplus_parametric, TESTED),
    "softsign": computed(activation.softsign, TESTED),
    "space_to_depth": moved(shape.space_to_depth, TESTED),
    "split": moved(shape.split, TESTED),
    "sqrt": computed(arithmetic.sqrt, TESTED),
    "square": computed(arithmetic.square, TESTED),
    "squeeze": moved(shape.squeeze, TESTED),
    "stack": moved(shape.stack, TESTED),
    "sub": computed(arithmetic.sub, TESTED),
    "tan": computed(arithmetic.tan, TESTED),
    "tanh": computed(arithmetic.tanh, TESTED),
    "thresholded_relu": moved(activation.thresholded_relu, TESTED),
    "threshold": computed(arithmetic.threshold, TESTED),
    "tile": moved(shape.tile, TESTED),
    "topk": moved(reduction.topk, f"{TESTED}; order of equal elements: {UNKNOWN}"),
    "transpose": moved(shape.transpose, TESTED),
    "upsample_bilinear": computed(resizing.upsample_bilinear, f"{TESTED}; grid: {DOCUMENTED}"),
    "upsample_nearest_neighbor": moved(
        resizing.upsample_nearest_neighbor, f"{TESTED}; fractions: TestUpsampleNearestNeighborFractionalScales"
    ),
}

STRUCTURE = ("const", "classify")
"""Operators that the walk itself understands."""
