"""Random inputs for every row of the evaluator's table of operators, and where their expected values come from.

INFERRED: coremltools computes the value itself when all inputs are constant (its value inference, NumPy code that
shares nothing with the evaluator). EXPECTED: coremltools infers only the shape; torch, NumPy or arithmetic by hand
gives the value.
"""

import numpy as np

FLOAT = np.float32


def shape(rng, rank=None, low=1, high=6):
    return tuple(int(n) for n in rng.integers(low, high, rank or rng.integers(1, 5)))


def normal(rng, *lengths, scale=2.0):
    return (rng.standard_normal(lengths) * scale).astype(FLOAT)


def integers(rng, lengths, low=-9, high=9):
    return rng.integers(low, high, lengths).astype(np.int32)


def unary(rng):
    return {"x": normal(rng, *shape(rng))}


def within(low, high):
    return lambda rng: {"x": rng.uniform(low, high, shape(rng)).astype(FLOAT)}


def pair(rng):
    """Two operands, of which one may be broadcast."""
    lengths = shape(rng)
    other = tuple(1 if rng.random() < 0.3 else n for n in lengths)
    return {"x": normal(rng, *lengths), "y": normal(rng, *other)}


def divisor(rng):
    case = pair(rng)
    case["y"] = np.where(np.abs(case["y"]) < 0.2, FLOAT(0.5), case["y"])
    return case


def compared(rng):
    lengths = shape(rng)
    return {"x": integers(rng, lengths, 0, 3).astype(FLOAT), "y": integers(rng, lengths, 0, 3).astype(FLOAT)}


def truths(rng):
    lengths = shape(rng)
    return {"x": rng.random(lengths) < 0.5, "y": rng.random(lengths) < 0.5}


def with_numbers(*names, low=0.1, high=2.0):
    return lambda rng: {**unary(rng), **{name: FLOAT(rng.uniform(low, high)) for name in names}}


def reduced(rng):
    lengths = shape(rng)
    axes = rng.permutation(len(lengths))[: rng.integers(1, len(lengths) + 1)]
    axes = [int(axis) - (len(lengths) if rng.random() < 0.5 else 0) for axis in axes]
    case = {"x": normal(rng, *lengths), "keep_dims": bool(rng.random() < 0.5)}
    return case if rng.random() < 0.2 else {**case, "axes": np.array(axes, np.int32)}


def reduced_positive(rng):
    case = reduced(rng)
    return {**case, "x": np.abs(case["x"]) + FLOAT(0.1)}


def axis_of(rng, rank):
    return np.int32(rng.integers(-rank, rank))


def argument(rng):
    x = normal(rng, *shape(rng))
    return {"x": x, "axis": axis_of(rng, x.ndim), "keep_dims": bool(rng.random() < 0.5)}


def sorted_case(rng):
    x = normal(rng, *shape(rng))
    return {"x": x, "axis": axis_of(rng, x.ndim), "ascending": bool(rng.random() < 0.5)}


def topk(rng):
    case = sorted_case(rng)
    return {**case, "k": np.int32(rng.integers(1, case["x"].shape[case["axis"]] + 1))}


def cumsum(rng):
    x = normal(rng, *shape(rng))
    return {"x": x, "axis": np.int32(rng.integers(0, x.ndim)), "exclusive": False, "reverse": bool(rng.random() < 0.5)}


def softmax(rng):
    x = normal(rng, *shape(rng))
    return {"x": x, "axis": axis_of(rng, x.ndim)}


def prelu(rng):
    x = normal(rng, *shape(rng, 4))
    return {"x": x, "alpha": rng.uniform(0.1, 0.9, x.shape[1]).astype(FLOAT)}


def softplus_parametric(rng):
    case = prelu(rng)
    return {**case, "beta": case["alpha"][::-1].copy()}


def layer_norm(rng):
    x = normal(rng, *shape(rng, 3, 2))
    axes = sorted(int(axis) for axis in rng.permutation(3)[: rng.integers(1, 4)])
    inner = [x.shape[axis] for axis in axes]
    case = {"x": x, "axes": np.array(axes, np.int32), "epsilon": FLOAT(1e-3)}
    return {**case, "gamma": normal(rng, *inner), "beta": normal(rng, *inner)} if rng.random() < 0.7 else case


