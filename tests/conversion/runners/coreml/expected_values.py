"""Operators whose value coremltools does not infer: random inputs, and the value by NumPy, loops or arithmetic.

Each function gives (inputs, expected values); formulas are those of MIL's documentation, written another way than in
the evaluator.
"""

import itertools
import math

import numpy as np

FLOAT = np.float32


def normal(rng, *lengths):
    return rng.standard_normal(lengths).astype(FLOAT)


def windows(x, extent, strides, both, value):
    """[N, C, *out, *extent] windows of x after padding."""
    padded = np.pad(x, [(0, 0), (0, 0), *both], constant_values=value)
    axes = tuple(range(2, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=axes)
    return view[(slice(None), slice(None), *(slice(None, None, stride) for stride in strides))]


def same_padding(size, extent, strides, lower):
    both = []
    for length, kernel, stride in zip(size, extent, strides, strict=True):
        out = math.ceil(length / stride)
        total = max(0, (out - 1) * stride + kernel - length)
        small = math.floor(total / 2)
        both.append((total - small, small) if lower else (small, total - small))
    return both


def any_padding(rng, size, extent, strides):
    """A pad type, the `pad` that goes with it, and the resulting pairs."""
    kind = ["valid", "same", "same_lower", "custom"][rng.integers(4)]
    if kind == "valid":
        return kind, None, [(0, 0)] * len(size)
    if kind == "custom":
        both = [tuple(int(n) for n in rng.integers(0, kernel // 2 + 1, 2)) for kernel in extent]
        return kind, np.array(both, np.int32).reshape(-1), both
    return kind, None, same_padding(size, extent, strides, kind == "same_lower")


def conv(rng):
    rank = int(rng.integers(1, 3))
    groups, inside, outside = (int(n) for n in rng.integers(1, 4, 3))
    kernel = [int(n) for n in rng.integers(1, 4, rank)]
    dilations = [int(n) for n in rng.integers(1, 3, rank)]
    strides = [int(n) for n in rng.integers(1, 3, rank)]
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    size = [int(n) + 5 for n in rng.integers(0, 4, rank)]
    x = normal(rng, 2, groups * inside, *size)
    weight = normal(rng, groups * outside, inside, *kernel)
    kind, pad, both = any_padding(rng, size, extent, strides)
    inputs = {"x": x, "weight": weight, "strides": strides, "dilations": dilations, "groups": groups, "pad_type": kind}
    if pad is not None:
        inputs["pad"] = pad
    bias = normal(rng, groups * outside) if rng.random() < 0.5 else None
    if bias is not None:
        inputs["bias"] = bias
    view = windows(x, extent, strides, both, 0)
    view = view[(..., *(slice(None, None, dilation) for dilation in dilations))]
    flat = view.reshape(2, groups, inside, *view.shape[2 : 2 + rank], -1)
    matrix = weight.reshape(groups, outside, inside, -1)
    made = np.einsum("ngi...k,goik->ngo...", flat.astype(np.float64), matrix)
    made = made.reshape(2, groups * outside, *view.shape[2 : 2 + rank])
    return inputs, made if bias is None else made + bias.reshape(-1, *[1] * rank)


def conv_transpose(rng):
    """Each input element spreads the kernel over the output."""
    groups, inside, outside = (int(n) for n in rng.integers(1, 3, 3))
    kernel, strides, dilations = ([int(n) for n in rng.integers(1, 4, 2)] for _ in range(3))
    size = [int(n) for n in rng.integers(2, 5, 2)]
    x, weight = normal(rng, 1, groups * inside, *size), normal(rng, groups * inside, outside, *kernel)
    whole = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(size, strides, kernel, dilations, strict=True)]
    made = np.zeros((1, groups * outside, *whole))
    for group, i, o in itertools.product(range(groups), range(inside), range(outside)):
        source, target = group * inside + i, group * outside + o
        for r, c, u, v in itertools.product(*map(range, (*size, *kernel))):
            place = r * strides[0] + u * dilations[0], c * strides[1] + v * dilations[1]
            made[0, target, *place] += x[0, source, r, c] * weight[source, o, u, v]
    inputs = {"x": x, "weight": weight, "strides": strides, "dilations": dilations, "groups": groups}
    kind = ["valid", "custom", "same"][rng.integers(3)]
    if kind == "same":
        wanted = [n * s for n, s in zip(size, strides, strict=True)]
        begins = [max(w - n, 0) // 2 for w, n in zip(whole, wanted, strict=True)]
        made = np.pad(made, [(0, 0), (0, 0), *[(0, max(n - w, 0)) for w, n in zip(whole, wanted, strict=True)]])
        made = made[:, :, begins[0] : begins[0] + wanted[0], begins[1] : begins[1] + wanted[1]]
    elif kind == "custom":
        crop = [int(rng.integers(0, max(1, (n - 1) // 2))) for n in whole for _ in range(2)]
        inputs["pad"] = np.array(crop, np.int32)
        made = made[:, :, crop[0] : whole[0] - crop[1], crop[2] : whole[1] - crop[3]]
    return {**inputs, "pad_type": kind}, made


def pool(rng, reduce, value):
    rank = int(rng.integers(1, 3))
    kernel, strides = ([int(n) for n in rng.integers(1, 4, rank)] for _ in range(2))
    size = [int(n) + 4 for n in rng.integers(0, 4, rank)]
    x = normal(rng, 2, 3, *size)
    kind, pad, both = any_padding(rng, size, kernel, strides)
    inputs = {"x": x, "kernel_sizes": kernel, "strides": strides, "pad_type": kind}
    if pad is not None:
        inputs["pad"] = pad
    if kind in ("valid", "custom") and all(before == after for before, after in both) and rng.random() < 0.6:
        inputs["ceil_mode"] = True
        both = with_overhang(size, kernel, strides, both)
    view = windows(x.astype(np.float64), kernel, strides, both, value)
    return inputs, reduce(view, tuple(range(-rank, 0)))


def with_overhang(size, kernel, strides, both):
    """MIL's `ceil_mode`: what hangs over is more padding at the end (apple/coremltools#2772).

    A last window behind the map and its padding before is dropped, if there is padding.
    """
    extended = []
    for length, extent, stride, (before, after) in zip(size, kernel, strides, both, strict=True):
        starts = list(range(0, length + before + after - extent + stride, stride))
        if before and starts[-1] >= length + before:
            starts.pop()
        extended.append((before, max(after, starts[-1] + extent - length - before)))
    return extended


def max_pool(rng):
    return pool(rng, np.max, -np.inf)


def l2_pool(rng):
    return pool(rng, lambda view, axes: np.sqrt((view**2).sum(axes)), 0)


def avg_pool(rng):
    exclude = bool(rng.random() < 0.5)
    inputs, made = pool(rng, np.nanmean if exclude else np.mean, np.nan if exclude else 0)
    return {**inputs, "exclude_padding_from_average": exclude}, made


def batch_norm(rng):
    x = normal(rng, 2, 3, 4, 5)
    mean, gamma, beta = (normal(rng, 3) for _ in range(3))
    variance = rng.uniform(0.1, 2, 3).astype(FLOAT)
    inputs = {"x": x, "mean": mean, "variance": variance, "gamma": gamma, "beta": beta, "epsilon": FLOAT(1e-3)}
    mean, variance, gamma, beta = (each.reshape(3, 1, 1) for each in (mean, variance, gamma, beta))
    return inputs, gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta


def instance_norm(rng):
    x, gamma, beta = normal(rng, 2, 3, 4, 5), normal(rng, 3), normal(rng, 3)
    made = (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 1e-3)
    inputs = {"x": x, "gamma": gamma, "beta": beta, "epsilon": FLOAT(1e-3)}
    return inputs, made * gamma.reshape(3, 1, 1) + beta.reshape(3, 1, 1)


def local_response_norm(rng):
    x, size = normal(rng, 1, 7, 2, 3), 3
    made = np.zeros_like(x)
    for channel in range(7):
        near = x[:, max(0, channel - 1) : channel + 2]
        made[:, channel] = x[:, channel] / (1.5 + 0.2 / size * (near**2).sum(1)) ** 0.7
    return {"x": x, "size": size, "alpha": FLOAT(0.2), "beta": FLOAT(0.7), "k": FLOAT(1.5)}, made


def attention(rng):
    query, key, value = normal(rng, 2, 3, 4), normal(rng, 2, 5, 4), normal(rng, 2, 5, 6)
    weights = np.exp(query @ key.transpose(0, 2, 1) / 2)
    inputs = {"query": query, "key": key, "value": value}
    return inputs, weights / weights.sum(-1, keepdims=True) @ value


def silu(rng):
    x = normal(rng, 3, 4)
    return {"x": x}, x / (1 + np.exp(-x))


def flatten2d(rng):
    x, axis = normal(rng, 2, 3, 4), int(rng.integers(1, 3))
    return {"x": x, "axis": axis}, x.reshape(math.prod(x.shape[:axis]), -1)


def reshape_like(rng):
    x = normal(rng, 6, 20)
    inputs = {"x": x, "ref_tensors": [normal(rng, 2, 3, 4), normal(rng, 1, 4, 5)]}
    inputs |= {"begins": [np.int32(0), np.int32(1)], "ends": [np.int32(2), np.int32(0)]}
    return {**inputs, "end_masks": [np.bool_(False), np.bool_(True)]}, x.reshape(2, 3, 4, 5)


def blocks(rng, to_space, channel_first):
    """Depth to space by the position of every element."""
    n, c, h, w, f = 2, int(rng.integers(1, 3)), *(int(k) for k in rng.integers(1, 4, 2)), int(rng.integers(2, 4))
    deep, wide = normal(rng, n, c * f * f, h, w), np.zeros((n, c, h * f, w * f), FLOAT)
    for channel, row, column, u, v in itertools.product(range(c), range(h), range(w), range(f), range(f)):
        source = channel * f * f + u * f + v if channel_first else (u * f + v) * c + channel
        wide[:, channel, row * f + u, column * f + v] = deep[:, source, row, column]
    return (deep, wide, f) if to_space else (wide, deep, f)


def depth_to_space(rng):
    x, made, f = blocks(rng, True, False)
    return {"x": x, "block_size": f}, made


def space_to_depth(rng):
    x, made, f = blocks(rng, False, False)
    return {"x": x, "block_size": f}, made


def pixel_shuffle(rng):
    x, made, f = blocks(rng, True, True)
    return {"x": x, "upscale_factor": f}, made


def pixel_unshuffle(rng):
    x, made, f = blocks(rng, False, True)
    return {"x": x, "downscale_factor": np.uint32(f)}, made


def sliding_windows(rng):
    x, size, stride = normal(rng, 2, 9, 3), int(rng.integers(1, 5)), int(rng.integers(1, 4))
    made = np.stack([x[:, i : i + size] for i in range(0, 9 - size + 1, stride)], 1)
    return {"x": x, "axis": [1, -2][rng.integers(2)], "size": size, "stride": stride}, made


def points(source, target, mode):
    """MIL's formulas, one sample at a time."""
    found = []
    for i in range(target):
        if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
            if target == 1:
                place = 0.0 if mode == "STRICT_ALIGN_CORNERS" else (source - 1) / 2
            else:
                place = i * (source - 1) / (target - 1)
        elif mode == "DEFAULT":
            place = i * (source - source / target) / (target - 1) if target > 1 else 0.0
        elif mode == "OFFSET_CORNERS":
            delta = max(1, source - 1) / target
            place = 0.5 * delta + i * delta
        else:
            spacing = source / target
            place = i * spacing + 0.5 * spacing - 0.5
        found.append(min(source - 1, max(0, place)))
    return found


def bilinear(x, height, width, mode):
    made = np.zeros((*x.shape[:-2], height, width))
    rows, columns = points(x.shape[-2], height, mode), points(x.shape[-1], width, mode)
    for (i, y), (j, z) in itertools.product(enumerate(rows), enumerate(columns)):
        a, b = int(y), int(z)
        c, d = min(a + 1, x.shape[-2] - 1), min(b + 1, x.shape[-1] - 1)
        top = x[..., a, b] * (1 - (z - b)) + x[..., a, d] * (z - b)
        bottom = x[..., c, b] * (1 - (z - b)) + x[..., c, d] * (z - b)
        made[..., i, j] = top * (1 - (y - a)) + bottom * (y - a)
    return made


MODES = ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "UNALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS")


def image_and_target(rng):
    x = normal(rng, 1, 2, *(int(n) for n in rng.integers(2, 7, 2)))
    return x, *(int(n) for n in rng.integers(1, 12, 2))


def resize_bilinear(rng):
    x, height, width = image_and_target(rng)
    mode = MODES[rng.integers(5)]
    inputs = {"x": x, "target_size_height": height, "target_size_width": width, "sampling_mode": mode}
    return inputs, bilinear(x, height, width, mode)


def resize(rng):
    x, height, width = image_and_target(rng)
    mode = MODES[rng.integers(5)]
    shape = np.array([1, 0 if rng.random() < 0.3 else height, width], np.int32)
    inputs = {"x": x, "shape": shape, "resized_dims": np.uint32(2), "sampling_mode": mode}
    return {**inputs, "interpolation_mode": "LINEAR"}, bilinear(x, int(shape[1]) or x.shape[2], width, mode)


def upsample_bilinear(rng):
    x, corners = normal(rng, 1, 2, *(int(n) for n in rng.integers(2, 6, 2))), bool(rng.random() < 0.5)
    factors = [[1, 2, 3][rng.integers(3)], [1.5, 2.0, 2.5][rng.integers(3)]]
    inputs = {"x": x, "scale_factor_height": FLOAT(factors[0]), "scale_factor_width": FLOAT(factors[1])}
    height, width = (int(n * f) for n, f in zip(x.shape[2:], factors, strict=True))
    inputs["align_corners"] = corners
    mode = "STRICT_ALIGN_CORNERS" if corners else "UNALIGN_CORNERS"
    if not corners and rng.random() < 0.5:
        inputs["half_pixel_centers"], mode = False, "DEFAULT"
    return inputs, bilinear(x, height, width, mode)


def nearest(x, height, width, centre):
    """`centre` is where in the first sample its position is: 1/2 for resize, 0 for upsample."""
    rows = [math.floor((i + centre) * x.shape[-2] / height) for i in range(height)]
    columns = [math.floor((j + centre) * x.shape[-1] / width) for j in range(width)]
    return x[..., rows, :][..., columns]


def resize_nearest_neighbor(rng):
    """As TensorFlow with half-pixel centres: coremltools' TensorFlow frontend, whose tests run on Core ML."""
    x, height, width = image_and_target(rng)
    height, width = (max(target, 2) for target in (height, width))
    return {"x": x, "target_size_height": height, "target_size_width": width}, nearest(x, height, width, 0.5)


def upsample_nearest_neighbor(rng):
    """Fractions as in Apple's TestUpsampleNearestNeighborFractionalScales: 2 of 3 elements are the first two."""
    x, height, width = normal(rng, 1, 2, 3, 3), int(rng.integers(1, 4)), [0.67, 1.0, 1.34, 2.0][rng.integers(4)]
    inputs = {"x": x, "scale_factor_height": FLOAT(height), "scale_factor_width": FLOAT(width)}
    return inputs, nearest(x, 3 * height, math.floor(3 * width), 0)


def update(old, new, mode):
    operations = {"add": old + new, "sub": old - new, "mul": old * new, "div": old / new, "update": new}
    return {**operations, "max": max(old, new), "min": min(old, new)}[mode]


UPDATES = ("add", "sub", "mul", "div", "max", "min", "update")


def scatter(rng):
    data, mode = normal(rng, 4, 3), UPDATES[rng.integers(7)]
    indices = rng.permutation(4)[:2] if mode == "update" else rng.integers(0, 4, 3)
    updates = normal(rng, len(indices), 3)
    made = data.copy()
    for i, place in enumerate(indices):
        for column in range(3):
            made[place, column] = update(made[place, column], updates[i, column], mode)
    return {"data": data, "indices": indices.astype(np.int32), "updates": updates, "axis": 0, "mode": mode}, made


def scatter_along_axis(rng):
    data, mode = normal(rng, 4, 5), UPDATES[rng.integers(7)]
    indices = np.stack([rng.permutation(5)[:3] for _ in range(4)]).astype(np.int32)
    updates, made = normal(rng, 4, 3), data.copy()
    for row, column in itertools.product(range(4), range(3)):
        place = indices[row, column]
        made[row, place] = update(made[row, place], updates[row, column], mode)
    return {"data": data, "indices": indices, "updates": updates, "axis": 1, "mode": mode}, made


def scatter_nd(rng):
    data, mode = normal(rng, 3, 4, 2), UPDATES[rng.integers(7)]
    flat = rng.permutation(12)[:5]
    indices = np.stack([flat // 4, flat % 4], 1).astype(np.int32)
    updates, made = normal(rng, 5, 2), data.copy()
    for i, (row, column) in enumerate(indices):
        for last in range(2):
            made[row, column, last] = update(made[row, column, last], updates[i, last], mode)
    return {"data": data, "indices": indices, "updates": updates, "mode": mode}, made


def gather_nd(rng):
    x = normal(rng, 3, 4, 2)
    indices = np.stack([rng.integers(0, 3, 5), rng.integers(0, 4, 5)], 1).astype(np.int32)
    return {"x": x, "indices": indices}, np.stack([x[i, j] for i, j in indices])


def one_hot(rng):
    indices, axis = rng.integers(0, 5, (2, 3)).astype(np.int32), [-1, 0, 1][rng.integers(3)]
    made = np.where(np.arange(5) == indices[..., None], FLOAT(3), FLOAT(-1))
    inputs = {"indices": indices, "one_hot_vector_size": np.int32(5), "axis": axis}
    return {**inputs, "on_value": FLOAT(3), "off_value": FLOAT(-1)}, np.moveaxis(made, -1, axis)


EXPECTED = {
    "avg_pool": avg_pool,
    "batch_norm": batch_norm,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "depth_to_space": depth_to_space,
    "flatten2d": flatten2d,
    "gather_nd": gather_nd,
    "instance_norm": instance_norm,
    "l2_pool": l2_pool,
    "local_response_norm": local_response_norm,
    "max_pool": max_pool,
    "one_hot": one_hot,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "reshape_like": reshape_like,
    "resize": resize,
    "resize_bilinear": resize_bilinear,
    "resize_nearest_neighbor": resize_nearest_neighbor,
    "scaled_dot_product_attention": attention,
    "scatter": scatter,
    "scatter_along_axis": scatter_along_axis,
    "scatter_nd": scatter_nd,
    "silu": silu,
    "sliding_windows": sliding_windows,
    "space_to_depth": space_to_depth,
    "upsample_bilinear": upsample_bilinear,
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
}
