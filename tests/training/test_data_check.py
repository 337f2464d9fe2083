"""What is said of the data before a training: all damaged images at once, classes that are few or not tested."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from samesight.contract.errors import SamesightError
from samesight.contract.spec import Input
from samesight.datasets.damaged import DamagedImages
from samesight.datasets.example import Example, Truth
from samesight.training.config import make_config
from samesight.training.data_check import balanced_weights, class_lines, limited
from samesight.training.dataset import FramedImages
from samesight.training.models.losses import detection_loss
from samesight.training.tasks.table import TASKS
from samesight.training.train import train

SPEC = Input(width=16, height=16, mean=(0,) * 3, std=(1,) * 3)


def framed(labels):
    pixels = np.zeros((16, 16, 3), np.uint8)
    examples = [Example(str(i), lambda: pixels, Truth(label=label)) for i, label in enumerate(labels)]
    return FramedImages(examples, SPEC, TASKS["classification"].item)


def photos(root, counts):
    random = np.random.default_rng(0)
    for label, count in counts.items():
        (root / label).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(random.integers(0, 256, (24, 30, 3), dtype=np.uint8)).save(root / label / f"{i:02d}.png")
    return f"folder:{root}"


def small(data, out, **changes):
    return make_config(**({"data": data, "out": out, "epochs": 1, "threads": 1, "width": 32, "height": 32} | changes))


def test_classes_are_counted_and_those_that_are_uneven_or_untested_named():
    lines = class_lines({"train": framed([0] * 9 + [1] * 2), "test": framed([0, 0])}, ("cat", "dog", "cow"), False)
    assert lines == [
        "to train on, by class: cat 9, dog 2, cow 0",
        "nothing to train on: cow; these classes will not be learnt",
        "the classes are uneven, 4 to 1; --class-weights evens the loss",
        "nothing to test: dog, cow; no metric says how well these classes are told apart",
    ]
    even = {"train": framed(list(range(20)) * 2), "test": framed(range(20))}
    assert class_lines(even, [f"c{i}" for i in range(20)], False) == ["to train on, by class: 2 (c19) to 2 (c0)"]


def test_balanced_weights_are_scikit_learns():
    from sklearn.utils.class_weight import compute_class_weight

    labels = [0] * 9 + [1] * 2 + [3] * 5
    found = balanced_weights([9, 2, 0, 5])
    wanted = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    assert found == pytest.approx((wanted[0], wanted[1], 0.0, wanted[2]))


def test_a_detectors_score_loss_is_weighted_by_class():
    torch.manual_seed(0)
    logits, distances = torch.randn(1, 16, 2), torch.rand(1, 16, 4)
    boxes, labels = torch.tensor([[[2.0, 2.0, 14.0, 14.0]]]), torch.tensor([[1]])
    given = (distances, boxes, labels, (16, 16), 4)
    plain = detection_loss(logits, *given)
    ones = detection_loss(logits, *given, torch.ones(2))
    first, second = (detection_loss(logits, *given, torch.tensor(w)) for w in ([1.0, 0.0], [0.0, 1.0]))
    assert torch.allclose(plain[0], ones[0]) and torch.equal(plain[1], ones[1])
    assert torch.allclose(first[0] + second[0], plain[0]) and first[0] > 0 and second[0] > 0


def test_a_limit_takes_of_every_class():
    examples = list(range(90))
    assert limited(examples, None) is examples and limited(examples, 90) is examples
    assert limited(examples, 4) == [0, 22, 45, 67]


@pytest.mark.slow
def test_all_damaged_images_are_named_at_once_and_left_out_on_demand(tmp_path, monkeypatch):
    source = photos(tmp_path / "data", {"a": 20, "b": 60})
    damaged = [tmp_path / "data" / name for name in ("a/03.png", "b/01.png", "b/02.png", "b/30.png", "b/59.png")]
    for path in damaged[:3]:
        path.write_bytes(b"")
    damaged[3].write_bytes(damaged[3].read_bytes()[:-200])
    damaged[4].write_bytes(b"text")
    for cached in (True, False):
        monkeypatch.setattr("samesight.training.dataset.CACHE_BYTES", 2 << 30 if cached else 0)
        with pytest.raises(DamagedImages, match=r"5 images cannot be read: .* and 2 more; .*--skip-damaged") as error:
            train(small(source, tmp_path / "run"), report=lambda line: None)
        assert sorted(one.name for one in error.value.images) == [
            str(path.relative_to(tmp_path / "data")) for path in damaged
        ]
        assert not list(tmp_path.glob("run*"))
    lines = []
    run = train(small(source, tmp_path / "run", skip_damaged=True, class_weights=True, limit=30), report=lines.append)
    record = json.loads((run / "run.json").read_text())
    assert record["config"]["skip_damaged"] and record["config"]["class_weights"]
    assert sum(record["data"][part] for part in ("train", "validation", "test")) < 80
    assert any(line.startswith("left out, damaged (--skip-damaged): ") for line in lines)
    assert any("30 of 56 (--limit) images to train on, 8 to validate, 16 to test" in line for line in lines)
    assert any("count alike in the loss" in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 4, 5])
def test_the_first_steps_of_a_training_are_enough(tmp_path, steps):
    """OneCycleLR divides by the steps of its rise, which are none of four."""
    source = photos(tmp_path / "data", {"a": 30, "b": 30})
    run = train(small(source, tmp_path / "run", limit=8 * steps, batch_size=8), report=lambda line: None)
    assert (run / "network.pt2").exists()


def test_a_part_of_which_nothing_is_left(tmp_path):
    source = photos(tmp_path / "data", {"a": 5, "b": 5})
    for path in (tmp_path / "data").rglob("*.png"):
        path.write_bytes(b"text" + path.name.encode() + path.parent.name.encode())
    with pytest.raises(SamesightError, match=r"10 images cannot be read.*nothing else is left of the part train and"):
        train(small(source, tmp_path / "run", skip_damaged=True), report=lambda line: None)
