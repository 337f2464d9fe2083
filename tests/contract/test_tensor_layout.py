import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samesight.contract.random_images import Generator
from samesight.contract.tensor_layout import dequantize, pack

EVERY = np.arange(256, dtype=np.uint8).reshape(8, 32, 1)
COLOUR = Generator(4).bytes(6 * 5 * 3).reshape(6, 5, 3)


def test_int8_is_pixel_minus_128():
    for tensor in (EVERY, COLOUR):
        packed = pack(tensor, "int8_nhwc")
        assert packed.dtype == np.int8 and packed.shape == (1, *tensor.shape)
        assert np.array_equal(packed[0].astype(int), tensor.astype(int) - 128)
        assert np.array_equal(dequantize(packed, 1.0, -128)[0], tensor.astype(np.float32))


def test_floats_are_the_levels():
    nhwc, nchw = pack(COLOUR, "float32_nhwc"), pack(COLOUR, "float32_nchw")
    assert nhwc.dtype == nchw.dtype == np.float32
    assert np.array_equal(nhwc[0], COLOUR)
    assert nchw.shape == (1, 3, 6, 5) and nchw.flags.c_contiguous
    for channel in range(3):
        assert np.array_equal(nchw[0, channel], COLOUR[:, :, channel])
    assert pack(EVERY, "float32_nchw").shape == (1, 1, 8, 32)


def test_bgra_has_channel_0_in_the_red_slot():
    packed = pack(COLOUR, "bgra8_nhwc")
    assert packed.dtype == np.uint8 and packed.shape == (1, 6, 5, 4)
    assert np.array_equal(packed[0, :, :, 2::-1], COLOUR)
    assert (packed[..., 3] == 255).all()
    grey = pack(EVERY, "bgra8_nhwc")
    assert np.array_equal(grey[0], np.concatenate([EVERY] * 3 + [np.full_like(EVERY, 255)], axis=2))


@pytest.mark.parametrize("input_layout", ["int8_nhwc", "float32_nhwc", "float32_nchw", "bgra8_nhwc"])
def test_packed_arrays_are_contiguous_copies(input_layout):
    tensor = COLOUR.copy()
    packed = pack(tensor, input_layout)
    assert packed.flags.c_contiguous
    before = packed.copy()
    tensor[:] = 0
    assert np.array_equal(packed, before)


@given(
    st.sampled_from([np.int8, np.uint8]),
    st.floats(1e-6, 1e3, width=64),
    st.integers(-128, 255),
)
def test_dequantization_is_one_float32_product(dtype, scale, zero_point):
    limits = np.iinfo(dtype)
    q = np.arange(limits.min, limits.max + 1, dtype=dtype)
    real = dequantize(q, scale, zero_point)
    assert real.dtype == np.float32
    expected = [np.float32(float(np.float32(int(v) - zero_point)) * float(np.float32(scale))) for v in q]
    assert real.tolist() == [float(v) for v in expected]
