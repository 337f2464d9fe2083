"""What a task says for itself when it is trained: the row type of the table `TASKS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torchvision.transforms import v2

from samesight.contract.spec import Input, ModelSpec
from samesight.training.config import Augmentation
from samesight.training.dataset import FramedImages, MakeItem
from samesight.training.lightning_module import Optimiser, TrainingModule
from samesight.training.models.network import Network

# For images of a width and height that are already framed.
MakeChanges = Callable[[int, int], list[v2.Transform]]


@dataclass(frozen=True)
class TaskTraining:
    """One row of `TASKS`; what is decided before torch is imported stands in `DEFAULTS`.

    Attributes:
        augmentations: random changes to training images by name.
        own_networks: by name, as `--model NAME` has it, `default` among them: (classes, dropout) -> a small net.
        library_networks: by library, as `--model LIBRARY:NAME` has it: (name, classes, dropout, pretrained, shorter
            side) -> a net on a backbone of that library.
        module: (network, spec, optimiser, seed, images, channels last) -> loss and metrics around the network.
        item: an example as the network is trained on it.
        collate: items as a batch.
        spec: (name, input, labels, stride) -> what the run's `model.json` says.
        stride: of the network's grid in pixels, from a spec; None for a task without one.
    """

    augmentations: dict[Augmentation, MakeChanges]
    own_networks: Mapping[str, Callable[[int, float], Network]]
    library_networks: Mapping[str, Callable[[str, int, float, bool, int], Network]]
    module: Callable[[Network, ModelSpec, Optimiser, int, dict[str, FramedImages], bool], TrainingModule]
    item: MakeItem
    collate: Callable[[list[Any]], Any]
    spec: Callable[[str, Input, tuple[str, ...], int | None], ModelSpec]
    stride: Callable[[ModelSpec], int | None]
