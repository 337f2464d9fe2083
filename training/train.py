"""The way from a config to a run folder: data, network, Lightning's Trainer, test metrics, export."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from samesight.contract.errors import UsageError
from samesight.contract.spec import Input, ModelSpec
from samesight.contract.text import printable
from samesight.datasets import open_data
from samesight.datasets.example import DataSet
from samesight.training.augmentation import make_augmentation
from samesight.training.callbacks import Report, silence
from samesight.training.checkpoint import read_checkpoint
from samesight.training.config import ResolvedConfig, TrainingConfig, resolve
from samesight.training.data_check import balanced_weights, check_damaged, class_lines, limited
from samesight.training.dataset import FramedImages, make_loader
from samesight.training.export import export_network
from samesight.training.lightning_module import MONITOR, Optimiser, TrainingModule
from samesight.training.model_spec import make_input, model_name
from samesight.training.models.build import build_network
from samesight.training.run_folder import (
    beginning,
    best_checkpoint,
    check_request,
    finish_run,
    is_rank_zero,
    last_checkpoint,
    partial_folder,
    read_interrupted,
    write_calibration,
    writing,
)
from samesight.training.tasks.table import TASKS
from samesight.training.trainer import alone, interruptible, make_trainer, set_up
from samesight.training.transfer import load_start

EVALUATION_BATCH = 32


@dataclass(frozen=True)
class TrainingSetup:
    """All parts of one training, made from its config."""

    config: TrainingConfig
    resolved: ResolvedConfig
    data: DataSet
    spec: ModelSpec
    lightning_module: TrainingModule
    trainer: pl.Trainer
    images: dict[str, FramedImages]


def train(config: TrainingConfig, report: Report = lambda line: print(line, file=sys.stderr)) -> Path:
    """Train a model and write its run folder.

    Args:
        config: what to train; see `TrainingConfig`.
        report: takes lines of progress.

    Returns:
        the run folder.

    Raises:
        UsageError: the config contradicts itself or the data, or the run folder exists.
        SamesightError: the data are missing or faulty, or training was interrupted.
    """
    run = check_request(config)
    setup = prepare(config, partial_folder(run), report, begun=False)
    with beginning(run, setup.config):
        return complete(setup, run, report)


def resume(run: Path, report: Report = lambda line: print(line, file=sys.stderr)) -> Path:
    """Go on with an interrupted training from its last checkpoint, to the same result as without the interruption.

    Raises:
        UsageError: there is no interrupted training of this run.
        SamesightError: as `train`.
    """
    config = read_interrupted(run)
    run = run.with_name(run.name.removesuffix(".partial"))
    if config.tuned_from:
        from samesight.training.qat import tune

        with writing(run):
            return tune(config, run, report, begun=True)
    with writing(run):
        return complete(prepare(config, partial_folder(run), report, begun=True), run, report)


def complete(setup: TrainingSetup, run: Path, report: Report) -> Path:
    """Train, test, export and give the run its name."""
    fit(setup, run)
    return _conclude(setup, run, report)


def prepare(config: TrainingConfig, partial: Path, report: Report, begun: bool) -> TrainingSetup:
    """Open the data, frame the images, build the network; deterministic by the seed. Nothing is written.

    The weights to start from are those of a checkpoint where a training has `begun`.
    """
    if not is_rank_zero():
        report = silence
    set_up(config)
    data = open_data(config.data, config.task, config.seed)
    # An interrupted training may be resumed from another folder.
    config = config.model_copy(update={"data": data.source})
    resolved = resolve(config, data.task, data.side)
    trainer = make_trainer(config, resolved, partial, report)
    network = build_network(
        config.model,
        data.task,
        len(data.labels),
        resolved.dropout,
        config.pretrained and not begun,
        min(resolved.width, resolved.height),
    )
    if config.start_from and not begun:
        report(load_start(network, config.start_from, data.labels))
    if config.freeze:
        if trainer.world_size > 1:
            raise UsageError("--freeze works on one device; add --devices 1, or leave it out")
        report(f"the head alone learns for {min(config.freeze, resolved.epochs)} of {resolved.epochs} epochs")
    input_spec = make_input(resolved, network.mean, network.std)
    spec = TASKS[data.task].spec(model_name(config.data), input_spec, data.labels, network.stride)
    report_data(data, config, report)
    report(
        f"{sum(p.numel() for p in network.module.parameters()):,} parameters "
        f"at {input_spec.width} x {input_spec.height}"
    )
    images = frame_parts(data, config, resolved, input_spec, report)
    optimiser = make_optimiser(config, resolved, data, images, network.head)
    lightning_module = TASKS[data.task].module(network, spec, optimiser, config.seed, images, True)
    return TrainingSetup(config, resolved, data, spec, lightning_module, trainer, images)


def report_data(data: DataSet, config: TrainingConfig, report: Report) -> None:
    """Say how many images there are, and what was left out of them or changed."""
    taken = len(limited(data.train, config.limit))
    train = f"{taken:,}" if taken == len(data.train) else f"{taken:,} of {len(data.train):,} (--limit)"
    report(
        f"{printable(config.data)}: {train} images to train on, {len(data.validation):,} to validate, "
        f"{len(data.test):,} to test; {len(data.labels)} classes"
    )
    for note in data.notes:
        report(note)


def frame_parts(
    data: DataSet, config: TrainingConfig, resolved: ResolvedConfig, spec: Input, report: Report
) -> dict[str, FramedImages]:
    """The three parts as the network sees them; only training images are changed at random.

    Raises:
        DamagedImages: some cannot be read, and the config does not skip them.
    """
    augmentation = make_augmentation(resolved.augmentation, data.task, spec.width, spec.height)
    item = TASKS[data.task].item
    images = {
        "train": FramedImages(limited(data.train, config.limit), spec, item, augmentation, data.files),
        "validation": FramedImages(data.validation, spec, item, None, data.files),
        "test": FramedImages(data.test, spec, item, None, data.files),
    }
    check_damaged(images, data.source, config.skip_damaged, report)
    for line in class_lines(images, data.labels, config.class_weights):
        report(line)
    return images


def make_optimiser(
    config: TrainingConfig,
    resolved: ResolvedConfig,
    data: DataSet,
    images: dict[str, FramedImages],
    head: tuple[str, ...] = (),
) -> Optimiser:
    """How the config has the weights learn."""
    counts = images["train"].class_counts(len(data.labels)) if config.class_weights else []
    weights = balanced_weights(counts) if config.class_weights else None
    return Optimiser(
        resolved.learning_rate,
        resolved.weight_decay,
        config.schedule,
        weights,
        head,
        resolved.backbone_rate if head else 1.0,
        config.freeze if head else 0,
    )


def fit(setup: TrainingSetup, run: Path) -> None:
    """Train to the end, from the last checkpoint where there is one.

    Raises:
        SamesightError: interrupted.
    """
    checkpoint = last_checkpoint(partial_folder(run))
    if checkpoint.is_file():
        read_checkpoint(checkpoint, "copy best.ckpt over it, or delete it to begin anew, and give --resume again")
    with interruptible(setup.trainer, run):
        setup.trainer.fit(
            setup.lightning_module,
            loader_of(setup, "train"),
            loader_of(setup, "validation"),
            ckpt_path=str(checkpoint) if checkpoint.is_file() else None,
            weights_only=True,
        )


def loader_of(setup: TrainingSetup, part: str) -> DataLoader[Any]:
    """Batches of one part, dealt out over the trainer's devices."""
    learns = part == "train"
    return make_loader(
        setup.images[part],
        TASKS[setup.resolved.task].collate,
        setup.resolved.batch_size if learns else max(setup.resolved.batch_size, EVALUATION_BATCH),
        shuffle=learns,
        processes=_loader_processes(setup),
        seed=setup.config.seed,
        single=setup.trainer.world_size == 1,
        ahead=learns and _prefetches(setup),
    )


