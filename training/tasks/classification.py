"""Training a classifier: cross-entropy, top-1 accuracy."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy
from torchvision.transforms import v2

from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.training.dataset import Framed, FramedImages
from samesight.training.lightning_module import MONITOR, PARTS, Optimiser, TrainingModule
from samesight.training.models.network import MEAN, STD, Network
from samesight.training.tasks.interface import TaskTraining

MOVED = v2.InterpolationMode.BILINEAR
# A loss below 1 / LOSS_SHARE never outweighs one image; it only decides between equal metrics.
LOSS_SHARE = 1e-4


class ClassificationModule(TrainingModule):
    """Cross-entropy; top-1 accuracy."""

    def __init__(
        self, network: nn.Module, spec: ModelSpec, optimiser: Optimiser, seed: int, channels_last: bool = True
    ) -> None:
        super().__init__(network, spec, optimiser, seed, channels_last)
        self.accuracies = {part: MulticlassAccuracy(len(spec.labels), average="micro") for part in PARTS}
        # Registered, so that Lightning moves them to the device.
        self.metrics = nn.ModuleDict(self.accuracies)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> Tensor:
        """Cross-entropy of one batch."""
        images, labels, _indices = batch
        loss = F.cross_entropy(self(images), labels, weight=self.class_weights, label_smoothing=0.1)
        self.log("train/loss", loss, batch_size=len(images), on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> None:
        """Top-1 and loss of the validation images."""
        loss = self._evaluate("validation", batch)
        self.log("validation/loss", loss, batch_size=len(batch[0]), sync_dist=True)

    def test_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> None:
        """Top-1 of the test images."""
        self._evaluate("test", batch)

    def _evaluate(self, part: str, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        images, labels, _indices = batch
        logits = self(images)
        self.accuracies[part].update(logits, labels)
        return F.cross_entropy(logits, labels)

    def on_validation_epoch_end(self) -> None:
        """Equal accuracies, usual with few images, are told apart by the loss."""
        top1 = self._finish("validation")
        loss = self.trainer.callback_metrics["validation/loss"].clamp(max=10.0).to(top1)
        self.log(MONITOR, top1 - LOSS_SHARE * loss, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """Logs `test/top1`."""
        self._finish("test")

    def _finish(self, part: str) -> Tensor:
        top1 = self.accuracies[part].compute()
        self.accuracies[part].reset()
        self.log(f"{part}/top1", top1, sync_dist=True)
        return top1


def item(framed: Framed, spec: Input, change: Callable[..., Any] | None) -> tuple[Tensor, int]:
    """Image uint8 [C, H, W], label."""
    return framed.image if change is None else change(framed.image), framed.truth.label


def collate_labels(items: list[tuple[Tensor, int, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Images uint8 [B, C, H, W], labels int64 [B], indices int64 [B]."""
    images, labels, indices = zip(*items, strict=True)
    return torch.stack(images), torch.tensor(labels), torch.tensor(indices)


def glyph_changes(width: int, height: int) -> list[v2.Transform]:
    """For writing."""
    across, down = width // 8, height // 8
    return [
        # The border is continued outwards first, so that shifts uncover paper and not black.
        v2.Pad([across, down], padding_mode="edge"),
        v2.RandomAffine(degrees=12, translate=(0.06, 0.06), scale=(0.85, 1.15), shear=8, interpolation=MOVED),
        v2.CenterCrop([height, width]),
    ]


def photo_changes(width: int, height: int) -> list[v2.Transform]:
    """For things seen by a camera."""
    return [
        v2.RandomResizedCrop([height, width], scale=(0.4, 1.0), antialias=True),
        v2.RandomHorizontalFlip(),
        v2.ColorJitter(0.3, 0.3, 0.3, 0.03),
    ]


def make_spec(name: str, input_spec: Input, labels: tuple[str, ...], stride: int | None) -> ModelSpec:
    """Logits [1, C] with softmax."""
    outputs = Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax")
    return ModelSpec(name=name, task="classification", input=input_spec, outputs=outputs, labels=labels)


def _default_network(classes: int, dropout: float) -> Network:
    from samesight.training.models.classifier import Classifier

    return Network(Classifier(classes, dropout), MEAN, STD, None, ("head",), ("head",))


def _timm_network(name: str, classes: int, dropout: float, pretrained: bool, side: int) -> Network:
    from samesight.training.models.timm_backbone import build_classifier

    return build_classifier(name, classes, dropout, pretrained, side)


def _torchvision_network(name: str, classes: int, dropout: float, pretrained: bool, side: int) -> Network:
    from samesight.training.models.torchvision_backbone import build_classifier

    return build_classifier(name, classes, dropout, pretrained, side)


def _module(
    network: Network,
    spec: ModelSpec,
    optimiser: Optimiser,
    seed: int,
    images: dict[str, FramedImages],
    channels_last: bool,
) -> ClassificationModule:
    return ClassificationModule(network.module, spec, optimiser, seed, channels_last)


CLASSIFICATION = TaskTraining(
    augmentations={"glyphs": glyph_changes, "photos": photo_changes},
    own_networks={"default": _default_network},
    library_networks={"timm": _timm_network, "torchvision": _torchvision_network},
    module=_module,
    item=item,
    collate=collate_labels,
    spec=make_spec,
    stride=lambda spec: None,
)
