import time

import numpy as np
import pytest
import torchvision.transforms as transforms
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from samesight.contract.framing import _offset, fill, frame
from samesight.contract.random_images import Generator, random_image, random_side
from samesight.contract.resize import Window, resize, resize_window
from samesight.contract.spec import Crop, Input, Letterbox, Stretch

SIDES = st.integers(1, 65_535)
INPUTS = st.integers(1, 8192)


def input_of(framing, width, height):
    return Input(width=width, height=height, framing=framing, mean=(0.0,) * 3, std=(1.0,) * 3)


@pytest.mark.parametrize(
    ("framing", "size", "image", "expected"),
    [
        (Stretch(), (224, 224), (640, 427), (224, 224, 0, 0)),
        (Crop(resize_shorter=256), (224, 224), (4000, 3000), (341, 256, -58, -16)),
        (Crop(resize_shorter=256), (224, 224), (640, 427), (383, 256, -80, -16)),
        (Crop(resize_shorter=235), (224, 160), (3000, 4000), (235, 313, -6, -76)),
        (Crop(resize_shorter=235), (224, 160), (5, 3000), (235, 141000, -6, -70420)),
        (Letterbox(), (320, 320), (640, 427), (320, 214, 0, 53)),
        (Letterbox(), (320, 320), (5, 3000), (1, 320, 159, 0)),
        (Letterbox(), (64, 48), (640, 427), (64, 43, 0, 2)),
    ],
)
def test_frames_of_the_contract(framing, size, image, expected):
    found = frame(*image, input_of(framing, *size))
    assert (found.scaled_width, found.scaled_height, found.left, found.top) == expected


def test_offset_is_pythons_rounding():
    assert [_offset(d) for d in range(3000)] == [round(d / 2.0) for d in range(3000)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_crop_is_torchvisions(seed):
    generator = Generator(seed)
    w, h = random_side(generator, 200), random_side(generator, 200)
    shorter = random_side(generator, 64)
    width, height = 1 + generator.below(shorter), 1 + generator.below(shorter)
    image = random_image(generator, w, h)
    spec = input_of(Crop(resize_shorter=shorter), width, height)
    found = frame(w, h, spec)
    resized = transforms.Resize(shorter)(Image.fromarray(image))
    assert resized.size == (found.scaled_width, found.scaled_height)
    # Cut by torchvision from our resize, so that only the rule counts and not Pillow's order of passes.
    ours = Image.fromarray(resize(image, *resized.size, "bilinear"))
    expected = np.asarray(transforms.CenterCrop((height, width))(ours))
    assert np.array_equal(fill(image, found, "bilinear"), expected)


def test_crop_of_a_photo_is_torchvisions_to_the_bit():
    image = random_image(Generator(9), 640, 427)
    spec = input_of(Crop(resize_shorter=64), 56, 56)
    server = transforms.Compose([transforms.Resize(64), transforms.CenterCrop(56)])
    assert np.array_equal(fill(image, frame(640, 427, spec), "bilinear"), np.asarray(server(Image.fromarray(image))))


@given(SIDES, SIDES, INPUTS, INPUTS)
def test_letterbox_fits_and_keeps_the_aspect(w, h, width, height):
    found = frame(w, h, input_of(Letterbox(pad=3), width, height))
    assert 1 <= found.scaled_width <= width and 1 <= found.scaled_height <= height
    assert found.scaled_width == width or found.scaled_height == height
    assert 0 <= width - found.scaled_width - 2 * found.left <= 1
    assert 0 <= height - found.scaled_height - 2 * found.top <= 1
    scale = min(width / w, height / h)
    assert abs(found.scaled_width - max(w * scale, 1)) <= 0.5 + 1e-6
    assert abs(found.scaled_height - max(h * scale, 1)) <= 0.5 + 1e-6
    assert found.pad == 3


@given(SIDES, SIDES, INPUTS, st.data())
def test_crop_covers_the_input(w, h, shorter, data):
    width, height = data.draw(st.integers(1, shorter)), data.draw(st.integers(1, shorter))
    found = frame(w, h, input_of(Crop(resize_shorter=shorter), width, height))
    assert min(found.scaled_width, found.scaled_height) == shorter
    assert found.left <= 0 and found.left + found.scaled_width >= width
    assert found.top <= 0 and found.top + found.scaled_height >= height
    # Every integer on the way fits 32 bits.
    assert max(2 * w * height + h, 2 * h * width + w, shorter * max(w, h)) < 2**31


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_letterbox_is_the_resized_image_on_its_border(seed):
    generator = Generator(seed)
    w, h, width, height = (random_side(generator, 120) for _ in range(4))
    image = random_image(generator, w, h)
    found = frame(w, h, input_of(Letterbox(pad=77), width, height))
    filled = fill(image, found, "bicubic")
    inside = filled[found.top :, found.left :][: found.scaled_height, : found.scaled_width]
    assert np.array_equal(inside, resize(image, found.scaled_width, found.scaled_height, "bicubic"))
    outside = np.ones((height, width), bool)
    outside[found.top : found.top + found.scaled_height, found.left : found.left + found.scaled_width] = False
    assert (filled[outside] == 77).all()


@pytest.mark.parametrize(("w", "h"), [(3, 700), (700, 3)])
def test_a_crop_from_an_extreme_aspect_has_the_same_bits(w, h):
    image = random_image(Generator(2), w, h)
    found = frame(w, h, input_of(Crop(resize_shorter=20), 16, 16))
    assert found.scaled_width * found.scaled_height > 64 * 16 * 16
    whole = resize(image, found.scaled_width, found.scaled_height, "bilinear")
    expected = whole[-found.top : -found.top + 16, -found.left : -found.left + 16]
    assert np.array_equal(fill(image, found, "bilinear"), expected)
    window = Window(-found.left, -found.top, 16, 16)
    scaled = (found.scaled_width, found.scaled_height)
    assert np.array_equal(resize_window(image, *scaled, window, "bilinear"), expected)


@pytest.mark.parametrize("size", [(1, 65_535), (65_535, 1)])
def test_a_crop_from_a_line_takes_no_memory(size):
    image = random_image(Generator(4), *size)
    start = time.process_time()
    filled = fill(image, frame(*size, input_of(Crop(resize_shorter=256), 224, 224)), "bilinear")
    assert filled.shape == (224, 224, 3)
    assert time.process_time() - start < 2


@settings(deadline=None)
@given(SIDES, SIDES, st.sampled_from([Stretch(), Crop(resize_shorter=300), Letterbox()]))
def test_the_middle_of_a_pixel_finds_back(w, h, framing):
    found = frame(w, h, input_of(framing, 300, 200))
    x, y = w * 0.37, h * 0.61
    there_x = x / w * found.scaled_width + found.left
    there_y = y / h * found.scaled_height + found.top
    back = found.to_upright(np.array([[there_x, there_y, 1e9, 1e9]], np.float32))[0]
    tolerance = 1e-3 + max(w, h) * 1e-4
    assert abs(back[0] - x) < tolerance and abs(back[1] - y) < tolerance
    assert back[2] == w and back[3] == h


def test_boxes_are_clipped_without_negative_zeros():
    found = frame(100, 50, input_of(Letterbox(), 64, 64))
    boxes = np.array([[-5.0, -5.0, 100.0, 100.0], [0.0, found.top, -0.0, found.top]], np.float32)
    back = found.to_upright(boxes)
    assert back.tolist() == [[0, 0, 100, 50], [0, 0, 0, 0]]
    assert not np.signbit(back).any()
