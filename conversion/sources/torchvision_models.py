"""Networks of torchvision by name: classifiers with their weights' own transform; detectors in their own module."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samesight.contract.errors import SamesightError, UsageError, first_line
from samesight.contract.spec import Crop, Input, ModelSpec, Outputs, Slice
from samesight.conversion.sources import torchvision_detectors as detectors
from samesight.conversion.sources.labels import distinct_labels, numbered_labels
from samesight.conversion.sources.library import Wishes, no_weights, spec_name, unknown_name
from samesight.conversion.sources.weights import load_weights

if TYPE_CHECKING:
    from torch.nn import Module

# Their published weights were made of images in [-1, 1], which they make of ImageNet's normalisation themselves.
TRANSFORMING = {"googlenet", "inception_v3"}
LAST_LAYERS = 2  # dimensions of a linear layer's weights


def propose(name: str, wishes: Wishes) -> ModelSpec:
    """The spec of a classifier or detector (errors as in `library.Library`)."""
    plain, _, tag = name.partition(".")
    check_name(plain)
    published = published_weights(plain, tag)
    if plain in detectors.NAMES:
        return detectors.propose(plain, published.meta["categories"], wishes)
    preset = published.transforms()
    categories = published.meta["categories"]
    size = wishes.size or (preset.crop_size[0],) * 2
    # Another size keeps the share of the image that the network was judged on.
    shorter = preset.resize_size[0] * max(size) // preset.crop_size[0]
    count = _classes_of(wishes) or len(categories)
    labels = wishes.labels or (distinct_labels(categories) if count == len(categories) else numbered_labels(count))
    return ModelSpec(
        name=spec_name(name),
        task="classification",
        input=Input(
            width=size[0],
            height=size[1],
            framing=Crop(resize_shorter=max(shorter, *size)),
            filter=preset.interpolation.value,
            mean=tuple(preset.mean),
            std=tuple(preset.std),
        ),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple(labels),
    )


def build(name: str, spec: ModelSpec, weights: Path | None, random: bool) -> "Module":
    """The network with as many classes as the spec (errors as in `library.Library`)."""
    from torchvision.models import get_model

    plain, _, tag = name.partition(".")
    check_name(plain)
    source, classes = f"torchvision:{name}", spec.class_count
    options: dict[str, Any] = {"weights_backbone": None} if plain in detectors.NAMES else {}
    if plain in TRANSFORMING:
        options |= {"transform_input": True, "init_weights": False}
    if weights or random:
        network = get_model(plain, weights=None, num_classes=classes, **options)
        if weights:
            load_weights(network, weights, source)
    else:
        published = published_weights(plain, tag)
        known = len(published.meta["categories"])
        if classes != known:
            raise SamesightError(
                f"{source}: its published weights know {known} classes, but the spec has {classes} labels; give the "
                "weights that know them: --weights FILE"
            )
        try:
            network = get_model(plain, weights=published)
        except OSError as error:  # URLError among them
            raise no_weights(source, first_line(error)) from None
    return detectors.raw_heads(network) if plain in detectors.NAMES else network


def check_name(plain: str) -> None:
    """Refuse a name that torchvision has not, or not for us: a UsageError with the nearest ones."""
    import torchvision
    from torchvision.models import list_models

    names: Sequence[str] = [*list_models(module=torchvision.models), *detectors.NAMES]
    if plain in names:
        return
    if plain in list_models(module=torchvision.models.detection):
        raise UsageError(
            f"torchvision:{plain}: works in two stages with boxes in between, which cannot be exported for phones; "
            f"choose {', '.join(detectors.NAMES)}"
        )
    raise unknown_name("torchvision", plain, names)


def published_weights(plain: str, tag: str) -> Any:
    """The published weights of this name, or the library's choice: an entry of torchvision's WeightsEnum.

    Raises:
        UsageError: torchvision has no weights of this name.
    """
    from torchvision.models import get_model_weights

    entries = get_model_weights(plain)
    if not tag:
        return entries.DEFAULT
    if tag not in entries.__members__:
        known = ", ".join(f"torchvision:{plain}.{one}" for one in entries.__members__)
        raise UsageError(f"torchvision:{plain}.{tag}: torchvision has no weights of this name; choose {known}")
    return entries[tag]


def _classes_of(wishes: Wishes) -> int | None:
    """How many classes the last linear layer of the given weights has."""
    linear = [
        tensor.shape[0]
        for name, tensor in (wishes.state or {}).items()
        if name.endswith("weight") and tensor.ndim == LAST_LAYERS and not name.startswith(("aux", "AuxLogits"))
    ]
    return int(linear[-1]) if linear else None
