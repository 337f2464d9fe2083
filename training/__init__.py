"""Images become the server model: `training.train(training.TrainingConfig(data="digits"))` writes a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.config import TrainingConfig

__all__ = ["TrainingConfig", "resume", "train"]


def train(config: "TrainingConfig") -> Path:
    """Train a model; returns the new run folder (see `training.workflow.train`)."""
    from training import workflow

    return workflow.train(config)


def resume(run: Path) -> Path:
    """Go on with an interrupted training (see `training.resuming.resume`)."""
    from training import resuming

    return resuming.resume(run)


def __getattr__(name: str) -> Any:
    if name == "TrainingConfig":
        from training.config import TrainingConfig

        return TrainingConfig
    raise AttributeError(f"module 'training' has no attribute {name!r}")