def linear(rng):
    a, b = shape(rng, 2)
    case = {"x": normal(rng, *shape(rng, int(rng.integers(1, 3))), a), "weight": normal(rng, b, a)}
    return {**case, "bias": normal(rng, b)} if rng.random() < 0.5 else case


def matmul(rng):
    a, b, c, n = shape(rng, 4)
    left, right = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    x = normal(rng, n, *((b, a) if left else (a, b)))
    y = normal(rng, *((n,) if rng.random() < 0.5 else ()), *((c, b) if right else (b, c)))
    return {"x": x, "y": y, "transpose_x": left, "transpose_y": right}


def einsum(rng):
    b, c, h, v, w = shape(rng, 5)
    return {"values": [normal(rng, b, c, h, v), normal(rng, b, v, h, w)], "equation": "nchw,nwhu->nchu"}


def expand_dims(rng):
    x = normal(rng, *shape(rng, int(rng.integers(1, 4))))
    rank = x.ndim + int(rng.integers(1, 3))
    places = rng.permutation(rank)[: rank - x.ndim]
    return {"x": x, "axes": np.array([int(p) - (rank if rng.random() < 0.5 else 0) for p in places], np.int32)}


def squeeze(rng):
    lengths = [int(n) for n in rng.integers(2, 5, 4)]
    ones = sorted(int(axis) for axis in rng.permutation(4)[: rng.integers(1, 4)])
    for axis in ones:
        lengths[axis] = 1
    x = normal(rng, *lengths)
    return {"x": x} if rng.random() < 0.3 else {"x": x, "axes": np.array(ones, np.int32)}


def transpose(rng):
    x = normal(rng, *shape(rng))
    return {"x": x, "perm": rng.permutation(x.ndim).astype(np.int32)}


def reshape(rng):
    a, b, c = shape(rng, 3)
    target = [[a * b, c], [-1], [a, -1], [0, b, c], [c, b, a]][rng.integers(5)]
    return {"x": normal(rng, a, b, c), "shape": np.array(target, np.int32)}


def slices(rng):
    x = normal(rng, *shape(rng, 3, 3, 8))
    begin, end, stride, squeeze = [], [], [], []
    for length in x.shape:
        first = int(rng.integers(0, length - 1))
        last = int(rng.integers(first + 1, length + 1))
        back = rng.random() < 0.25
        begin.append(last - 1 - length if back else first)
        end.append(first - length - 1 if back else last)
        stride.append(-int(rng.integers(1, 3)) if back else int(rng.integers(1, 3)))
        squeeze.append(bool(rng.random() < 0.2))
    squeeze[0] = False
    masks = {
        "begin_mask": [bool(rng.random() < 0.2) and not s for s in squeeze],
        "end_mask": [bool(rng.random() < 0.2) for _ in squeeze],
    }
    return {
        "x": x,
        "begin": np.array(begin, np.int32),
        "end": np.array(end, np.int32),
        "stride": np.array(stride, np.int32),
        "squeeze_mask": squeeze,
        **masks,
    }


def slice_by_size(rng):
    x = normal(rng, *shape(rng, 3, 2))
    begin = [int(rng.integers(0, n)) for n in x.shape]
    size = [-1 if rng.random() < 0.3 else int(rng.integers(1, n - b + 1)) for n, b in zip(x.shape, begin, strict=True)]
    return {"x": x, "begin": np.array(begin, np.int32), "size": np.array(size, np.int32)}


def concat(rng):
    lengths = list(shape(rng, 3))
    axis = int(rng.integers(-3, 3))
    parts = []
    for _ in range(rng.integers(2, 4)):
        lengths[axis] = int(rng.integers(1, 5))
        parts.append(normal(rng, *lengths))
    return {"values": parts, "axis": np.int32(axis)}


def stack(rng):
    lengths = shape(rng, 3)
    return {"values": [normal(rng, *lengths) for _ in range(3)], "axis": np.int32(rng.integers(0, 4))}


