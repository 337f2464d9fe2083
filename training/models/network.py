"""A float network with what its input takes."""

from dataclasses import dataclass

import torch
from torch import nn

from samesight.contract.errors import UsageError, first_line

# Of the small default nets, powers of two: 0..1 becomes -2..2.
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
# Some libraries average BatchNorm's statistics so slowly that short trainings evaluate at chance level.
MOMENTUM = 0.1


@dataclass(frozen=True)
class Network:
    """A float network with what its input takes: (p / 255 - mean) / std per channel.

    Classification gives logits [B, C]; detection gives logits [B, N, C] and distances [B, N, 4] on a grid of `stride`.
    `head` are the names of the modules above the backbone, `label_layers` those among them that other labels change.
    """

    module: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    stride: int | None
    head: tuple[str, ...] = ()
    label_layers: tuple[str, ...] = ()


def average_faster(model: nn.Module) -> None:
    """Let BatchNorm's statistics follow a short training, in place."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = MOMENTUM


def check_runs(title: str, model: nn.Module, side: int) -> None:
    """An input that is too small for a network shows here and not in the middle of a training.

    Raises:
        UsageError: the network `title`, as --model has it, does not take this side.
    """
    model.eval()
    try:
        with torch.no_grad():
            model(torch.zeros(1, 3, side, side))
    except Exception as error:
        raise UsageError(
            f"--model {title}: does not take {side} x {side} pixels ({first_line(error)}); change --size"
        ) from None
    model.train()