def _conclude(setup: TrainingSetup, run: Path, report: Report) -> Path:
    """Test the best checkpoint, export it and complete the run folder."""
    if not setup.trainer.is_global_zero:
        return run
    partial = partial_folder(run)
    read_checkpoint(best_checkpoint(partial), f"delete {partial} and train anew")
    best = str(best_checkpoint(partial))
    trainer = alone(setup.trainer, setup.config)
    with interruptible(trainer, run):
        how: dict[str, Any] = {"ckpt_path": best, "weights_only": True, "verbose": False}
        validation = trainer.validate(setup.lightning_module, loader_of(setup, "validation"), **how)[0]
        test = trainer.test(setup.lightning_module, loader_of(setup, "test"), **how)[0]
    metrics = plain_metrics(dict(validation), dict(test))
    report("exporting the best network")
    export_network(setup.lightning_module.network, setup.spec.input, partial / "network.pt2")
    write_calibration(
        partial / "calibration", setup.images["train"].examples, setup.config.calibration, setup.config.seed
    )
    config = setup.config.model_dump(mode="json") | setup.resolved.model_dump(mode="json")
    return finish_run(
        partial, run, setup.spec, config, data_record(setup), metrics, {"epochs": setup.trainer.current_epoch}
    )


def plain_metrics(validation: dict[str, float], test: dict[str, float]) -> dict[str, float]:
    """Metrics as `run.json` has them: those of the test images by their own names, then `validation_...`."""
    metrics = {name.removeprefix("test/"): round(float(value), 6) for name, value in test.items()}
    kept = {name: value for name, value in validation.items() if name != MONITOR}
    return metrics | {name.replace("/", "_"): round(float(value), 6) for name, value in kept.items()}


def data_record(setup: TrainingSetup) -> dict[str, Any]:
    """What the run was trained on, enough to open it again: source, seed and the number of images in each part."""
    sizes = {part: len(images) for part, images in setup.images.items()}
    return {"source": setup.data.source, "task": setup.data.task, "seed": setup.config.seed} | sizes


def _loader_processes(setup: TrainingSetup) -> int:
    """Loader processes pay only where images are decoded anew each epoch."""
    if setup.config.loaders is not None:
        return setup.config.loaders
    return 0 if setup.images["train"].in_memory else min(4, torch.get_num_threads())


def _prefetches(setup: TrainingSetup) -> bool:
    """Whether training images are in memory, and the network is known to draw nothing at random."""
    one_device = setup.trainer.world_size == 1
    draws = setup.config.model != "default" or setup.resolved.dropout > 0
    return one_device and not draws and _loader_processes(setup) == 0
