"""How a training shows itself, stops early and keeps its best checkpoint: Lightning callbacks, one line an epoch."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, RichProgressBar

from samesight.training.lightning_module import MONITOR

Report = Callable[[str], None]
# Seconds between lines about an epoch that goes on.
LONG_EPOCH = 30.0
SHOWN = {"train/loss": "loss", "validation/top1": "top-1", "validation/map50": "mAP50", "validation/map": "mAP"}


class EpochLines(pl.Callback):
    """One line per epoch: number, training loss, validation metric, seconds; and what is left of those that take long.

    `every` seconds a line tells how far a long epoch is; None where a progress bar shows it.
    """

    def __init__(self, report: Report, every: float | None = LONG_EPOCH) -> None:
        self._report = report
        self._every = every
        self._began = self._said = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock."""
        self._began = self._said = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Reports how far the epoch is, now and then."""
        now = time.monotonic()
        if self._every is None or now - self._said < self._every or not trainer.is_global_zero:
            return
        self._said = now
        done, total = batch_idx + 1, trainer.num_training_batches
        if done < total:
            left = duration((now - self._began) / done * (total - done))
            of_epoch = f"{100 * done / total:.0f} %"
            self._report(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {of_epoch}, about {left} of it left")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reports the epoch."""
        if not trainer.is_global_zero:
            return
        values = trainer.callback_metrics
        figures = "  ".join(f"{short} {float(values[name]):.4f}" for name, short in SHOWN.items() if name in values)
        seconds = time.monotonic() - self._began
        self._report(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {figures}  {seconds:.1f} s")


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def make_callbacks(partial: Path, patience: int, report: Report) -> list[pl.Callback]:
    """All callbacks of a training in the folder `partial`; `patience` 0 never stops early."""
    on_terminal = sys.stderr.isatty()
    callbacks: list[pl.Callback] = [
        EpochLines(report, None if on_terminal else LONG_EPOCH),
        LearningRateMonitor("epoch"),
        ModelCheckpoint(
            dirpath=partial / "checkpoints",
            filename="best",
            monitor=MONITOR,
            mode="max",
            save_last=True,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
    ]
    if patience:
        # Checked when the epoch ends, after the checkpoint: a resumed training counts on from where it was.
        callbacks.append(EarlyStopping(MONITOR, mode="max", patience=patience, check_on_train_epoch_end=True))
    if on_terminal:
        # The command line cleans what is printed; a bar's own control characters go past that.
        stderr = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
        callbacks.append(RichProgressBar(leave=False, console_kwargs={"file": stderr}))
    return callbacks


def silence(_: str) -> None:
    """A report of processes that are not the first."""
