"""Training sees what a phone sees, and boxes stay where things are."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from samesight.contract.framing import frame
from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Crop, Input, Letterbox, Stretch
from samesight.datasets.example import Example, Truth
from samesight.training.augmentation import make_augmentation
from samesight.training.dataset import FramedImages, make_loader
from samesight.training.tasks.detection import collate_boxes, frame_boxes
from samesight.training.tasks.table import TASKS

FRAMINGS = [Stretch(), Letterbox(), Crop(resize_shorter=48)]


def spec_of(framing, width=48, height=32):
    return Input(width=width, height=height, framing=framing, mean=(0.5,) * 3, std=(0.25,) * 3)


def example_of(width, height, boxes=(), seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    truth = Truth(
        label=seed % 3,
        boxes=np.asarray(boxes, np.float32).reshape(-1, 4),
        labels=np.arange(len(boxes), dtype=np.int64),
    )
    return Example(str(seed), lambda: pixels, truth)


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: framing.rule)
def test_images_are_the_contracts_input_tensor(framing):
    spec = spec_of(framing)
    example = example_of(91, 57)
    tensor, _ = preprocess(Picture(example.pixels), spec)
    image, label, index = FramedImages([example], spec, TASKS["classification"].item)[0]
    assert image.dtype == torch.uint8 and image.is_contiguous()
    assert np.array_equal(image.permute(1, 2, 0).numpy(), tensor)
    assert (label, index) == (0, 0)


@settings(max_examples=100, deadline=None)
@given(st.integers(20, 300), st.integers(20, 300), st.sampled_from(FRAMINGS), st.data())
def test_boxes_find_back_to_the_image(width, height, framing, data):
    where = frame(width, height, spec_of(framing))
    x1, x2 = sorted(data.draw(st.lists(st.floats(0, width), min_size=2, max_size=2)))
    y1, y2 = sorted(data.draw(st.lists(st.floats(0, height), min_size=2, max_size=2)))
    box = np.array([[x1, y1, x2, y2]], np.float32)
    moved = frame_boxes(box, where)
    back = where.to_upright(moved)
    assert (moved >= 0).all() and (moved <= [48, 32, 48, 32]).all()
    if framing.rule != "crop":
        assert np.abs(back - box).max() < 1e-3 * max(width, height)


@pytest.mark.parametrize("name", ["glyphs", "photos"])
def test_augmented_boxes_follow_what_is_in_the_image(name):
    """A bright rectangle on a dark ground is found again inside its changed box."""
    torch.manual_seed(0)
    pixels = np.full((96, 96, 3), 20, np.uint8)
    pixels[30:60, 40:64] = 235
    truth = Truth(boxes=np.array([[40, 30, 64, 60]], np.float32), labels=np.array([4]))
    spec = spec_of(Stretch(), 96, 96)
    images = FramedImages(
        [Example("one", lambda: pixels, truth)],
        spec,
        TASKS["detection"].item,
        make_augmentation(name, "detection", 96, 96),
    )
    seen = set()
    for _ in range(30):
        image, boxes, labels, _ = images[0]
        assert image.shape == (3, 96, 96) and labels.tolist() == [4]
        x1, y1, x2, y2 = boxes[0].round().int().tolist()
        seen.add((x1, y1, x2, y2))
        grey = image.float().mean(0)
        inside, around = grey[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1], grey.clone()
        around[max(y1 - 1, 0) : y2 + 1, max(x1 - 1, 0) : x2 + 1] = float("nan")
        outside = around[~around.isnan()]
        assert inside.std() < 25
        # What a shift uncovers is grey; all else outside is ground.
        assert (inside.mean() - outside.median()).abs() > 60
    assert len(seen) > 10


@pytest.mark.parametrize("name", ["glyphs", "photos"])
def test_augmented_images_keep_their_size_and_change(name):
    spec = spec_of(Stretch())
    images = FramedImages(
        [example_of(48, 32)], spec, TASKS["classification"].item, make_augmentation(name, "classification", 48, 32)
    )
    first, again = images[0][0], images[0][0]
    assert first.shape == again.shape == (3, 32, 48) and first.dtype == torch.uint8
    assert not torch.equal(first, again)
    assert make_augmentation("none", "detection", 48, 32) is None


def test_batches_pad_boxes_with_no_label():
    spec = spec_of(Letterbox())
    examples = [example_of(60, 40, [(2, 2, 20, 20)] * k, seed=k) for k in (2, 0, 1)]
    images = FramedImages(examples, spec, TASKS["detection"].item)
    pixels, boxes, labels, indices = collate_boxes([images[i] for i in range(3)])
    assert pixels.shape == (3, 3, 32, 48) and boxes.shape == (3, 2, 4)
    assert labels.tolist() == [[0, 1], [-1, -1], [0, -1]] and indices.tolist() == [0, 1, 2]


def test_boxes_that_a_crop_leaves_out_are_left_out():
    spec = spec_of(Crop(resize_shorter=48), 48, 48)
    images = FramedImages([example_of(480, 48, [(0, 0, 30, 30), (230, 10, 250, 30)])], spec, TASKS["detection"].item)
    _, boxes, labels, _ = images[0]
    assert labels.tolist() == [1] and boxes.tolist() == [[14, 10, 34, 30]]


def test_images_beyond_memory_are_read_when_needed(monkeypatch):
    spec = spec_of(Letterbox())
    examples = [example_of(60, 40, [(2, 2, 20, 20)], seed=k) for k in range(3)]
    kept = FramedImages(examples, spec, TASKS["detection"].item)
    monkeypatch.setattr("samesight.training.dataset.CACHE_BYTES", 0)
    fresh = FramedImages(examples, spec, TASKS["detection"].item)
    assert kept.in_memory and not fresh.in_memory
    for i in range(3):
        assert torch.equal(kept[i][0], fresh[i][0]) and torch.equal(kept[i][1], fresh[i][1])
        assert kept.truth(i)[1] == fresh.truth(i)[1]


def test_the_order_is_decided_by_seed_and_epoch():
    images = FramedImages(
        [example_of(48, 32, seed=k) for k in range(20)], spec_of(Stretch()), TASKS["classification"].item
    )

    def order(seed, epoch):
        loader = make_loader(
            images, TASKS["classification"].collate, 4, shuffle=True, processes=0, seed=seed, single=True
        )
        loader.sampler.set_epoch(epoch)
        return [index for batch in loader for index in batch[2].tolist()]

    assert order(1, 2) == order(1, 2) != order(1, 3) and order(2, 2) != order(1, 2)
    assert sorted(order(1, 2)) == list(range(20))
