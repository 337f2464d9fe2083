"""A run on disk: begun as RUN.partial, renamed to RUN when it is complete, never written over."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.files import locked, read_plain
from samesight.contract.spec import ModelSpec
from samesight.conversion.workflow.cache import ABSENT, tool_versions
from samesight.datasets import find_source
from samesight.datasets.example import Example
from samesight.training.config import TrainingConfig, resolve
from samesight.training.model_spec import model_name

SCHEMA_VERSION = 1
TOOLS = ("torch", "torchvision", "lightning", "torchmetrics", "timm", "numpy", "pillow", "scikit-learn")
# A photo's calibration copy has no side longer than this: a hundred camera images would otherwise fill gigabytes.
CALIBRATION_SIDE = 1024
CONFIG_FILE = "config.json"
CHECKPOINT = "checkpoint.ckpt"
DEFAULT_FOLDER = Path("runs")
ANY_SIDE = 32
# Set in the processes that Lightning, torchrun or Slurm start beside the first one; there is one that is not 0.
RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")


def partial_folder(run: Path) -> Path:
    """Where a run is while it is not complete."""
    return run.with_name(run.name + ".partial")


def last_checkpoint(partial: Path) -> Path:
    """Where training can go on from."""
    return partial / "checkpoints" / "last.ckpt"


def best_checkpoint(partial: Path) -> Path:
    """The network of the best epoch so far."""
    return partial / "checkpoints" / "best.ckpt"


def check_free(run: Path) -> None:
    """Refuse to write over anything.

    Raises:
        UsageError: the run exists, complete or interrupted.
    """
    if run.exists() or run.is_symlink():
        raise UsageError(f"{run} exists already and is never written over; choose another folder with --out")
    partial = partial_folder(run)
    if partial.exists():
        with writing(run):  # refuses where the training is not interrupted but running
            pass
        raise UsageError(
            f"{partial} holds an interrupted training; go on by --resume {run}, delete it, or choose another --out"
        )


def writing(run: Path) -> AbstractContextManager[None]:
    """Hold the lock on RUN.partial, in the first process of a training; it ends with that process at the latest.

    Raises:
        SamesightError: another training is writing there.
    """
    return locked(partial_folder(run), who="another training") if is_rank_zero() else nullcontext()


@contextmanager
def beginning(run: Path, config: TrainingConfig) -> Iterator[None]:
    """Make RUN.partial as `begin_run` does, in the first process of a training, and hold the lock on it."""
    if is_rank_zero():
        begin_run(run, config)
    with writing(run):
        yield


def begin_run(run: Path, config: TrainingConfig) -> Path:
    """Make RUN.partial with the config in it.

    Raises:
        UsageError: the run exists.
        SamesightError: the folder cannot be written.
    """
    check_free(run)
    partial = partial_folder(run)
    try:
        partial.mkdir(parents=True)
        (partial / CONFIG_FILE).write_text(config.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise SamesightError(f"{partial}: {error.strerror or error}; choose another --out") from None
    return partial


def read_interrupted(run: Path) -> TrainingConfig:
    """The config of an interrupted training.

    Raises:
        UsageError: there is none.
    """
    run = run.with_name(run.name.removesuffix(".partial"))
    path = partial_folder(run) / CONFIG_FILE
    if not path.is_file():
        why = "is complete" if (run / "run.json").is_file() else "was never begun"
        raise UsageError(f"--resume {run}: nothing to resume, this training {why}; interrupted ones end in .partial")
    with writing(run):  # said before the seconds that importing torch takes
        pass
    try:
        return TrainingConfig.model_validate_json(read_plain(path))
    except ValueError as error:
        raise SamesightError(
            f"{path}: not a training's config ({error}); delete {path.parent} and begin anew"
        ) from None


def write_json(path: Path, value: Any) -> None:
    """Indented JSON with a final newline."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_calibration(folder: Path, examples: Sequence[Example], count: int, seed: int) -> None:
    """Write up to `count` training images, drawn by the seed, as lossless PNG: 000.png, 001.png, ...

    They are upright and whole, not framed; larger ones are scaled down to 1024 pixels a side.
    """
    folder.mkdir()
    chosen = np.random.default_rng([seed, 13]).permutation(len(examples))[:count]
    for number, index in enumerate(sorted(chosen.tolist())):
        image = Image.fromarray(examples[index].pixels)
        image.thumbnail((CALIBRATION_SIDE, CALIBRATION_SIDE), Image.Resampling.LANCZOS)
        image.save(folder / f"{number:03d}.png", compress_level=3)


def finish_run(
    partial: Path,
    run: Path,
    spec: ModelSpec,
    config: dict[str, Any],
    data: dict[str, Any],
    metrics: dict[str, float],
    more: dict[str, Any] | None = None,
) -> Path:
    """Write `model.json` and `run.json`, keep the best checkpoint alone, and give the run its name."""
    (partial / "model.json").write_text(spec.to_json())
    record = {
        "schema_version": SCHEMA_VERSION,
        "task": spec.task,
        "data": data,
        "config": config,
        "metrics": metrics,
        "tools": {name: v for name, v in tool_versions(TOOLS).items() if v != ABSENT},
    } | (more or {})
    write_json(partial / "run.json", record)
    checkpoints = partial / "checkpoints"
    (checkpoints / "best.ckpt").replace(partial / CHECKPOINT)
    shutil.rmtree(checkpoints)
    (partial / CONFIG_FILE).unlink()
    check_absent(run)
    return partial.rename(run)


def check_absent(run: Path) -> None:
    """Renaming replaces an empty folder silently; somebody may have made one since.

    Raises:
        SamesightError: the run's name is taken by now; the finished training keeps the name RUN.partial.
    """
    if run.exists():
        raise SamesightError(f"{run} was made by somebody else meanwhile; the finished run is {partial_folder(run)}")


def is_rank_zero() -> bool:
    """Whether this process is the first of a training on several devices, the one that writes."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def run_folder(config: TrainingConfig) -> Path:
    """The run's folder; runs/NAME where nobody names one."""
    return config.out or DEFAULT_FOLDER / model_name(config.data)


def check_request(config: TrainingConfig) -> Path:
    """Check data, task, model's form and size, and that the run folder is free.

    Returns:
        the run folder that will be written.

    Raises:
        UsageError: the request cannot be served.
    """
    source, _ = find_source(config.data, config.task)
    resolve(config, source.task, ANY_SIDE)
    run = run_folder(config)
    if is_rank_zero():
        check_free(run)
    return run


def check_source(source: Path) -> dict[str, Any]:
    """The config of a finished run that is to be fine-tuned.

    Raises:
        SamesightError: it is none.
    """
    try:
        config = json.loads(read_plain(source / "run.json"))["config"]
        if not isinstance(config, dict):
            raise ValueError("config is no object")
    except (OSError, ValueError, KeyError, TypeError):
        raise SamesightError(f"{source}: not a finished run that samesight train has made; give its folder") from None
    return config
