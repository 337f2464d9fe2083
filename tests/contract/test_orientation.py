import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from samesight.contract.errors import SamesightError
from samesight.contract.orientation import UPRIGHT, Orientation, from_exif, from_rotation
from samesight.contract.random_images import Generator, random_image

ALL = [Orientation(q, m) for q in range(4) for m in (False, True)]
TAG = 0x0112


@pytest.mark.parametrize("value", range(1, 9))
def test_exif_turns_like_pillow(value):
    pixels = random_image(Generator(value), 13, 7)
    image = Image.fromarray(pixels)
    image.getexif()[TAG] = value
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(from_exif(value).upright(pixels), expected)
    assert from_exif(value).exif == value


@pytest.mark.parametrize("value", [None, 0, 9, -1, "6", 6.0, (6,), [6]])
def test_nonsense_in_exif_is_upright(value):
    assert from_exif(value) == UPRIGHT


def test_eight_values_are_eight_orientations():
    assert {from_exif(value) for value in range(1, 9)} == set(ALL)


@pytest.mark.parametrize(("degrees", "turned"), [(0, 0), (90, 90), (180, 180), (270, 270)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_camera_rotation_is_clockwise_and_mirrors_last(degrees, turned, mirrored):
    pixels = random_image(Generator(1), 9, 5)
    expected = Image.fromarray(pixels).rotate(-turned, expand=True)
    if mirrored:
        expected = ImageOps.mirror(expected)
    assert np.array_equal(from_rotation(degrees, mirrored).upright(pixels), np.asarray(expected))


@pytest.mark.parametrize("orientation", ALL)
def test_pixels_follow_the_table(orientation):
    stored = random_image(Generator(3), 6, 4)
    h, w = stored.shape[:2]
    upright = orientation.upright(stored)
    upright_width, upright_height = orientation.upright_size(w, h)
    assert upright.shape == (upright_height, upright_width, 3)
    for y in range(upright_height):
        for column in range(upright_width):
            x = upright_width - 1 - column if orientation.mirrored else column
            sx = [x, y, w - 1 - x, w - 1 - y][orientation.quarter_turns]
            sy = [y, h - 1 - x, h - 1 - y, x][orientation.quarter_turns]
            assert np.array_equal(upright[y, column], stored[sy, sx])


def bounding_box(mask):
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@given(st.sampled_from(ALL), st.integers(1, 12), st.integers(1, 12), st.data())
def test_boxes_find_back_to_the_stored_image(orientation, width, height, data):
    x1, y1 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x2, y2 = data.draw(st.integers(x1 + 1, width)), data.draw(st.integers(y1 + 1, height))
    stored = np.zeros((height, width, 1), np.uint8)
    stored[y1:y2, x1:x2] = 1
    seen = np.array([bounding_box(orientation.upright(stored)[:, :, 0])], np.float64)
    assert orientation.to_stored(seen, width, height).tolist() == [[x1, y1, x2, y2]]


def test_no_boxes_stay_none():
    assert Orientation(1, True).to_stored(np.empty((0, 4)), 3, 2).shape == (0, 4)


def test_wrong_turns_are_refused():
    with pytest.raises(SamesightError, match="quarter turns, not 4"):
        Orientation(4)
    with pytest.raises(SamesightError, match="not 45"):
        from_rotation(45)
