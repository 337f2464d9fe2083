"""Batches made one ahead: the same as without, in the same order, with the same random changes."""

import threading

import pytest
import torch
from tests.training.test_dataset import example_of, spec_of

from samesight.contract.spec import Letterbox
from samesight.training.augmentation import make_augmentation
from samesight.training.dataset import FramedImages, make_loader
from samesight.training.prefetch import PrefetchingLoader, one_ahead
from samesight.training.tasks.table import TASKS


def epochs(ahead):
    spec = spec_of(Letterbox())
    images = FramedImages(
        [example_of(60, 40, [(2, 2, 20, 20)], seed=k) for k in range(11)],
        spec,
        TASKS["detection"].item,
        make_augmentation("glyphs", "detection", 48, 32),
    )
    loader = make_loader(
        images, TASKS["detection"].collate, 3, shuffle=True, processes=0, seed=5, single=True, ahead=ahead
    )
    assert isinstance(loader, PrefetchingLoader) == ahead
    torch.manual_seed(1)
    made = [list(loader), list(loader)]
    return made, torch.rand(1)


def test_random_changes_are_the_same_one_ahead():
    plain, drawn = epochs(False)
    ahead, drawn_ahead = epochs(True)
    assert torch.equal(drawn, drawn_ahead)
    for batches, others in zip(plain, ahead, strict=True):
        assert len(batches) == len(others) == 4
        assert all(torch.equal(a, b) for x, y in zip(batches, others, strict=True) for a, b in zip(x, y, strict=True))
    assert not torch.equal(plain[0][0][0], plain[1][0][0])


def test_the_next_batch_is_made_while_one_is_used():
    second = threading.Event()

    def batches():
        yield 1
        second.set()
        yield 2

    ahead = one_ahead(batches())
    assert next(ahead) == 1 and second.wait(10)
    assert list(ahead) == [2]


def test_what_making_a_batch_raises_comes_in_its_place():
    def batches():
        yield 1
        raise OSError("a.png: truncated")

    ahead = one_ahead(batches())
    assert next(ahead) == 1
    with pytest.raises(OSError, match=r"a\.png: truncated"):
        next(ahead)


def test_an_unfinished_epoch_leaves_no_thread():
    ahead = one_ahead(iter(range(10)))
    assert next(ahead) == 0
    ahead.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("batches")]
