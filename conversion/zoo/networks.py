"""The networks of the zoo, built from their rows, with a spec for each."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import ModelSpec, parse_spec
from samesight.conversion.qparams import UInt8
from samesight.conversion.sources import torchvision_detectors, torchvision_models
from samesight.conversion.sources.library import Wishes
from samesight.conversion.sources.server_model import normalise
from samesight.conversion.sources.timm_models import create_network
from samesight.conversion.zoo import awkward, detectors
from samesight.conversion.zoo.score_heads import sharpen
from samesight.conversion.zoo.table import Architecture
from samesight.conversion.zoo.weights import fit_answers, settle

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES = 20
# Much of what differs between images is the same all over each: turned there, scores say little of places.
DETECTORS_TURN = 0.1
OURS: dict[str, Callable[[], nn.Module]] = {**detectors.DETECTORS, **awkward.AWKWARD}


@dataclass(frozen=True)
class Built:
    """A network in evaluation mode, its spec, and whether its weights are published ones."""

    network: nn.Module
    spec: ModelSpec
    published: bool


def build(row: Architecture, images: list[UInt8], pretrained: bool) -> Built:
    """Build a network.

    Args:
        row: which.
        images: for the scale of weights that nobody trained, uint8 [H, W, 3] of the row's size.
        pretrained: take published weights where the library has some.

    Raises:
        SamesightError: the library cannot build it, or its weights cannot be had.
    """
    torch.manual_seed(0)
    with torch.no_grad():
        network, published, spec = _create(row, pretrained)
    if spec is None:
        mean, std = _normalisation(network)
        spec = _spec(row, mean, std, _class_count(row, network))
    if not published:
        batch = normalised(images, spec)
        if spec.detection is None:
            settle(network, batch)
            fit_answers(network, batch, spec.class_count)
        else:
            settle(network, batch, turn=DETECTORS_TURN)
            sharpen(network, batch)
    return Built(network.eval(), spec, published)


def normalised(images: list[UInt8], spec: ModelSpec) -> Tensor:
    """Images as the network takes them: float32 [B, 3, H, W], contiguous."""
    return torch.cat([normalise(image, spec.input) for image in images])


def _create(row: Architecture, pretrained: bool) -> tuple[Any, bool, ModelSpec | None]:
    """The network, whether its weights are published ones, and the spec that its library brings, for a detector."""
    if row.library == "ours":
        return OURS[row.name](), False, None
    try:
        if row.library == "timm":
            return (*_timm(row, pretrained), None)
        if row.name in torchvision_detectors.NAMES:
            return _torchvision_detector(row, pretrained)
        return (*_torchvision(row, pretrained), None)
    except Exception as error:
        raise SamesightError(f"{row.title}: its library cannot build it ({first_line(error)})") from None


def _timm(row: Architecture, pretrained: bool) -> tuple[Any, bool]:
    import timm

    options: dict[str, Any] = {} if pretrained else {"num_classes": CLASSES}
    published = pretrained and bool(timm.list_models(row.name, pretrained=True))
    return create_network(row.name, row.size, pretrained=published, **options), published


def _torchvision(row: Architecture, pretrained: bool) -> tuple[Any, bool]:
    import torchvision

    # GoogLeNet's heads for training only.
    options = {"aux_logits": False, "init_weights": False} if row.name == "googlenet" and not pretrained else {}
    count = {} if pretrained else {"num_classes": CLASSES}
    return torchvision.models.get_model(
        row.name, weights="DEFAULT" if pretrained else None, **count, **options
    ), pretrained


def _torchvision_detector(row: Architecture, pretrained: bool) -> tuple[Any, bool, ModelSpec]:
    labels = None if pretrained else _labels(detectors.CLASSES)
    spec = torchvision_models.propose(row.name, Wishes((row.size, row.size), labels))
    return torchvision_models.build(row.name, spec, None, random=not pretrained), pretrained, spec


def _labels(count: int) -> list[str]:
    return [f"class {number}" for number in range(count)]


def _normalisation(network: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    published = getattr(network, "pretrained_cfg", None) or {}
    return tuple(published.get("mean", MEAN)), tuple(published.get("std", STD))


def _class_count(row: Architecture, network: nn.Module) -> int:
    if row.name in detectors.SPECS:
        return detectors.CLASSES
    layers = [module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return int(layers[-1].weight.shape[0])


def _spec(row: Architecture, mean: tuple[float, ...], std: tuple[float, ...], count: int) -> ModelSpec:
    given: dict[str, Any] = {
        "schema_version": 1,
        "name": row.name.replace("_", "-"),
        "task": row.task,
        "input": {"width": row.size, "height": row.size, "mean": mean, "std": std},
        "labels": _labels(count),
    }
    given |= detectors.SPECS.get(row.name, {})
    if "outputs" not in given:
        given["outputs"] = {"tensors": ["logits"], "roles": {"logits": {"tensor": "logits"}}, "activation": "softmax"}
    return parse_spec(json.dumps(given), row.title)
