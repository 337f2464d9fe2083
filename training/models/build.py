"""Networks by name: `default`, or `timm:NAME`."""

from samesight.contract.tasks import Task
from samesight.training.models.network import Network
from samesight.training.tasks.table import TASKS


def build_network(model: str, task: Task, classes: int, dropout: float, pretrained: bool, side: int) -> Network:
    """Build a network with fresh weights (or published ones for its backbone).

    Args:
        model: `default` or `timm:NAME`.
        task: what it is for.
        classes: number of labels.
        dropout: share of the last features that training drops.
        pretrained: take timm's published weights.
        side: the shorter input side in pixels, for backbones that are built for one size.

    Raises:
        UsageError: timm has no model of this name, or it cannot serve the task.
        SamesightError: its weights cannot be had.
    """
    if model == "default":
        return TASKS[task].default_network(classes, dropout)
    return TASKS[task].timm_network(model.removeprefix("timm:"), classes, dropout, pretrained, side)
