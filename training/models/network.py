"""A float network with what its input takes."""

from dataclasses import dataclass

from torch import nn

# Of the small default nets, powers of two: 0..1 becomes -2..2.
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


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
