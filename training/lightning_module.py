"""What Lightning trains: a network with its normalisation and optimiser; loss and metrics stand in `tasks/`."""

from dataclasses import dataclass
from typing import Any, ClassVar

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from samesight.contract.spec import Input, ModelSpec
from samesight.conversion.normalisation import affine_of
from samesight.training.config import Schedule

PARTS = ("validation", "test")
# One cycle rises for a quarter of its steps, which is no step of four; fewer than these fall as a cosine.
FEWEST_STEPS = 8
# Below the width of a vector.
FEW_CHANNELS = 16
# What the best checkpoint and early stopping go by; higher is better.
MONITOR = "validation/selection"


@dataclass(frozen=True)
class Optimiser:
    """AdamW, the course of its learning rate, and a factor for each class in the loss (None: all the same).

    What is not in the modules named `head` is the backbone: its learning rate is `backbone_rate` times the head's, and
    for the first `freeze` epochs it does not learn at all.
    """

    learning_rate: float
    weight_decay: float
    schedule: Schedule
    class_weights: tuple[float, ...] | None = None
    head: tuple[str, ...] = ()
    backbone_rate: float = 1.0
    freeze: int = 0


class Normalise(nn.Module):
    """Pixels uint8 [B, C, H, W] -> float32, (low + p / 255 (high - low) - mean) / std per channel."""

    def __init__(self, spec: Input) -> None:
        super().__init__()
        affine = affine_of(spec)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", torch.tensor(affine.factor).reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", torch.tensor(affine.offset).reshape(1, -1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        return pixels * self.scale + self.shift


def crashes_channels_last(network: nn.Module) -> bool:
    """Whether a 1x1 convolution of few channels skips pixels, as in the stems of RepVGG and MobileOne.

    oneDNN in PyTorch 2.13 writes beyond its gradient's buffer then, channels last, on several threads that share the
    images unevenly: the process dies soon after.
    """
    return any(
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and layer.stride != (1, 1)
        and layer.in_channels < FEW_CHANNELS
        for layer in network.modules()
    )


class TrainingModule(pl.LightningModule):
    """What all tasks share: the network, normalisation, optimiser and repeatable epochs."""

    # Whether AdamW updates all weights at once: faster for many small ones, and rounded otherwise.
    FUSED: ClassVar[bool] = False

    def __init__(
        self, network: nn.Module, spec: ModelSpec, optimiser: Optimiser, seed: int, channels_last: bool = True
    ) -> None:
        super().__init__()
        # Channels last is a third faster, on CPU as on GPU; export turns it back.
        is_safe = channels_last and not crashes_channels_last(network)
        self.layout = torch.channels_last if is_safe else torch.contiguous_format
        self.network: nn.Module = network.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.spec = spec
        self.normalise = Normalise(spec.input)
        self.optimiser = optimiser
        weights = optimiser.class_weights
        self.class_weights: Tensor | None
        # Not saved, so that a checkpoint is the same with and without.
        self.register_buffer("class_weights", None if weights is None else torch.tensor(weights), persistent=False)
        self.seed = seed

    def forward(self, pixels: Tensor) -> Any:
        """Raw outputs of the network for pixels uint8 [B, C, H, W]."""
        return self.network(self.normalise(pixels).contiguous(memory_format=self.layout))

    def on_train_epoch_start(self) -> None:
        """Chance depends on seed and epoch alone: an interrupted and resumed training ends as an unbroken one."""
        torch.manual_seed(self.seed + 7919 * self.current_epoch + 104729 * self.global_rank)
        if self.optimiser.freeze:
            self._set_frozen(self.current_epoch < self.optimiser.freeze)

    def _set_frozen(self, frozen: bool) -> None:
        """The backbone learns or not; the statistics of a frozen one's BatchNorm stay too."""
        for name, module in self.network.named_modules():
            if not self._in_head(name):
                for parameter in module.parameters(recurse=False):
                    parameter.requires_grad_(not frozen)
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.train(not frozen)

    def _in_head(self, name: str) -> bool:
        return any(name == part or name.startswith(f"{part}.") for part in self.optimiser.head)

    def configure_optimizers(self) -> Any:
        """AdamW; biases and BatchNorm are not decayed."""
        rate = self.optimiser.learning_rate
        named = [(name, p) for name, p in self.network.named_parameters() if p.requires_grad]
        parts = [[p for _, p in named]]
        rates = [rate]
        if self.optimiser.backbone_rate != 1.0:
            parts = [[p for name, p in named if self._in_head(name) == head] for head in (True, False)]
            rates = [rate, rate * self.optimiser.backbone_rate]
        groups = [
            group
            for part, own in zip(parts, rates, strict=True)
            for group in (
                {"params": [p for p in part if p.ndim > 1], "lr": own, "weight_decay": self.optimiser.weight_decay},
                {"params": [p for p in part if p.ndim <= 1], "lr": own, "weight_decay": 0.0},
            )
        ]
        adam = torch.optim.AdamW(groups, lr=rate, fused=self.FUSED)
        steps = int(self.trainer.estimated_stepping_batches)
        if self.optimiser.schedule == "constant":
            return adam
        if self.optimiser.schedule == "onecycle" and steps >= FEWEST_STEPS:
            course: Any = torch.optim.lr_scheduler.OneCycleLR(
                adam, max_lr=[own for own in rates for _ in range(2)], total_steps=steps, pct_start=0.25
            )
        else:
            course = torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=steps)
        return {"optimizer": adam, "lr_scheduler": {"scheduler": course, "interval": "step"}}
