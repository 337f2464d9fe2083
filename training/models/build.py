"""Networks by name: `default`, `silu`, `timm:NAME` or `torchvision:NAME`."""

from samesight.contract.errors import UsageError
from samesight.contract.tasks import Task
from samesight.training.models.network import Network
from samesight.training.tasks.table import TASKS


def build_network(model: str, task: Task, classes: int, dropout: float, pretrained: bool, side: int) -> Network:
    """Build a network with fresh weights (or published ones for its backbone).

    Args:
        model: `default`, `silu`, `timm:NAME` or `torchvision:NAME`.
        task: what it is for.
        classes: number of labels.
        dropout: share of the last features that training drops.
        pretrained: take the library's published weights.
        side: the shorter input side in pixels, for backbones that are built for one size.

    Raises:
        UsageError: the library has no model of this name, or it cannot serve the task.
        SamesightError: its weights cannot be had.
    """
    if model in (own := TASKS[task].own_networks):
        return own[model](classes, dropout)
    library, _, name = model.partition(":")
    libraries = TASKS[task].library_networks
    if library not in libraries:
        raise UsageError(
            f"--model {model}: there is no such network for {task}; choose "
            f"{' or '.join([*own, *(f'{each}:NAME' for each in libraries)])}"
        )
    return libraries[library](name, classes, dropout, pretrained, side)
