from math import trunc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from samesight.contract.random_images import Generator, random_image, random_side
from samesight.contract.resize import Window, resize, resize_window

PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
FILTERS = sorted(PILLOW)


def kernel(name, x):
    x = abs(x)
    if name == "bilinear":
        return 1 - x if x < 1 else 0.0
    if x < 1:
        return ((1.5 * x - 2.5) * x) * x + 1
    return (((x - 5) * x + 8) * x - 4) * -0.5 if x < 2 else 0.0


def line_by_the_text(pixels, scaled, name):
    """docs/contract.md, "Resize": one line of 8-bit samples, with plain Python numbers."""
    size = len(pixels)
    scale = size / scaled
    fscale = scale if scale > 1 else 1.0
    support = {"bilinear": 1, "bicubic": 2}[name] * fscale
    inverse = 1 / fscale
    result = []
    for i in range(scaled):
        centre = (i + 0.5) * scale
        start = max(trunc(centre - support + 0.5), 0)
        stop = min(trunc(centre + support + 0.5), size)
        weight = [kernel(name, ((j - centre) + 0.5) * inverse) for j in range(start, stop)]
        total = 0.0
        for value in weight:
            total = total + value
        if total != 0:
            weight = [value / total for value in weight]
        fixed = [trunc(value * 4194304 + (0.5 if value >= 0 else -0.5)) for value in weight]
        summed = 2097152
        for pixel, factor in zip(pixels[start:stop], fixed, strict=True):
            summed += pixel * factor
            assert -(2**31) <= summed < 2**31
        result.append(min(max(summed >> 22, 0), 255))
    return result


def resize_by_the_text(image, width, height, name):
    across = [[line_by_the_text(row[:, c].tolist(), width, name) for c in range(3)] for row in image]
    wide = np.array(across, np.int64).transpose(0, 2, 1)
    down = [[line_by_the_text(wide[:, x, c].tolist(), height, name) for c in range(3)] for x in range(width)]
    return np.array(down, np.uint8).transpose(2, 0, 1)


def pass_by_pillow(image, width, height, name):
    return Image.fromarray(image).resize((width, height), PILLOW[name])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64 - 1), st.sampled_from(FILTERS))
def test_the_text_has_pillows_bits(seed, name):
    generator = Generator(seed)
    w, h, width, height = (random_side(generator, largest) for largest in (90, 90, 60, 60))
    image = random_image(generator, w, h)
    expected = np.asarray(pass_by_pillow(image, width, h, name).resize((width, height), PILLOW[name]))
    assert np.array_equal(resize_by_the_text(image, width, height, name), expected)
    assert np.array_equal(resize(image, width, height, name), expected)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(
    ("w", "h", "width", "height"),
    [(1, 1, 1, 1), (1, 1, 7, 5), (1, 400, 3, 2), (400, 1, 2, 3), (2, 2, 50, 1), (3, 500, 3, 1), (64, 48, 64, 48)],
)
def test_the_text_holds_at_the_extremes(w, h, width, height, name):
    hard = np.where(random_image(Generator(w * h), w, h) > 127, 255, 0).astype(np.uint8)
    for image in (random_image(Generator(h), w, h), hard):
        assert np.array_equal(resize_by_the_text(image, width, height, name), resize(image, width, height, name))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**64 - 1), st.sampled_from(FILTERS))
def test_pillow_in_one_call_differs_by_the_order_of_passes_alone(seed, name):
    generator = Generator(seed)
    w, h, width, height = (random_side(generator, largest) for largest in (200, 200, 150, 150))
    image = random_image(generator, w, h)
    whole = np.asarray(pass_by_pillow(image, width, height, name))
    ours = resize(image, width, height, name)
    if h > height and h - height > 2 * (w - width):
        down_first = np.asarray(pass_by_pillow(image, w, height, name).resize((width, height), PILLOW[name]))
        assert np.array_equal(whole, ours) or np.array_equal(whole, down_first)
    else:
        assert np.array_equal(whole, ours)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64 - 1), st.sampled_from(FILTERS))
def test_a_window_is_cut_from_the_whole(seed, name):
    generator = Generator(seed)
    w, h, width, height = (random_side(generator, largest) for largest in (300, 300, 200, 200))
    image = random_image(generator, w, h)
    left, top = generator.below(width), generator.below(height)
    window = Window(left, top, 1 + generator.below(width - left), 1 + generator.below(height - top))
    whole = resize(image, width, height, name)
    expected = whole[top : top + window.height, left : left + window.width]
    assert np.array_equal(resize_window(image, width, height, window, name), expected)