def split(rng):
    sizes = rng.integers(1, 4, 3).astype(np.int32)
    axis = int(rng.integers(-3, 3))
    lengths = list(shape(rng, 3))
    lengths[axis] = int(sizes.sum())
    if rng.random() < 0.5:
        return {"x": normal(rng, *lengths), "split_sizes": sizes, "axis": np.int32(axis)}
    lengths[axis] = 6
    return {"x": normal(rng, *lengths), "num_splits": np.int32(3), "axis": np.int32(axis)}


def pad(rng):
    mode = ["constant", "reflect", "replicate"][rng.integers(3)]
    x = normal(rng, *shape(rng, 4, 3))
    amounts = rng.integers(0, 3, 2 * int(rng.integers(1, 4) if mode == "constant" else 2)).astype(np.int32)
    return {"x": x, "pad": amounts, "mode": mode, "constant_val": FLOAT(1.5)}


def tile(rng):
    x = normal(rng, *shape(rng))
    return {"x": x, "reps": rng.integers(1, 4, x.ndim).astype(np.int32)}


def reverse(rng):
    x = normal(rng, *shape(rng))
    return {"x": x, "axes": rng.permutation(x.ndim)[: rng.integers(1, x.ndim + 1)].astype(np.int32)}


def band_part(rng):
    bounds = rng.integers(-1, 4, 2).astype(np.int32)
    return {"x": normal(rng, *shape(rng, 3)), "lower": bounds[0], "upper": bounds[1]}


def range_1d(rng):
    start, count, step = (int(n) for n in rng.integers(1, 6, 3))
    kind = FLOAT if rng.random() < 0.5 else np.int32
    return {"start": kind(start), "end": kind(start + count * step), "step": kind(step)}


def gather(rng):
    x = normal(rng, *shape(rng, 3))
    axis = int(axis_of(rng, 3))
    length = x.shape[axis]
    return {"x": x, "indices": integers(rng, shape(rng, int(rng.integers(1, 3))), 0, length), "axis": np.int32(axis)}


def gather_along_axis(rng):
    x = normal(rng, *shape(rng, 3))
    axis = int(axis_of(rng, 3))
    return {"x": x, "indices": integers(rng, x.shape, 0, x.shape[axis]), "axis": np.int32(axis)}


def clip(rng):
    low, high = sorted(rng.standard_normal(2))
    return {**unary(rng), "alpha": FLOAT(low), "beta": FLOAT(high)}


def cast(rng):
    kind = ["int32", "fp32", "bool", "fp16"][rng.integers(4)]
    return {"x": normal(rng, *shape(rng), scale=20), "dtype": kind}


def select(rng):
    lengths = shape(rng)
    return {"cond": rng.random(lengths) < 0.5, "a": normal(rng, *lengths), "b": normal(rng, *lengths)}


def quantize(rng):
    kind = ["int8", "uint8"][rng.integers(2)]
    case = {"input": normal(rng, *shape(rng, 4, 2), scale=3), "output_dtype": kind}
    return {**case, **_scales(rng, case["input"].shape, kind, 0.02, 0.2)}


def dequantize(rng):
    kind = ["int8", "uint8"][rng.integers(2)]
    bounds = np.iinfo(kind)
    data = rng.integers(bounds.min, bounds.max + 1, shape(rng, 4, 2)).astype(kind)
    return {"input": data, **_scales(rng, data.shape, kind, 0.02, 0.2)}


def _scales(rng, lengths, kind, low, high):
    bounds = np.iinfo(kind)
    if rng.random() < 0.5:
        axis = int(axis_of(rng, len(lengths)))
        size = (lengths[axis],)
        case = {"axis": np.int32(axis), "scale": rng.uniform(low, high, size).astype(FLOAT)}
    else:
        size = ()
        case = {"scale": FLOAT(rng.uniform(low, high))}
    if rng.random() < 0.5:
        return case
    point = rng.integers(bounds.min, bounds.max + 1, size)
    return {**case, "zero_point": point.astype(kind) if size else np.dtype(kind).type(point)}


