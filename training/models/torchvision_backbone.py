"""Classifiers of torchvision (https://pytorch.org/vision/stable/models.html) with a fresh last layer."""

from typing import Any

import torch
from torch import nn

from samesight.contract.errors import SamesightError, UsageError, first_line
from samesight.conversion.sources import torchvision_detectors as detectors
from samesight.conversion.sources.torchvision_models import TRANSFORMING, check_name, published_weights
from samesight.training.models.network import Network, average_faster, check_runs


def build_classifier(name: str, classes: int, dropout: float, pretrained: bool, side: int) -> Network:
    """A classifier of torchvision (errors as `build_network`)."""
    plain, _, tag = name.partition(".")
    title = f"torchvision:{name}"
    try:
        check_name(plain)
        published = published_weights(plain, tag)
    except UsageError as error:
        raise UsageError(f"--model {error}") from None
    if plain in detectors.NAMES:
        raise UsageError(
            f"--model {title}: is a detector, and classifiers of torchvision are trained here; "
            "for boxes choose default or a backbone such as timm:resnet18"
        )
    model = _create(plain, classes, fresh=not pretrained)
    layers = _label_layers(plain, classes, model)
    if pretrained:
        _load(model, published, layers, title)
    for layer in layers:
        _drop_before(model, layer, dropout)
    check_runs(title, model, side)
    average_faster(model)
    preset = published.transforms()
    return Network(model, tuple(preset.mean), tuple(preset.std), None, layers, layers)


def _create(plain: str, classes: int, fresh: bool) -> Any:
    from torchvision.models import get_model

    # These two have heads for training alone, which give a loss no single tensor.
    options = {"aux_logits": False, "transform_input": True, "init_weights": fresh} if plain in TRANSFORMING else {}
    return get_model(plain, weights=None, num_classes=classes, **options)


def _label_layers(plain: str, classes: int, model: nn.Module) -> tuple[str, ...]:
    """The modules whose parameters have other shapes for another number of classes."""
    with torch.device("meta"):
        other = dict(_create(plain, classes + 1, fresh=False).named_parameters())
    differing = [name for name, value in model.named_parameters() if value.shape != other[name].shape]
    return tuple(dict.fromkeys(name.rpartition(".")[0] for name in differing))


def _load(model: nn.Module, published: Any, layers: tuple[str, ...], title: str) -> None:
    """Published weights for all but the layers of the labels."""
    try:
        state = published.get_state_dict(progress=False, check_hash=True)
    except OSError as error:  # URLError among them
        raise SamesightError(
            f"--pretrained: the weights of {title} cannot be had ({first_line(error)}); connect to the internet, "
            "or leave out --pretrained"
        ) from None
    own = model.state_dict()
    fresh = {name for name in own if name.startswith(tuple(f"{layer}." for layer in layers))}
    model.load_state_dict(own | {name: value for name, value in state.items() if name in own.keys() - fresh})


def _drop_before(model: nn.Module, layer: str, dropout: float) -> None:
    """Give the dropout before a layer its share; a layer without one gets one, and keeps its name for both."""
    parent = model.get_submodule(layer.rpartition(".")[0])
    drops = [module for module in parent.children() if isinstance(module, nn.Dropout)]
    for module in drops:
        module.p = dropout
    if not drops:
        setattr(parent, layer.rpartition(".")[2], nn.Sequential(nn.Dropout(dropout), model.get_submodule(layer)))
