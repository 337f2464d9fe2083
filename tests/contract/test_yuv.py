from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samesight.contract.errors import SamesightError
from samesight.contract.random_images import Generator, random_image
from samesight.contract.yuv import _TO_RGB, _TO_YUV, Plane, Yuv420, rgb_to_yuv420, yuv420_from_bytes, yuv420_to_rgb

MATRICES = {"bt601": (Fraction("0.299"), Fraction("0.114")), "bt709": (Fraction("0.2126"), Fraction("0.0722"))}
RANGES = {"video": (16, Fraction(219, 255), Fraction(224, 255)), "full": (0, Fraction(1), Fraction(1))}
LAYOUTS = ["i420", "nv12", "nv21"]
KINDS = [(m, r) for m in MATRICES for r in RANGES]


def nearest(value):
    return (value * 65536 + Fraction(1, 2)).__floor__()


@pytest.mark.parametrize(("matrix", "range"), KINDS)
def test_coefficients_are_those_of_the_standards(matrix, range):
    red, blue = MATRICES[matrix]
    green = 1 - red - blue
    _, luma, chroma = RANGES[range]
    to_blue, to_red = 2 * (1 - blue) / chroma, 2 * (1 - red) / chroma
    expected = (1 / luma, to_red, to_blue * blue / green, to_red * red / green, to_blue)
    assert _TO_RGB[matrix, range] == tuple(nearest(c) for c in expected)
    y, u, v = _TO_YUV[matrix, range]
    assert (y[0], y[2], sum(y)) == (nearest(red * luma), nearest(blue * luma), nearest(luma))
    half = nearest(chroma / 2)
    assert (u[0], u[2], sum(u)) == (-nearest(red / (1 - blue) * chroma / 2), half, 0)
    assert (v[0], v[2], sum(v)) == (half, -nearest(blue / (1 - red) * chroma / 2), 0)


@pytest.mark.parametrize(
    ("matrix", "range", "expected"),
    [
        ("bt601", "video", [[0, 0, 0], [255, 255, 255], [254, 0, 0], [0, 255, 1], [106, 241, 255]]),
        ("bt601", "full", [[16, 16, 16], [235, 235, 235], [238, 14, 14], [13, 238, 14], [105, 224, 255]]),
        ("bt709", "video", [[0, 0, 0], [255, 255, 255], [255, 24, 0], [0, 216, 0], [92, 235, 255]]),
        ("bt709", "full", [[16, 16, 16], [235, 235, 235], [255, 36, 10], [0, 203, 8], [93, 218, 255]]),
    ],
)
def test_known_colours(matrix, range, expected):
    samples = [(16, 128, 128), (235, 128, 128), (81, 90, 240), (145, 54, 34), (200, 200, 60)]
    planes = [[Plane(bytes([value]), 1) for value in sample] for sample in samples]
    assert [yuv420_to_rgb(Yuv420(1, 1, *p), matrix, range)[0, 0].tolist() for p in planes] == expected


def clamp(value):
    return min(max(value, 0), 255)


def rgb_by_the_text(frame, matrix, range):
    c0, c1, c2, c3, c4 = _TO_RGB[matrix, range]
    black = RANGES[range][0]

    def sample(plane, x, y):
        return int(plane.data[y * plane.row_stride + x * plane.pixel_stride])

    result = np.zeros((frame.height, frame.width, 3), np.uint8)
    for y, x in np.ndindex(frame.height, frame.width):
        e, d = sample(frame.u, x // 2, y // 2) - 128, sample(frame.v, x // 2, y // 2) - 128
        luma = c0 * (sample(frame.y, x, y) - black) + 32768
        totals = (luma + c1 * d, luma - c2 * e - c3 * d, luma + c4 * e)
        assert all(-(2**31) <= total < 2**31 for total in totals)
        result[y, x] = [clamp(total >> 16) for total in totals]
    return result


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**64 - 1), st.data())
def test_any_strides_follow_the_text(width, height, seed, data):
    def plane(across, down):
        pixel = data.draw(st.integers(1, 3))
        row = (across - 1) * pixel + 1 + data.draw(st.integers(0, 5))
        # No padding after the last sample, as on Android.
        return Plane(Generator(seed).bytes((down - 1) * row + (across - 1) * pixel + 1), row, pixel)

    cw, ch = (width + 1) // 2, (height + 1) // 2
    frame = Yuv420(width, height, plane(width, height), plane(cw, ch), plane(cw, ch))
    matrix, range = data.draw(st.sampled_from(KINDS))
    assert np.array_equal(yuv420_to_rgb(frame, matrix, range), rgb_by_the_text(frame, matrix, range))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (7, 5), (8, 3)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_hold_the_same_samples(layout, width, height):
    image = random_image(Generator(3), width, height)
    data = rgb_to_yuv420(image, layout, "bt709", "full")
    cw, ch = (width + 1) // 2, (height + 1) // 2
    assert len(data) == width * height + 2 * cw * ch
    planar = rgb_to_yuv420(image, "i420", "bt709", "full")
    y, u, v = planar[: width * height], planar[width * height :][: cw * ch], planar[width * height + cw * ch :]
    turns = {
        "i420": u + v,
        "nv12": bytes(sum(zip(u, v, strict=True), ())),
        "nv21": bytes(sum(zip(v, u, strict=True), ())),
    }
    assert data == y + turns[layout]
    expected = yuv420_to_rgb(yuv420_from_bytes(planar, width, height, "i420"), "bt709", "full")
    assert np.array_equal(yuv420_to_rgb(yuv420_from_bytes(data, width, height, layout), "bt709", "full"), expected)


