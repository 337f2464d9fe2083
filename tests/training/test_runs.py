"""Runs: complete or not there, the same from the same seed, and resumed to the same end."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.spec import read_spec
from samesight.datasets import open_data
from samesight.training.callbacks import EpochLines
from samesight.training.config import TrainingConfig, make_config
from samesight.training.data_check import limited
from samesight.training.run_folder import begin_run, writing
from samesight.training.train import resume, train
from samesight.training.train import resume as resume_reporting
from samesight.training.train import train as train_reporting
from samesight.training.trainer import set_up

pytestmark = pytest.mark.slow

SMALL = {"epochs": 2, "limit": 96, "batch_size": 16, "threads": 1, "patience": 0}


def small(out, **changes):
    return make_config(**(SMALL | {"out": out} | changes))


def weights(run):
    network = torch.export.load(run / "network.pt2")
    return {name: tensor for name, tensor in network.state_dict.items() if tensor.is_floating_point()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("options", "threads"),
    [({}, 1), ({"threads": 2}, 2), ({"model": "timm:resnet18"}, 3)],
    ids=["default", "asked", "timm"],
)
def test_the_default_nets_train_on_one_thread(options, threads):
    torch.set_num_threads(3)
    try:
        set_up(make_config(**options))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return train(small(tmp_path_factory.mktemp("runs") / "digits"))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return train(small(tmp_path_factory.mktemp("runs") / "scenes", data="scenes", epochs=1, limit=24, batch_size=8))


def test_a_run_holds_what_conversion_needs(digits):
    spec = read_spec(digits / "model.json")
    assert (spec.task, spec.labels, spec.input.width) == ("classification", tuple("0123456789"), 64)
    record = json.loads((digits / "run.json").read_text())
    assert record["data"] == {
        "source": "digits", "task": "classification", "seed": 0, "train": 96, "validation": 179, "test": 359
    }  # fmt: skip
    assert 0 <= record["metrics"]["top1"] <= 1 and record["tools"]["torch"] == torch.__version__.split("+")[0]
    assert record["config"]["epochs"] == 2 and record["config"]["batch_size"] == 16
    assert sorted(path.name for path in digits.iterdir()) == [
        "calibration", "checkpoint.ckpt", "logs", "model.json", "network.pt2", "run.json"
    ]  # fmt: skip
    assert not digits.with_name("digits.partial").exists()
    assert list((digits / "logs").glob("events.out.tfevents.*"))


def test_the_network_takes_one_contiguous_normalised_image(digits):
    program = torch.export.load(digits / "network.pt2")
    (image,) = [node.meta["val"] for node in program.graph.nodes if node.name == program.graph_signature.user_inputs[0]]
    assert image.shape == (1, 3, 64, 64) and image.is_contiguous() and image.dtype == torch.float32
    assert all(tensor.is_contiguous() for tensor in program.state_dict.values())
    modes = [node.args[2] for node in program.graph.nodes if "dropout" in str(node.target)]
    assert not any(modes), "exported for inference"


def test_metrics_are_those_of_the_exported_network_on_the_test_images(digits):
    spec = read_spec(digits / "model.json").input
    network = torch.export.load(digits / "network.pt2").module()
    hits = []
    for example in open_data("digits", seed=0).test:
        pixels = torch.tensor(example.pixels).permute(2, 0, 1)[None].float().contiguous()
        logits = network((pixels / 255 - spec.mean[0]) / spec.std[0])
        hits.append(int(logits.argmax()) == example.label)
    top1 = json.loads((digits / "run.json").read_text())["metrics"]["top1"]
    assert abs(np.mean(hits) - top1) <= 1 / 359


def test_calibration_images_are_training_images_whole(digits):
    learned = {example.pixels.tobytes() for example in limited(open_data("digits", seed=0).train, 96)}
    files = sorted((digits / "calibration").iterdir())
    assert len(files) == 96
    assert all(np.asarray(Image.open(path)).tobytes() in learned for path in files)


def test_a_detector_run_is_scored_by_the_contracts_boxes(scenes):
    spec = read_spec(scenes / "model.json")
    assert spec.detection.boxes.strides == (4,) and spec.detection.boxes.unit == "stride"
    metrics = json.loads((scenes / "run.json").read_text())["metrics"]
    assert {"map", "map50", "map75", "validation_map50"} <= set(metrics)
    outputs = torch.export.load(scenes / "network.pt2").module()(torch.zeros(1, 3, 128, 128))
    assert [tuple(output.shape) for output in outputs] == [(1, 1024, 10), (1, 1024, 4)]


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_a_perfect_network_scores_one(task):
    """Metrics from true boxes put through raw heads, the contract's decoding and suppression."""
    import lightning.pytorch as pl

    from samesight.training.config import resolve
    from samesight.training.dataset import FramedImages, make_loader
    from samesight.training.lightning_module import Optimiser
    from samesight.training.model_spec import make_input
    from samesight.training.models.losses import assign, grid_centres
    from samesight.training.models.network import Network
    from samesight.training.tasks.table import TASKS

    data = open_data("digits" if task == "classification" else "scenes", seed=1)
    resolved = resolve(TrainingConfig(data=data.source), task, data.side)
    given = make_input(resolved, (0.5,) * 3, (0.25,) * 3)
    spec = TASKS[task].spec("perfect", given, data.labels, 4 if task == "detection" else None)
    images = {part: FramedImages(getattr(data, part)[:20], given, TASKS[task].item) for part in ("validation", "test")}

    class Perfect(torch.nn.Module):
        """Knows the images by their bytes."""

        def forward(self, x):
            return answer(x)

    def answer(x):
        known = {(images["test"][i][0].float() / 255 - 0.5).div(0.25).sum().item(): i for i in range(20)}
        indices = [known[min(known, key=lambda value: abs(value - float(one.sum())))] for one in x]
        if task == "classification":
            return torch.nn.functional.one_hot(torch.tensor([data.test[i].label for i in indices]), 10).float()
        centres = grid_centres(32, 32, 4, torch.device("cpu"))
        logits, distances = torch.full((len(x), 1024, 10), -9.0), torch.zeros(len(x), 1024, 4)
        for row, i in enumerate(indices):
            truth = data.test[i]
            labels, boxes = assign(centres, *(torch.tensor(some)[None] for some in (truth.boxes, truth.labels)), 4)
            taken = labels[0] >= 0
            logits[row, taken, labels[0][taken]] = 5.0
            distances[row] = torch.cat([centres - boxes[0, :, :2], boxes[0, :, 2:] - centres], -1) / 4
        return logits, distances

    stride = 4 if task == "detection" else None
    network = Network(Perfect(), (0.5,) * 3, (0.25,) * 3, stride)
    lightning_module = TASKS[task].module(network, spec, Optimiser(1e-3, 0.0, "constant"), 0, images, True)
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    loader = make_loader(images["test"], TASKS[task].collate, 8, shuffle=False, processes=0, seed=0, single=True)
    result = trainer.test(lightning_module, loader, verbose=False)[0]
    assert result["test/top1" if task == "classification" else "test/map"] > 0.999


