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
    """

    compute: Callable[..., Any]
    exact: bool
    parameters: Mapping[str, Callable[[Any], Any] | None]


def computed(function: Callable[..., Any]) -> Operator:
    """An operator whose results have to be rounded to their dtype."""
    return Operator(function, False, conversions(function))


def moved(function: Callable[..., Any]) -> Operator:
    """An operator that moves or chooses values."""
    return Operator(function, True, conversions(function))


OPERATORS: dict[str, Operator] = {
    "abs": moved(arithmetic.absolute),
    "acos": computed(arithmetic.acos),
    "add": computed(arithmetic.add),
    "argsort": moved(reduction.argsort),
    "asin": computed(arithmetic.asin),
    "atan": computed(arithmetic.atan),
    "atanh": computed(arithmetic.atanh),
    "avg_pool": computed(convolution.avg_pool),
    "band_part": moved(shape.band_part),
    "batch_norm": computed(normalization.batch_norm),
    "cast": computed(arithmetic.cast),
    "ceil": moved(arithmetic.ceil),
    "clamped_relu": computed(activation.clamped_relu),
    "clip": computed(arithmetic.clip),
    "concat": moved(shape.concat),
    "constexpr_affine_dequantize": computed(quantized.constexpr_affine_dequantize),
    "constexpr_blockwise_shift_scale": computed(quantized.constexpr_blockwise_shift_scale),
    "constexpr_cast": computed(quantized.constexpr_cast),
    "constexpr_lut_to_dense": moved(quantized.constexpr_lut_to_dense),
    "constexpr_lut_to_sparse": moved(quantized.constexpr_lut_to_sparse),
    "constexpr_sparse_blockwise_shift_scale": computed(quantized.constexpr_sparse_blockwise_shift_scale),
    "constexpr_sparse_to_dense": moved(quantized.constexpr_sparse_to_dense),
    "conv": computed(convolution.conv),
    "conv_transpose": computed(convolution.conv_transpose),
    "cos": computed(arithmetic.cos),
    "cosh": computed(arithmetic.cosh),
    "cumsum": computed(reduction.cumsum),
    "depth_to_space": moved(shape.depth_to_space),
    "dequantize": computed(quantized.dequantize),
    "einsum": computed(convolution.einsum),
    "elu": computed(activation.elu),
    "equal": moved(arithmetic.equal),
    "erf": computed(arithmetic.erf),
    "exp": computed(arithmetic.exp),
    "exp2": computed(arithmetic.exp2),
    "expand_dims": moved(shape.expand_dims),
    "fill": moved(shape.fill),
    "fill_like": moved(shape.fill_like),
    "flatten2d": moved(shape.flatten2d),
    "floor": moved(arithmetic.floor),
    "floor_div": computed(arithmetic.floor_div),
    "gather": moved(indexing.gather),
    "gather_along_axis": moved(indexing.gather_along_axis),
    "gather_nd": moved(indexing.gather_nd),
    "gelu": computed(activation.gelu),
    "greater": moved(arithmetic.greater),
    "greater_equal": moved(arithmetic.greater_equal),
    "identity": moved(shape.identity),
    "instance_norm": computed(normalization.instance_norm),
    "inverse": computed(arithmetic.inverse),
    "l2_norm": computed(normalization.l2_norm),
    "l2_pool": computed(convolution.l2_pool),
    "layer_norm": computed(normalization.layer_norm),
    "leaky_relu": computed(activation.leaky_relu),
    "less": moved(arithmetic.less),
    "less_equal": moved(arithmetic.less_equal),
    "linear": computed(convolution.linear),
    "linear_activation": computed(activation.linear_activation),
    "local_response_norm": computed(normalization.local_response_norm),
    "log": computed(arithmetic.log),
    "logical_and": moved(arithmetic.logical_and),
    "logical_not": moved(arithmetic.logical_not),
    "logical_or": moved(arithmetic.logical_or),
    "logical_xor": moved(arithmetic.logical_xor),
    "matmul": computed(convolution.matmul),
    "max_pool": moved(convolution.max_pool),
    "maximum": moved(arithmetic.maximum),
    "minimum": moved(arithmetic.minimum),
    "mod": computed(arithmetic.mod),
    "mul": computed(arithmetic.mul),
    "non_zero": moved(indexing.non_zero),
    "not_equal": moved(arithmetic.not_equal),
    "one_hot": moved(indexing.one_hot),
    "pad": computed(shape.pad),
    "pixel_shuffle": moved(shape.pixel_shuffle),
    "pixel_unshuffle": moved(shape.pixel_unshuffle),
    "pow": computed(arithmetic.power),
    "prelu": computed(activation.prelu),
    "quantize": computed(quantized.quantize),
    "range_1d": computed(shape.range_1d),
    "real_div": computed(arithmetic.real_div),
    "reduce_argmax": moved(reduction.reduce_argmax),
    "reduce_argmin": moved(reduction.reduce_argmin),
    "reduce_l1_norm": computed(reduction.reduce_l1_norm),
    "reduce_l2_norm": computed(reduction.reduce_l2_norm),
    "reduce_log_sum": computed(reduction.reduce_log_sum),
    "reduce_log_sum_exp": computed(reduction.reduce_log_sum_exp),
    "reduce_max": moved(reduction.reduce_max),
    "reduce_mean": computed(reduction.reduce_mean),
    "reduce_min": moved(reduction.reduce_min),
    "reduce_prod": computed(reduction.reduce_prod),
    "reduce_sum": computed(reduction.reduce_sum),
    "reduce_sum_square": computed(reduction.reduce_sum_square),
    "relu": moved(activation.relu),
    "relu6": moved(activation.relu6),
    "reshape": moved(shape.reshape),
    "reshape_like": moved(shape.reshape_like),
    "resize": computed(resizing.resize),
    "resize_bilinear": computed(resizing.resize_bilinear),
    "resize_nearest_neighbor": moved(resizing.resize_nearest_neighbor),
    "reverse": moved(shape.reverse),
    "round": moved(arithmetic.nearest),
    "rsqrt": computed(arithmetic.rsqrt),
    "scaled_dot_product_attention": computed(convolution.scaled_dot_product_attention),
    "scaled_tanh": computed(activation.scaled_tanh),
    "scatter": computed(indexing.scatter),
    "scatter_along_axis": computed(indexing.scatter_along_axis),
    "scatter_nd": computed(indexing.scatter_nd),
    "select": moved(arithmetic.select),
    "shape": moved(shape.shape),
    "sigmoid": computed(activation.sigmoid),
    "sigmoid_hard": computed(activation.sigmoid_hard),
    "sign": moved(arithmetic.sign),
    "silu": computed(activation.silu),
    "sin": computed(arithmetic.sin),
    "sinh": computed(arithmetic.sinh),
    "slice_by_index": moved(shape.slice_by_index),
    "slice_by_size": moved(shape.slice_by_size),
    "slice_update": moved(shape.slice_update),
    "sliding_windows": moved(shape.sliding_windows),
    "softmax": computed(activation.softmax),
    "softplus": computed(activation.softplus),
    "softplus_parametric": computed(activation.softplus_parametric),
    "softsign": computed(activation.softsign),
    "space_to_depth": moved(shape.space_to_depth),
    "split": moved(shape.split),
    "sqrt": computed(arithmetic.sqrt),
    "square": computed(arithmetic.square),
    "squeeze": moved(shape.squeeze),
    "stack": moved(shape.stack),
    "sub": computed(arithmetic.sub),
    "tan": computed(arithmetic.tan),
    "tanh": computed(arithmetic.tanh),
    "thresholded_relu": moved(activation.thresholded_relu),
    "threshold": computed(arithmetic.threshold),
    "tile": moved(shape.tile),
    "topk": moved(reduction.topk),
    "transpose": moved(shape.transpose),
    "upsample_bilinear": computed(resizing.upsample_bilinear),
    "upsample_nearest_neighbor": moved(resizing.upsample_nearest_neighbor),
}

STRUCTURE = ("const", "classify")
"""Operators that the walk itself understands."""