INFERRED = {
    "abs": unary,
    "acos": within(-0.95, 0.95),
    "add": pair,
    "argsort": sorted_case,
    "asin": within(-0.95, 0.95),
    "atan": unary,
    "atanh": within(-0.9, 0.9),
    "band_part": band_part,
    "cast": cast,
    "ceil": unary,
    "clamped_relu": with_numbers("alpha", "beta"),
    "clip": clip,
    "concat": concat,
    "cos": unary,
    "cosh": unary,
    "cumsum": cumsum,
    "einsum": einsum,
    "elu": with_numbers("alpha"),
    "equal": compared,
    "erf": unary,
    "exp": unary,
    "exp2": unary,
    "expand_dims": expand_dims,
    "fill": lambda rng: {"shape": np.array(shape(rng), np.int32), "value": FLOAT(rng.standard_normal())},
    "fill_like": lambda rng: {"ref_tensor": normal(rng, *shape(rng)), "value": FLOAT(rng.standard_normal())},
    "floor": unary,
    "floor_div": divisor,
    "gather": gather,
    "gather_along_axis": gather_along_axis,
    "gelu": lambda rng: {
        **unary(rng),
        "mode": ["EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"][rng.integers(3)],
    },
    "greater": compared,
    "greater_equal": compared,
    "identity": unary,
    "inverse": lambda rng: {"x": divisor(rng)["y"], "epsilon": FLOAT(1e-3)},
    "l2_norm": lambda rng: {"x": normal(rng, *shape(rng, int(rng.integers(3, 5))))},
    "layer_norm": layer_norm,
    "leaky_relu": with_numbers("alpha"),
    "less": compared,
    "less_equal": compared,
    "linear": linear,
    "linear_activation": with_numbers("alpha", "beta"),
    "log": lambda rng: {"x": rng.uniform(0.1, 9, shape(rng)).astype(FLOAT), "epsilon": FLOAT(1e-3)},
    "logical_and": truths,
    "logical_not": lambda rng: {"x": rng.random(shape(rng)) < 0.5},
    "logical_or": truths,
    "logical_xor": truths,
    "matmul": matmul,
    "maximum": pair,
    "minimum": pair,
    "mod": divisor,
    "mul": pair,
    "non_zero": lambda rng: {"x": integers(rng, shape(rng), 0, 2)},
    "not_equal": compared,
    "pad": pad,
    "pow": lambda rng: {**pair(rng), "x": rng.uniform(0.2, 3, 5).astype(FLOAT), "y": normal(rng, 5)},
    "prelu": prelu,
    "quantize": quantize,
    "range_1d": range_1d,
    "real_div": divisor,
    "reduce_argmax": argument,
    "reduce_argmin": argument,
    "reduce_l1_norm": reduced,
    "reduce_l2_norm": reduced,
    "reduce_log_sum": reduced_positive,
    "reduce_log_sum_exp": lambda rng: {**reduced(rng), "axes": np.array([0], np.int32)},
    "reduce_max": reduced,
    "reduce_mean": reduced,
    "reduce_min": reduced,
    "reduce_prod": reduced,
    "reduce_sum": reduced,
    "reduce_sum_square": reduced,
    "relu": unary,
    "relu6": lambda rng: {"x": normal(rng, *shape(rng), scale=5)},
    "reshape": reshape,
    "reverse": reverse,
    "round": lambda rng: {"x": integers(rng, shape(rng)).astype(FLOAT) / 2},
    "rsqrt": within(0.1, 9),
    "scaled_tanh": with_numbers("alpha", "beta"),
    "select": select,
    "shape": unary,
    "sigmoid": unary,
    "sigmoid_hard": with_numbers("alpha", "beta"),
    "sign": lambda rng: {"x": integers(rng, shape(rng), -1, 2).astype(FLOAT)},
    "sin": unary,
    "sinh": unary,
    "slice_by_index": slices,
    "slice_by_size": slice_by_size,
    "softmax": softmax,
    "softplus": unary,
    "softplus_parametric": softplus_parametric,
    "softsign": unary,
    "split": split,
    "sqrt": within(0, 9),
    "square": unary,
    "squeeze": squeeze,
    "stack": stack,
    "sub": pair,
    "tan": within(-1.4, 1.4),
    "tanh": unary,
    "threshold": with_numbers("alpha"),
    "thresholded_relu": with_numbers("alpha"),
    "tile": tile,
    "topk": topk,
    "transpose": transpose,
}