def test_the_seed_gives_the_same_weights_bit_for_bit(digits, tmp_path):
    again = train(small(tmp_path / "again"))
    other = train(small(tmp_path / "other", seed=1, epochs=1))
    assert same(weights(digits), weights(again))
    assert not same(weights(digits), weights(other))


def test_an_interrupted_training_goes_on_to_the_same_end(digits, tmp_path):
    def stop(line):
        if line.startswith("epoch 2/"):
            raise KeyboardInterrupt

    run = tmp_path / "broken"
    with pytest.raises(SamesightError, match=re.escape(f"--resume {run}")):
        train_reporting(small(run), report=stop)
    assert not run.exists() and (tmp_path / "broken.partial" / "checkpoints" / "last.ckpt").exists()
    with pytest.raises(UsageError, match="--resume"):
        train(small(run))
    lines = []
    assert resume_reporting(run, report=lines.append) == run
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["2/2"], "the first epoch is not repeated"
    assert same(weights(digits), weights(run))
    assert not (tmp_path / "broken.partial").exists()


def test_interrupted_before_the_first_checkpoint(tmp_path):
    def stop(line):
        if line.startswith("epoch 1/"):
            raise KeyboardInterrupt

    run = tmp_path / "early"
    with pytest.raises(SamesightError, match="--resume"):
        train_reporting(small(run, epochs=1), report=stop)
    assert resume(run) == run and (run / "network.pt2").exists()


