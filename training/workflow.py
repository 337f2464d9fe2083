"""The way from a config to a run folder: data, network, Lightning's Trainer, test metrics, export."""

import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch.utils.data import DataLoader

from contract.errors import SamesightError, UsageError
from contract.spec import Input, ModelSpec
from training.augmentation import make_augmentation
from training.callbacks import Report, make_callbacks
from training.checks import check_request, run_folder
from training.config import Settled, TrainingConfig, settle
from training.data import open_data
from training.data.example import DataSet
from training.export import export_network
from training.frames import FramedImages, make_loader
from training.models import Network, build_network
from training.modules import MONITOR, ClassifierTrainee, DetectorTrainee, Optimiser, Trainee
from training.run_folder import (
    begin_run,
    finish_run,
    last_checkpoint,
    partial_folder,
    read_interrupted,
    write_calibration,
)
from training.specs import make_input, make_spec, model_name

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
    leads = rank_zero_only.rank == 0
    run = check_request(config) if leads else run_folder(config)
    job = prepare(config, partial_folder(run), report)
    if leads:
        begin_run(run, job.config)
    return complete(job, run, report)


def resume(run: Path, report: Report = lambda line: print(line, file=sys.stderr)) -> Path:
    """Go on with an interrupted training from its last checkpoint, to the same result as without the interruption.

    Raises:
        UsageError: there is no interrupted training of this run.
        SamesightError: as `train`.
    """
    config = read_interrupted(run)
    run = run.with_name(run.name.removesuffix(".partial"))
    if config.tuned_from:
        from training.qat import tune

        return tune(config, run, report, begun=True)
    return complete(prepare(config, partial_folder(run), report), run, report)


def complete(job: Job, run: Path, report: Report) -> Path:
    """Train, test, export and give the run its name."""
    fit(job, run)
    return _conclude(job, run, report)


def prepare(config: TrainingConfig, partial: Path, report: Report) -> Job:
    """Open the data, frame the images, build the network; deterministic by the seed. Nothing is written."""
    quieten()
    set_up_torch(config)
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


def set_up_torch(config: TrainingConfig) -> None:
    """Threads, and all sources of chance."""
    if config.threads:
        torch.set_num_threads(config.threads)
    pl.seed_everything(config.seed, workers=True, verbose=False)


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


def make_trainer(config: TrainingConfig, settled: Settled, partial: Path, report: Report) -> pl.Trainer:
    """Lightning's Trainer as the config asks.

    Raises:
        UsageError: devices, strategy or precision that this machine cannot serve.
    """
    callbacks = make_callbacks(partial, settled.patience, report)
    try:
        return pl.Trainer(
            accelerator=config.accelerator,
            devices=int(config.devices) if config.devices.lstrip("-").isdigit() else config.devices,
            num_nodes=config.num_nodes,
            strategy=config.strategy,
            precision=config.precision,
            max_epochs=settled.epochs,
            callbacks=callbacks,
            logger=TensorBoardLogger(str(partial), name="logs", version=""),
            deterministic="warn",
            num_sanity_val_steps=0,
            log_every_n_steps=20,
            enable_model_summary=False,
            enable_progress_bar=any(isinstance(one, pl.callbacks.ProgressBar) for one in callbacks),
        )
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"Lightning refuses these options ({reason}); see --accelerator, --devices, --strategy and --precision"
        ) from None


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
    trainer, partial = job.trainer, partial_folder(run)
    best = str(partial / "checkpoints" / "best.ckpt")
    with interruptible(trainer, run):
        validation = trainer.validate(job.trainee, loader_of(job, "validation"), best, verbose=False)[0]
        test = trainer.test(job.trainee, loader_of(job, "test"), best, verbose=False)[0]
    if not trainer.is_global_zero:
        return run
    metrics = plain_metrics(dict(validation), dict(test)) | {"epochs": float(trainer.current_epoch)}
    report("exporting the best network")
    export_network(job.trainee.network, job.spec.input, partial / "network.pt2")
    learned = job.data.train[: job.config.limit]
    write_calibration(partial / "calibration", learned, job.config.calibration, job.config.seed)
    config = job.config.model_dump(mode="json") | job.settled.model_dump(mode="json")
    return finish_run(partial, run, job.spec, config, data_record(job), metrics)


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


@contextmanager
def interruptible(trainer: pl.Trainer, run: Path) -> Iterator[None]:
    """Turn an interruption into one sentence that says how to go on.

    Lightning answers Ctrl-C by ignoring further ones and leaving the process.
    """
    handler = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise SamesightError(
            f"interrupted in epoch {trainer.current_epoch + 1} of {trainer.max_epochs}; go on with it by --resume {run}"
        ) from None
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)


def quieten() -> None:
    """Lightning's remarks about hardware and workers are no news to the person who trains."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for text in (
        ".*does not have many workers.*",
        ".*num_workers.*",
        ".*srun.*",
        ".*LeafSpec.*",
        ".*smaller than the logging.*",
        ".*exists and is not empty.*",
    ):
        warnings.filterwarnings("ignore", message=text)
