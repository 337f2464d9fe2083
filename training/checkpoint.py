"""Checkpoints that Lightning has written, read without running code from them."""

from pathlib import Path
from typing import Any

import torch

from samesight.contract.errors import SamesightError
from samesight.contract.files import check_plain

PARTS = {"state_dict", "epoch", "global_step", "optimizer_states"}


def read_checkpoint(path: Path, advice: str) -> dict[str, Any]:
    """A checkpoint's content, on the CPU.

    Args:
        path: the file.
        advice: what to do about a damaged one.

    Raises:
        SamesightError: missing, damaged, or no checkpoint of a training.
    """
    try:
        state = torch.load(check_plain(path), map_location="cpu", weights_only=True)
    except SamesightError:
        raise
    except Exception:  # torch raises anything from RuntimeError to UnpicklingError on damaged files
        state = None
    if not isinstance(state, dict) or not state.keys() >= PARTS:
        problem = "damaged, or not a checkpoint of this training" if path.exists() else "missing"
        raise SamesightError(f"{path}: {problem}; {advice}")
    return state
