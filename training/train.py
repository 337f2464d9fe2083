"""The way from a config to a run folder: data, network, Lightning's Trainer, test metrics, export."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from samesight.contract.spec import Input, ModelSpec
from samesight.datasets import open_data
from samesight.datasets.example import DataSet
from samesight.training.augmentation import make_augmentation
from samesight.training.callbacks import Report, silence
from samesight.training.checks import check_request, leads
from samesight.training.config import Settled, TrainingConfig, settle
from samesight.training.dataset import FramedImages, make_loader
from samesight.training.export import export_network
from samesight.training.lightning_module import MONITOR, ClassifierTrainee, DetectorTrainee, Optimiser, Trainee
from samesight.training.model_spec import make_input, make_spec, model_name
from samesight.training.models import Network, build_network
from samesight.training.run_folder import begin_run, finish_run, last_checkpoint, partial_folder, write_calibration
from samesight.training.trainer import alone, interruptible, make_trainer, set_up

EVALUATION_BATCH = 32


@dataclass(frozen=True)
class Job:
    """All parts of one training, made from its config."""

    config: TrainingConfig
    settled: Settled
    data: DataSet
    spec: ModelSpec
    trainee: Trainee
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
    job = prepare(config, partial_folder(run), report)
    if leads():
        begin_run(run, job.config)
    return complete(job, run, report)


def complete(job: Job, run: Path, report: Report) -> Path:
    """Train, test, export and give the run its name."""
    fit(job, run)
    return _conclude(job, run, report)


def prepare(config: TrainingConfig, partial: Path, report: Report) -> Job:
    """Open the data, frame the images, build the network; deterministic by the seed. Nothing is written."""
    if not leads():
        report = silence
    set_up(config)
    data = open_data(config.data, config.task, config.seed)
    # An interrupted training may be resumed from another folder.
    config = config.model_copy(update={"data": data.source})
    settled = settle(config, data.task, data.side)
    trainer = make_trainer(config, settled, partial, report)
    network = build_network(
        config.model,
        data.task,
        len(data.labels),
        settled.dropout,
        config.pretrained,
        min(settled.width, settled.height),
    )
    given = make_input(settled, network.mean, network.std)
    spec = make_spec(model_name(config.data), settled, given, data.labels, network.stride)
    report(
        f"{config.data}: {len(data.train)} images to train on, {len(data.validation)} to validate, "
        f"{len(data.test)} to test; {len(data.labels)} classes; "
        f"{sum(p.numel() for p in network.module.parameters()):,} parameters at {given.width} x {given.height}"
    )
    images = frame_parts(data, config, settled, given)
    optimiser = Optimiser(settled.learning_rate, settled.weight_decay, config.schedule)
    trainee = make_trainee(network, spec, optimiser, config.seed, images)
    return Job(config, settled, data, spec, trainee, trainer, images)


def frame_parts(data: DataSet, config: TrainingConfig, settled: Settled, spec: Input) -> dict[str, FramedImages]:
    """The three parts as the network sees them; only training images are changed at random."""
    augmentation = make_augmentation(settled.augmentation, data.task, spec.width, spec.height)
    return {
        "train": FramedImages(data.train[: config.limit], spec, data.task, augmentation),
        "validation": FramedImages(data.validation, spec, data.task),
        "test": FramedImages(data.test, spec, data.task),
    }


def make_trainee(
    network: Network,
    spec: ModelSpec,
    optimiser: Optimiser,
    seed: int,
    images: dict[str, FramedImages],
    channels_last: bool = True,
) -> Trainee:
    """The Lightning module of the spec's task."""
    if network.stride is None:
        return ClassifierTrainee(network.module, spec, optimiser, seed, channels_last)
    return DetectorTrainee(network.module, spec, optimiser, seed, network.stride, images, channels_last)


def fit(job: Job, run: Path) -> None:
    """Train to the end, from the last checkpoint where there is one.

    Raises:
        SamesightError: interrupted.
    """
    checkpoint = last_checkpoint(partial_folder(run))
    with interruptible(job.trainer, run):
        job.trainer.fit(
            job.trainee,
            loader_of(job, "train"),
            loader_of(job, "validation"),
            ckpt_path=str(checkpoint) if checkpoint.is_file() else None,
        )


def loader_of(job: Job, part: str) -> DataLoader[Any]:
    """Batches of one part, dealt out over the trainer's devices."""
    learns = part == "train"
    return make_loader(
        job.images[part],
        job.settled.task,
        job.settled.batch_size if learns else max(job.settled.batch_size, EVALUATION_BATCH),
        shuffle=learns,
        processes=_loader_processes(job),
        seed=job.config.seed,
        single=job.trainer.world_size == 1,
    )


def _conclude(job: Job, run: Path, report: Report) -> Path:
    """Test the best checkpoint, export it and complete the run folder."""
    if not job.trainer.is_global_zero:
        return run
    partial = partial_folder(run)
    best = str(partial / "checkpoints" / "best.ckpt")
    trainer = alone(job.trainer, job.config)
    with interruptible(trainer, run):
        validation = trainer.validate(job.trainee, loader_of(job, "validation"), best, verbose=False)[0]
        test = trainer.test(job.trainee, loader_of(job, "test"), best, verbose=False)[0]
    metrics = plain_metrics(dict(validation), dict(test))
    report("exporting the best network")
    export_network(job.trainee.network, job.spec.input, partial / "network.pt2")
    learned = job.data.train[: job.config.limit]
    write_calibration(partial / "calibration", learned, job.config.calibration, job.config.seed)
    config = job.config.model_dump(mode="json") | job.settled.model_dump(mode="json")
    return finish_run(partial, run, job.spec, config, data_record(job), metrics, {"epochs": job.trainer.current_epoch})


def plain_metrics(validation: dict[str, float], test: dict[str, float]) -> dict[str, float]:
    """Metrics as `run.json` has them: those of the test images by their own names, then `validation_...`."""
    metrics = {name.removeprefix("test/"): round(float(value), 6) for name, value in test.items()}
    kept = {name: value for name, value in validation.items() if name != MONITOR}
    return metrics | {name.replace("/", "_"): round(float(value), 6) for name, value in kept.items()}


def data_record(job: Job) -> dict[str, Any]:
    """What the run was trained on, enough to open it again: source, seed and the number of images in each part."""
    sizes = {part: len(images) for part, images in job.images.items()}
    return {"source": job.data.source, "task": job.data.task, "seed": job.config.seed} | sizes


def _loader_processes(job: Job) -> int:
    """Loader processes pay only where images are decoded anew each epoch."""
    if job.config.loaders is not None:
        return job.config.loaders
    return 0 if job.images["train"].in_memory else min(4, torch.get_num_threads())
