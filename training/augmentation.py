"""Random changes to training images, boxes included: torchvision's transforms v2, chosen by name."""

from torchvision.transforms import v2

from samesight.contract.tasks import Task
from samesight.training.config import Augmentation
from samesight.training.tasks.table import TASKS


def make_augmentation(name: Augmentation, task: Task, width: int, height: int) -> v2.Transform | None:
    """The changes for images uint8 [3, height, width] that are already framed; None for none.

    `glyphs` suits writing: small turns, shifts and sizes, never mirrored. `photos` suits things seen by a camera:
    mirrored, cropped, and in other light.
    """
    return None if name == "none" else v2.Compose(TASKS[task].augmentations[name](width, height))