def test_an_existing_run_is_never_written_over(digits):
    before = (digits / "run.json").read_bytes()
    with pytest.raises(UsageError, match="--out"):
        train(small(digits))
    assert (digits / "run.json").read_bytes() == before


def test_nothing_to_resume(digits, tmp_path):
    with pytest.raises(UsageError, match="is complete"):
        resume(digits)
    with pytest.raises(UsageError, match="never begun"):
        resume(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "--epochs"),
        ({"learning_rate": -1}, "--lr"),
        ({"pretrained": True}, "timm"),
        ({"data": "scenes", "width": 100, "height": 100}, "multiples of 32"),
        ({"task": "detection"}, "not for detection"),
        ({"model": "resnet18"}, "timm:NAME"),
        ({"accelerator": "warp"}, "--accelerator"),
        ({"strategy": "warp"}, "--strategy"),
        ({"precision": "7"}, "--precision"),
        ({"devices": "zero"}, "--devices"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(tmp_path, changes, words):
    with pytest.raises(UsageError, match=words) as error:
        train(small(tmp_path / "run", **changes))
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SamesightError, match="--out"):
        train(small(tmp_path / "file" / "run"))


def test_own_photos_with_a_timm_backbone_and_worker_processes(tmp_path, monkeypatch):
    """Large data: images read anew in loader processes; a size that is not square; another schedule."""
    random = np.random.default_rng(0)
    for label in ("bright", "dark"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(20):
            level = random.integers(0, 90, (50, 70, 3)) + (150 if label == "bright" else 0)
            Image.fromarray(level.astype(np.uint8)).save(tmp_path / "photos" / label / f"{i}.jpg")
    monkeypatch.setattr("samesight.training.dataset.CACHE_BYTES", 0)
    config = TrainingConfig(
        data=f"folder:{tmp_path / 'photos'}", out=tmp_path / "run", model="timm:test_resnet", width=64, height=32,
        epochs=4, batch_size=7, schedule="cosine", framing="letterbox", loaders=1, threads=1, learning_rate=2e-3,
    )  # fmt: skip
    record = json.loads((train(config) / "run.json").read_text())
    assert record["metrics"]["top1"] > 0.8 and record["config"]["augmentation"] == "photos"
    spec = read_spec(tmp_path / "run" / "model.json")
    assert (spec.name, spec.input.width, spec.input.height, spec.labels) == ("photos", 64, 32, ("bright", "dark"))


def test_a_training_that_goes_on_is_not_resumed_and_not_begun_again(digits, tmp_path):
    run = tmp_path / "live"
    begin_run(run, small(run))
    with writing(run):
        for start in (lambda: resume(run), lambda: train(small(run))):
            with pytest.raises(SamesightError, match=r"live\.partial: another training is writing here"):
                start()
    with pytest.raises(UsageError, match="interrupted training"):
        train(small(run))
    assert resume(run) == run and same(weights(digits), weights(run)), "the lock is gone with its holder"


@pytest.mark.parametrize("damage", ["cut", "other", "code"])
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    run = tmp_path / "run"
    last = begin_run(run, small(run, limit=32, epochs=1)) / "checkpoints" / "last.ckpt"
    last.parent.mkdir()
    torch.save({"state_dict": Evil()} if damage == "code" else {"weights": torch.zeros(2000)}, last)
    if damage == "cut":
        last.write_bytes(last.read_bytes()[:500])
    with pytest.raises(SamesightError, match=r"last\.ckpt: damaged.*best\.ckpt.*--resume") as error:
        resume(run)
    assert "\n" not in str(error.value) and not (tmp_path / "ran").exists()
    last.unlink()
    assert resume(run) == run, "begun anew"


def test_a_long_epoch_says_how_far_it_is(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("samesight.training.callbacks.time.monotonic", lambda: clock[0])
    lines = []
    trainer = SimpleNamespace(is_global_zero=True, num_training_batches=200, current_epoch=1, max_epochs=5)
    shown = EpochLines(lines.append, every=30.0)
    shown.on_train_epoch_start(trainer, None)
    for index in range(200):
        clock[0] += 1.0
        shown.on_train_batch_end(trainer, None, None, None, index)
    assert lines[0] == "epoch 2/5  15 %, about 3 min of it left"
    assert lines[-1] == "epoch 2/5  90 %, about 20 s of it left" and len(lines) == 6
