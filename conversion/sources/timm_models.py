"""Classifiers of timm by name, with timm's own evaluation transform as their framing (timm.data.create_transform)."""

import logging
import math
import socket
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samesight.contract.errors import SamesightError, UsageError, first_line
from samesight.contract.spec import Crop, Framing, Input, Letterbox, ModelSpec, Outputs, Slice, Stretch, StretchCrop
from samesight.conversion.sources.labels import distinct_labels, numbered_labels
from samesight.conversion.sources.library import Wishes, no_weights, spec_name, unknown_name
from samesight.conversion.sources.weights import load_weights

if TYPE_CHECKING:
    from torch.nn import Module

HUB = "huggingface.co"
FILES = ("model.safetensors", "pytorch_model.bin")
# timm also has "lanczos", "nearest" and "random" for a few of its own experiments.
FILTERS = ("bilinear", "bicubic")


def propose(name: str, wishes: Wishes) -> ModelSpec:
    """The spec of a classifier (errors as in `library.Library`)."""
    from timm.data import resolve_data_config

    published = _config(name)
    data = resolve_data_config(
        {"input_size": (3, wishes.size[1], wishes.size[0])} if wishes.size else {}, pretrained_cfg=published
    )
    if data["interpolation"] not in FILTERS:
        raise UsageError(
            f"timm:{name}: its images are resized by {data['interpolation']}, which a spec does not have; give --spec"
        )
    channels, height, width = data["input_size"]
    if channels != 3:
        raise UsageError(f"timm:{name}: takes images of {channels} channels; choose one that takes RGB images")
    labels = _labels(name, published, wishes)
    return ModelSpec(
        name=spec_name(name),
        task="classification",
        input=Input(
            width=width,
            height=height,
            framing=_framing(data, width, height),
            filter=data["interpolation"],
            mean=tuple(data["mean"]),
            std=tuple(data["std"]),
        ),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=labels,
    )


def build(name: str, spec: ModelSpec, weights: Path | None, random: bool) -> "Module":
    """The network with as many classes as the spec (errors as in `library.Library`)."""
    config = _config(name)
    published = not weights and not random
    if published and not _has_weights(config):
        raise SamesightError(
            f"timm:{name}: timm has no published weights of it; give --weights FILE, or --random-weights to convert "
            "it without"
        )
    if published and _out_of_reach(config):
        raise no_weights(f"timm:{name}", f"{HUB} cannot be reached")
    classes = spec.class_count
    if published and classes != config["num_classes"]:
        raise SamesightError(
            f"timm:{name}: its published weights know {config['num_classes']} classes, but the spec has "
            f"{classes} labels; give the weights that know them: --weights FILE"
        )
    try:
        size = (spec.input.height, spec.input.width)
        network = create_network(name, size, pretrained=published, num_classes=classes, exportable=True)
    except Exception as error:  # whatever the hub's client or the network's own constructor raises
        if published:
            raise no_weights(f"timm:{name}", first_line(error)) from None
        raise SamesightError(f"timm:{name}: cannot be built for this spec ({first_line(error)}); correct it") from None
    if weights:
        load_weights(network, weights, f"timm:{name}")
    return network


def create_network(name: str, size: int | tuple[int, int], **options: Any) -> Any:
    """`timm.create_model` for an input size: the side, or height and width. Raises whatever timm and its hub raise."""
    import timm

    # The hub's client reports each of its ten attempts; our one sentence says it better.
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    try:
        # Only transformers are built for one size and take `img_size`.
        return timm.create_model(name, img_size=size, **options)
    except TypeError:
        return timm.create_model(name, **options)


def _config(name: str) -> dict[str, Any]:
    """What timm publishes about a network: sizes, normalisation, classes and where its weights are."""
    import timm
    from timm.models import get_pretrained_cfg

    plain = name.split(".")[0]
    if not timm.is_model(plain):
        raise unknown_name("timm", plain, timm.list_models())
    try:
        config = get_pretrained_cfg(name)
    except RuntimeError:  # a name that is none behind the point
        tags = [one for one in timm.list_models(pretrained=True) if one.split(".")[0] == plain]
        choices = ", ".join(f"timm:{one}" for one in tags[:5]) or f"timm:{plain}"
        raise UsageError(f"timm:{name}: timm has no weights of this name; choose {choices}") from None
    return config.to_dict() if config is not None else {}


def _has_weights(config: Mapping[str, Any]) -> bool:
    return any(config.get(key) for key in ("url", "file", "hf_hub_id", "state_dict"))


def _out_of_reach(config: Mapping[str, Any]) -> bool:
    """Whether weights are on the hub alone, and it is not there: the hub's own client tries for most of a minute."""
    from huggingface_hub import try_to_load_from_cache

    hub = config.get("hf_hub_id")
    if not hub or urllib.request.getproxies():
        return False
    if any(isinstance(try_to_load_from_cache(hub, file), str) for file in FILES):
        return False
    try:
        socket.getaddrinfo(HUB, 443)
    except OSError:
        return True
    return False


def _framing(data: Mapping[str, Any], width: int, height: int) -> Framing:
    """The evaluation transform of timm: the size over the crop percentage, then the middle."""
    across, down = (math.floor(side / data["crop_pct"]) for side in (width, height))
    if data["crop_mode"] == "squash":
        same = (across, down) == (width, height)
        return Stretch() if same else StretchCrop(resize_width=across, resize_height=down)
    if data["crop_mode"] == "border":
        return Letterbox(pad=round(255 * sum(data["mean"]) / len(data["mean"])))
    return Crop(resize_shorter=max(across, down))


def _labels(name: str, config: Mapping[str, Any], wishes: Wishes) -> tuple[str, ...]:
    if wishes.labels is not None:
        return tuple(wishes.labels)
    count = _classes_of(config, wishes) or config.get("num_classes", 0)
    if not count:
        raise UsageError(
            f"timm:{name}: is published without classes; give --weights FILE of a classifier, or a spec with its labels"
        )
    return _library_labels(config) if count == config.get("num_classes") else numbered_labels(count)


def _classes_of(config: Mapping[str, Any], wishes: Wishes) -> int | None:
    """How many classes the last layer of the given weights has."""
    layers = config.get("classifier") or ()
    for layer in (layers,) if isinstance(layers, str) else layers:
        for key, tensor in (wishes.state or {}).items():
            if key == f"{layer}.weight" or key.endswith(f".{layer}.weight"):
                return int(tensor.shape[0])
    return None


def _library_labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    from timm.data import ImageNetInfo, infer_imagenet_subset

    count = config["num_classes"]
    if config.get("label_names"):
        return distinct_labels(list(config["label_names"]))
    subset = infer_imagenet_subset(dict(config))
    if subset is None:
        return numbered_labels(count)
    info = ImageNetInfo(subset)
    # The first of the synonyms that WordNet lists.
    return distinct_labels([str(info.index_to_description(index)).split(",")[0].strip() for index in range(count)])