def planes_by_the_text(image, matrix, range):
    height, width, _ = image.shape
    black = RANGES[range][0]
    rgb = image.astype(int)

    def weigh(weights, colour, offset):
        return clamp(((sum(w * int(c) for w, c in zip(weights, colour, strict=True)) + 32768) >> 16) + offset)

    y, u, v = _TO_YUV[matrix, range]
    luma = [weigh(y, rgb[row, x], black) for row, x in np.ndindex(height, width)]
    means = []
    for row, x in np.ndindex((height + 1) // 2, (width + 1) // 2):
        rows, columns = [2 * row, min(2 * row + 1, height - 1)], [2 * x, min(2 * x + 1, width - 1)]
        means.append((sum(rgb[r, c] for r in rows for c in columns) + 2) >> 2)
    return bytes(luma) + bytes(weigh(u, m, 128) for m in means) + bytes(weigh(v, m, 128) for m in means)


@pytest.mark.parametrize(("matrix", "range"), KINDS)
def test_planes_follow_the_text(matrix, range):
    for width, height in ((1, 1), (6, 4), (7, 5)):
        for image in (random_image(Generator(8), width, height), np.eye(3, dtype=np.uint8)[None] * np.uint8(255)):
            assert rgb_to_yuv420(image, "i420", matrix, range) == planes_by_the_text(image, matrix, range)


@pytest.mark.parametrize(("matrix", "range"), KINDS)
def test_flat_colours_come_back_within_two_levels(matrix, range):
    for colour in ((0, 0, 0), (255, 255, 255), (200, 30, 90), (1, 254, 128), (255, 0, 0), (0, 255, 0), (0, 0, 255)):
        image = np.full((5, 7, 3), colour, np.uint8)
        data = rgb_to_yuv420(image, "nv21", matrix, range)
        back = yuv420_to_rgb(yuv420_from_bytes(data, 7, 5, "nv21"), matrix, range)
        assert np.abs(back.astype(int) - image).max() <= 2


@pytest.mark.parametrize("level", [0, 1, 77, 254, 255])
def test_grey_stays_neutral(level):
    for matrix, range in KINDS:
        data = rgb_to_yuv420(np.full((2, 2, 3), level, np.uint8), "i420", matrix, range)
        assert data[4:] == bytes([128, 128])
        assert len(set(yuv420_to_rgb(yuv420_from_bytes(data, 2, 2, "i420"), matrix, range)[0, 0].tolist())) == 1


def test_matrix_and_range_are_told_apart():
    data = rgb_to_yuv420(random_image(Generator(1), 8, 8), "i420")
    frame = yuv420_from_bytes(data, 8, 8, "i420")
    assert len({yuv420_to_rgb(frame, *kind).tobytes() for kind in KINDS}) == 4


def test_short_buffers_and_strides_are_refused():
    with pytest.raises(SamesightError, match=r"a nv12 frame of 5 x 3 has 27 bytes, this one 26; check its size"):
        yuv420_from_bytes(bytes(26), 5, 3, "nv12")
    good = Plane(bytes(15), 5)
    chroma = Plane(bytes(6), 3)
    with pytest.raises(SamesightError, match=r"plane y: 14 bytes, but 5 x 3 samples .* need 15"):
        yuv420_to_rgb(Yuv420(5, 3, Plane(bytes(14), 5), chroma, chroma))
    with pytest.raises(
        SamesightError, match=r"plane v: a row of 3 samples does not fit row stride 4 with pixel stride 2"
    ):
        yuv420_to_rgb(Yuv420(5, 3, good, chroma, Plane(bytes(60), 4, 2)))
    with pytest.raises(SamesightError, match="pixel stride 0"):
        yuv420_to_rgb(Yuv420(5, 3, good, Plane(bytes(60), 4, 0), chroma))
    with pytest.raises(SamesightError, match="not 0 x 3"):
        yuv420_to_rgb(Yuv420(0, 3, good, chroma, chroma))
