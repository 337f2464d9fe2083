"""What Lightning trains: a network with its loss, metrics and optimiser, one module per task."""

from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.detection import MeanAveragePrecision

from samesight.contract.answers import answers
from samesight.contract.spec import Input, ModelSpec, Role
from samesight.training.config import Schedule
from samesight.training.dataset import FramedImages
from samesight.training.models.losses import detection_loss

PARTS = ("validation", "test")
# What the best checkpoint and early stopping go by; higher is better.
MONITOR = "validation/selection"
# COCO's protocol ranks all boxes, also those too unsure to be shown.
METRIC_SCORE_THRESHOLD = 0.05
METRIC_DETECTIONS = 100
# A loss below 1 / LOSS_SHARE never outweighs one image; it only decides between equal metrics.
LOSS_SHARE = 1e-4


@dataclass(frozen=True)
class Optimiser:
    """AdamW and the course of its learning rate."""

    learning_rate: float
    weight_decay: float
    schedule: Schedule


class Normalise(nn.Module):
    """Pixels uint8 [B, C, H, W] -> float32, (low + p / 255 (high - low) - mean) / std per channel."""

    def __init__(self, spec: Input) -> None:
        super().__init__()
        low, high = spec.value_range
        mean, std = (torch.tensor(values).reshape(1, -1, 1, 1) for values in (spec.mean, spec.std))
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", (high - low) / (255 * std), persistent=False)
        self.register_buffer("shift", (low - mean) / std, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        return pixels * self.scale + self.shift


class Trainee(pl.LightningModule):
    """What both tasks share: the network, normalisation, optimiser and repeatable epochs."""

    def __init__(
        self, network: nn.Module, spec: ModelSpec, optimiser: Optimiser, seed: int, channels_last: bool = True
    ) -> None:
        super().__init__()
        # Channels last is a third faster, on CPU as on GPU; export turns it back.
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.network: nn.Module = network.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.spec = spec
        self.normalise = Normalise(spec.input)
        self.optimiser = optimiser
        self.seed = seed

    def forward(self, pixels: Tensor) -> Any:
        """Raw outputs of the network for pixels uint8 [B, C, H, W]."""
        return self.network(self.normalise(pixels).contiguous(memory_format=self.layout))

    def on_train_epoch_start(self) -> None:
        """Chance depends on seed and epoch alone: an interrupted and resumed training ends as an unbroken one."""
        torch.manual_seed(self.seed + 7919 * self.current_epoch + 104729 * self.global_rank)

    def configure_optimizers(self) -> Any:
        """AdamW; biases and BatchNorm are not decayed."""
        weights = [p for p in self.network.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in self.network.parameters() if p.requires_grad and p.ndim <= 1]
        rate = self.optimiser.learning_rate
        groups = [
            {"params": weights, "weight_decay": self.optimiser.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        adam = torch.optim.AdamW(groups, lr=rate)
        steps = int(self.trainer.estimated_stepping_batches)
        if self.optimiser.schedule == "constant":
            return adam
        if self.optimiser.schedule == "onecycle":
            course: Any = torch.optim.lr_scheduler.OneCycleLR(adam, max_lr=rate, total_steps=steps, pct_start=0.25)
        else:
            course = torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=steps)
        return {"optimizer": adam, "lr_scheduler": {"scheduler": course, "interval": "step"}}


class ClassifierTrainee(Trainee):
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
        loss = F.cross_entropy(self(images), labels, label_smoothing=0.1)
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


class DetectorTrainee(Trainee):
    """Focal and GIoU loss; COCO's mean average precision of the contract's boxes in pixels of the original image."""

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        optimiser: Optimiser,
        seed: int,
        stride: int,
        images: dict[str, FramedImages],
        channels_last: bool = True,
    ) -> None:
        super().__init__(network, spec, optimiser, seed, channels_last)
        self.stride = stride
        self.images = images
        self.metric_spec = for_ranking(spec)
        self.precisions = {part: MeanAveragePrecision(backend="faster_coco_eval") for part in PARTS}
        self.metrics = nn.ModuleDict(self.precisions)

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        """Focal and GIoU loss of one batch."""
        images, boxes, labels, _indices = batch
        logits, distances = self(images)
        size = (self.spec.input.height, self.spec.input.width)
        scores, overlap = detection_loss(logits, distances, boxes, labels, size, self.stride)
        loss = scores + overlap
        values = {"train/loss": loss, "train/scores": scores, "train/boxes": overlap}
        self.log_dict(values, batch_size=len(images), on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        """Collects boxes of the validation images."""
        self._evaluate("validation", batch)

    def test_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        """Collects boxes of the test images."""
        self._evaluate("test", batch)

    def _evaluate(self, part: str, batch: tuple[Tensor, ...]) -> None:
        images, indices = batch[0], batch[-1]
        logits, boxes = (output.float().cpu().numpy() for output in self(images))
        found, wanted = [], []
        for row, index in enumerate(indices.tolist()):
            truth, geometry = self.images[part].truth(index)
            outputs: dict[Role, NDArray[np.float32]] = {"logits": logits[row : row + 1], "boxes": boxes[row : row + 1]}
            shown = answers(outputs, self.metric_spec, geometry)
            found.append(
                {
                    "boxes": torch.tensor([answer.box for answer in shown]).reshape(-1, 4),
                    "scores": torch.tensor([answer.score for answer in shown]),
                    "labels": torch.tensor([answer.index for answer in shown], dtype=torch.int64),
                }
            )
            wanted.append(
                {
                    "boxes": torch.from_numpy(np.zeros((0, 4), np.float32) if truth.boxes is None else truth.boxes),
                    "labels": torch.from_numpy(np.zeros(0, np.int64) if truth.labels is None else truth.labels),
                }
            )
        self.precisions[part].update(found, wanted)

    def on_validation_epoch_end(self) -> None:
        """Logs `validation/map50` and so on; the best checkpoint has the best mean of mAP50 and mAP."""
        values = self._finish("validation")
        self.log(MONITOR, (values["map50"] + values["map"]) / 2, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """Logs `test/map50` and so on."""
        self._finish("test")

    def _finish(self, part: str) -> dict[str, Tensor]:
        result = self.precisions[part].compute()
        self.precisions[part].reset()
        # faster-coco-eval says -1 where there is nothing to find.
        values = {short: result[long].clamp(min=0) for short, long in MAP_NAMES.items()}
        self.log_dict({f"{part}/{name}": value for name, value in values.items()}, sync_dist=True)
        return values


MAP_NAMES = {"map": "map", "map50": "map_50", "map75": "map_75"}


def for_ranking(spec: ModelSpec) -> ModelSpec:
    """The spec with the low score threshold of COCO's protocol, which ranks boxes that would not be shown."""
    if spec.detection is None:
        return spec
    rules = spec.detection.model_copy(
        update={"score_threshold": METRIC_SCORE_THRESHOLD, "max_detections": METRIC_DETECTIONS}
    )
    return spec.model_copy(update={"detection": rules})
