"""Random compressed weights for every `constexpr_…` operator, and for dequantize. coremltools decompresses them."""

import numpy as np

FLOAT = np.float32


def affine(rng):
    data = rng.integers(-128, 128, (4, 3, 2, 2)).astype(np.int8)
    axis, vector = int(rng.integers(0, 4)), rng.random() < 0.7
    size = (data.shape[axis],) if vector else ()
    scale = rng.uniform(0.01, 0.1, size).astype(FLOAT) if vector else FLOAT(0.03)
    point = rng.integers(-128, 128, size).astype(np.int8) if vector else np.int8(5)
    return {"quantized_data": data, "scale": scale, "zero_point": point, "axis": np.int32(axis)}


def blockwise(rng):
    data = rng.integers(-128, 128, (4, 6, 2)).astype(np.int8)
    lengths = [[1, 1, 1], [4, 1, 1], [2, 3, 1], [4, 2, 2]][rng.integers(4)]
    case = {"data": data, "scale": rng.uniform(0.01, 0.1, lengths).astype(FLOAT)}
    return {**case, "offset": rng.integers(-20, 20, lengths).astype(np.int8)} if rng.random() < 0.5 else case


def packed(numbers, bits):
    """Numbers of some bits each, packed into bytes from the lowest bit on."""
    text = "".join(format(int(number), f"0{bits}b")[::-1] for number in numbers)
    text += "0" * (-len(text) % 8)
    return np.array([int(text[i : i + 8][::-1], 2) for i in range(0, len(text), 8)], np.uint8)


def lut_of_ios16(rng):
    bits, shape = int([1, 2, 4, 6, 8][rng.integers(5)]), (3, 5, 2)
    indices = rng.integers(0, 2**bits, 30)
    lut = rng.standard_normal(2**bits).astype(FLOAT)
    return {"indices": packed(indices, bits), "lut": lut, "shape": np.array(shape, np.uint32)}


def sparse_of_ios16(rng):
    mask = rng.random((3, 7)) < 0.5
    mask[0, 0] = True
    values = rng.standard_normal(int(mask.sum())).astype(FLOAT)
    return {"nonzero_data": values, "mask": packed(mask.reshape(-1), 1), "shape": np.array((3, 7), np.uint32)}


def small(numbers, bits):
    from coremltools.converters.mil.mil import types

    return np.array(numbers).astype(types.nptype_from_builtin(types.string_to_builtin(f"uint{bits}")))


def lut_of_ios18(rng):
    bits = int([1, 2, 4, 6][rng.integers(4)])
    groups = [(1, 1, 1), (2, 1, 1), (1, 3, 2), (4, 6, 2)][rng.integers(4)]
    width = int(rng.integers(1, 4))
    indices = small(rng.integers(0, 2**bits, (4, 6, 2)), bits)
    case = {"indices": indices, "lut": rng.standard_normal((*groups, 2**bits, width)).astype(FLOAT)}
    return {**case, "vector_axis": np.int32(rng.integers(-3, 3))} if width > 1 else case


def sparse_of_ios18(rng):
    mask = rng.random((3, 7)) < 0.5
    return {"nonzero_data": rng.standard_normal(int(mask.sum())).astype(FLOAT), "mask": small(mask, 1)}


def lut_to_sparse(rng):
    mask = rng.random((4, 6)) < 0.5
    data = small(rng.integers(0, 4, int(mask.sum())), 2)
    width = int(rng.integers(1, 3))
    lut = rng.standard_normal((2, 1, 4, width)).astype(FLOAT)
    case = {"indices_mask": small(mask, 1), "indices_nonzero_data": data, "lut": lut}
    return {**case, "vector_axis": np.int32(rng.integers(0, 2))} if width > 1 else case


def sparse_blockwise(rng):
    mask = rng.random((4, 6)) < 0.5
    data = rng.integers(-128, 128, int(mask.sum())).astype(np.int8)
    lengths = [(1, 1), (4, 1), (2, 3)][rng.integers(3)]
    case = {"data_mask": small(mask, 1), "nonzero_data": data, "scale": rng.uniform(0.01, 0.1, lengths).astype(FLOAT)}
    return {**case, "offset": rng.integers(-20, 20, lengths).astype(np.int8)} if rng.random() < 0.5 else case


COMPRESSED = {
    ("constexpr_affine_dequantize", "iOS16"): affine,
    ("constexpr_cast", "iOS16"): lambda rng: (
        {"source_val": rng.standard_normal((2, 3)).astype(np.float16)} | {"output_dtype": "fp32"}
    ),
    ("constexpr_lut_to_dense", "iOS16"): lut_of_ios16,
    ("constexpr_sparse_to_dense", "iOS16"): sparse_of_ios16,
    ("constexpr_blockwise_shift_scale", "iOS18"): blockwise,
    ("constexpr_lut_to_dense", "iOS18"): lut_of_ios18,
    ("constexpr_sparse_to_dense", "iOS18"): sparse_of_ios18,
    ("constexpr_lut_to_sparse", "iOS18"): lut_to_sparse,
    ("constexpr_sparse_blockwise_shift_scale", "iOS18"): sparse_blockwise,
}
