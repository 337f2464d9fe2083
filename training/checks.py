"""What can be refused at once, before torch is imported and before anything is written."""

import json
import os
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError
from samesight.datasets import find_source
from samesight.training.config import TrainingConfig, settle
from samesight.training.model_spec import model_name
from samesight.training.run_folder import check_free

DEFAULT_FOLDER = Path("runs")
ANY_SIDE = 32


# Set in the processes that Lightning, torchrun or Slurm start beside the first one; there is one that is not 0.
RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")


def leads() -> bool:
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
    settle(config, source.task, ANY_SIDE)
    run = run_folder(config)
    if leads():
        check_free(run)
    return run


def check_source(source: Path) -> dict[str, Any]:
    """The config of a finished run that is to be fine-tuned.

    Raises:
        SamesightError: it is none.
    """
    try:
        config = json.loads((source / "run.json").read_bytes())["config"]
        if not isinstance(config, dict):
            raise ValueError("config is no object")
    except (OSError, ValueError, KeyError, TypeError):
        raise SamesightError(f"{source}: not a finished run that samesight train has made; give its folder") from None
    return config
