"""Networks by name: `default`, or `timm:NAME`."""

from dataclasses import dataclass

from torch import nn

from samesight.contract.spec import Task

# Of the small default nets, powers of two: 0..1 becomes -2..2.
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@dataclass(frozen=True)
class Network:
    """A float network with what its input takes: (p / 255 - mean) / std per channel.

    Classification gives logits [B, C]; detection gives logits [B, N, C] and distances [B, N, 4] on a grid of `stride`.
    """

    module: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    stride: int | None


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
        if task == "classification":
            from samesight.training.models.classifier import Classifier

            return Network(Classifier(classes, dropout), MEAN, STD, None)
        from samesight.training.models.detector import STRIDE, Detector

        return Network(Detector(classes, dropout), MEAN, STD, STRIDE)
    name = model.removeprefix("timm:")
    from samesight.training.models.timm_backbone import build_classifier, build_detector

    if task == "classification":
        return build_classifier(name, classes, dropout, pretrained, side)
    return build_detector(name, classes, dropout, pretrained, side)
