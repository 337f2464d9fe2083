"""Lightning's Trainer as a config asks for it, and what surrounds it: chance, threads, interruptions."""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.environments import LightningEnvironment

from samesight.contract.errors import Interrupted, UsageError, first_line
from samesight.training.callbacks import Report, make_callbacks
from samesight.training.config import OWN_MODELS, ResolvedConfig, TrainingConfig

# Remarks of libraries about hardware, workers and each other that are no news to the person who trains.
REMARKS = (
    ".*does not have many workers.*",
    ".*num_workers.*",
    ".*srun.*",
    ".*LeafSpec.*",
    ".*smaller than the logging.*",
    ".*exists and is not empty.*",
    ".*when using `ckpt_path`.*",
)


def set_up(config: TrainingConfig) -> None:
    """Threads, all sources of chance, and quiet libraries."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for text in REMARKS:
        warnings.filterwarnings("ignore", message=text)
    # The default nets are so small that a second thread waits longer than it computes.
    threads = config.threads or (1 if config.model in OWN_MODELS else None)
    if threads:
        torch.set_num_threads(threads)
    # Deterministic mode would fill each new tensor with NaN, a help in debugging: a twentieth of the detector's time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    pl.seed_everything(config.seed, workers=True, verbose=False)


def make_trainer(config: TrainingConfig, resolved: ResolvedConfig, partial: Path, report: Report) -> pl.Trainer:
    """Lightning's Trainer as the config asks.

    Raises:
        UsageError: devices, strategy or precision that this machine cannot serve.
    """
    callbacks = make_callbacks(partial, resolved.patience, report)
    try:
        return pl.Trainer(
            accelerator=config.accelerator,
            devices=int(config.devices) if config.devices.lstrip("-").isdigit() else config.devices,
            num_nodes=config.num_nodes,
            strategy=config.strategy,
            precision=config.precision,
            max_epochs=resolved.epochs,
            callbacks=callbacks,
            logger=TensorBoardLogger(str(partial), name="logs", version=""),
            deterministic="warn",
            num_sanity_val_steps=0,
            log_every_n_steps=20,
            enable_model_summary=False,
            enable_progress_bar=any(isinstance(one, pl.callbacks.ProgressBar) for one in callbacks),
        )
    except Exception as error:
        raise UsageError(
            f"Lightning refuses these options ({first_line(error)}); "
            "see --accelerator, --devices, --strategy and --precision"
        ) from None


def alone(trainer: pl.Trainer, config: TrainingConfig) -> pl.Trainer:
    """A Trainer of one device, in the first process: several would count some images twice to share them evenly."""
    if trainer.world_size == 1:
        return trainer
    if torch.distributed.is_initialized():
        # The other processes are done; metrics would wait for them.
        torch.distributed.destroy_process_group()
    return pl.Trainer(
        accelerator=config.accelerator,
        devices=1,
        precision=config.precision,
        plugins=[LightningEnvironment()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextmanager
def interruptible(trainer: pl.Trainer, run: Path) -> Iterator[None]:
    """Turn an interruption into one sentence that says how to go on.

    Lightning answers Ctrl-C by ignoring further ones and leaving the process.
    """
    handler = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise Interrupted(
            f"interrupted in epoch {trainer.current_epoch + 1} of {trainer.max_epochs}; go on with it by --resume {run}"
        ) from None
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
