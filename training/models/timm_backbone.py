"""Any backbone of the timm library (https://huggingface.co/docs/timm), for both tasks.

Nets of plain ReLU convolutions (resnet, regnet, repvgg) become the fastest and most exact int8 artifacts; hard-swish
and squeeze-excite nets (MobileNetV3, EfficientNet) work, but their int8 is slower than their float on a CPU.
"""

from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from samesight.contract.errors import SamesightError, UsageError, first_line
from samesight.conversion.sources.timm_models import create_network
from samesight.training.models.detector import STRIDE, Heads, Neck
from samesight.training.models.network import Network, average_faster, check_runs

NECK = 64
DEEPEST_STRIDE = 32


class PyramidDetector(nn.Module):
    """Normalised images [B, 3, H, W] -> logits [B, N, classes], boxes [B, N, 4] on the grid of stride 4."""

    def __init__(self, backbone: nn.Module, widths: list[int], classes: int, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = Neck(widths, NECK)
        self.heads = Heads(classes, NECK, dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        return self.heads(self.neck(list(self.backbone(x))))


def build_classifier(name: str, classes: int, dropout: float, pretrained: bool, side: int) -> Network:
    """A timm model with a fresh classification layer (errors as `build_network`)."""
    _check_name(name, pretrained)
    model = _create(name, pretrained, side, num_classes=classes, drop_rate=dropout)
    check_runs(f"timm:{name}", model, side)
    layers = model.get_classifier()
    # Distilled transformers have two.
    layers = layers if isinstance(layers, tuple) else (layers,)
    head = tuple(name for name, module in model.named_modules() if any(module is layer for layer in layers))
    return _network(model, None, model, head, head)


def build_detector(name: str, classes: int, dropout: float, pretrained: bool, side: int) -> Network:
    """A timm backbone's features of stride 4 to 32 under our own neck and heads (errors as `build_network`)."""
    _check_name(name, pretrained)
    probe = _create(name, False, side, features_only=True)
    stages = [
        (index, width)
        for index, (width, stride) in enumerate(
            zip(probe.feature_info.channels(), probe.feature_info.reduction(), strict=True)
        )
        if STRIDE <= stride <= DEEPEST_STRIDE
    ]
    strides = [probe.feature_info.reduction()[index] for index, _ in stages]
    if strides[:1] != [STRIDE] or any(b != 2 * a for a, b in pairwise(strides)):
        raise UsageError(
            f"--model timm:{name}: its features have strides {strides or 'unlike 4, 8, 16'}, but a detector "
            "needs 4, 8, ...; choose a backbone in stages, such as timm:resnet18"
        )
    model = _create(name, pretrained, side, features_only=True, out_indices=[index for index, _ in stages])
    detector = PyramidDetector(model, [width for _, width in stages], classes, dropout)
    check_runs(f"timm:{name}", detector, side)
    return _network(detector, STRIDE, model, ("neck", "heads"), ("heads.scores",))


def _check_name(name: str, pretrained: bool) -> None:
    import timm

    plain = name.split(".")[0]
    if timm.is_model(plain):
        if pretrained and not timm.list_models(plain, pretrained=True):
            raise UsageError(f"--model timm:{name}: timm has no published weights of it; leave out --pretrained")
        return
    close = get_close_matches(plain, timm.list_models(), n=3, cutoff=0.5)
    hint = f"did you mean {', '.join('timm:' + one for one in close)}?" if close else "see timm.list_models()"
    raise UsageError(f"--model timm:{name}: timm knows no such model; {hint}")


def _create(name: str, pretrained: bool, side: int, **options: Any) -> Any:
    try:
        return create_network(name, side, pretrained=pretrained, **options)
    except UsageError:
        raise
    except Exception as error:
        if pretrained:
            raise SamesightError(
                f"--pretrained: the weights of {name} cannot be had ({first_line(error)}); connect to the internet, "
                "or leave out --pretrained"
            ) from None
        raise UsageError(
            f"--model timm:{name}: cannot be used here ({first_line(error)}); choose another backbone"
        ) from None


def _network(
    model: nn.Module, stride: int | None, backbone: Any, head: tuple[str, ...], label_layers: tuple[str, ...]
) -> Network:
    published = getattr(backbone, "pretrained_cfg", None) or {}
    mean, std = published.get("mean", (0.485, 0.456, 0.406)), published.get("std", (0.229, 0.224, 0.225))
    average_faster(model)
    return Network(model, tuple(mean), tuple(std), stride, head, label_layers)
