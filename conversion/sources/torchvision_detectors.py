"""Torchvision's one-stage detectors: the raw heads as the network, their anchors and box coding as the spec.

What torchvision does after the heads (decoding, thresholds, suppression) is the contract's here, with one difference: a
position has one class, its best, where torchvision lets it have several.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from samesight.contract.errors import UsageError, first_line
from samesight.contract.spec import (
    AnchorGrid,
    BoxCoding,
    Detection,
    Input,
    Letterbox,
    ModelSpec,
    Outputs,
    Slice,
    Stretch,
)
from samesight.conversion.sources.labels import distinct_labels
from samesight.conversion.sources.library import Wishes, spec_name

if TYPE_CHECKING:
    from samesight.contract.spec import Role

NAMES = (
    "ssdlite320_mobilenet_v3_large",
    "ssd300_vgg16",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
    "fcos_resnet50_fpn",
)
# torchvision resizes for RetinaNet and FCOS to a shorter side of 800 and any longer one; phones have one fixed size.
FREE_SIZE = (640, 640)
ROLES: "dict[str, Role]" = {"cls_logits": "logits", "bbox_regression": "boxes", "bbox_ctrness": "objectness"}


class RawHeads(nn.Module):
    """Normalised images [B, 3, H, W] -> the heads' outputs: logits, boxes, perhaps centreness."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.backbone, self.head = network.backbone, network.head

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:  # noqa: D102
        raw = self.head(list(self.backbone(x).values()))
        return tuple(raw[name] for name in ROLES if name in raw)


def raw_heads(network: nn.Module) -> nn.Module:
    """A detector of torchvision without what it does before its backbone and after its heads."""
    return RawHeads(network)


def propose(name: str, categories: Sequence[str], wishes: Wishes) -> ModelSpec:
    """The spec of one of `NAMES`.

    Args:
        name: as torchvision has it.
        categories: of its published weights, with the background first.
        wishes: size, and labels without the background.

    Raises:
        UsageError: the network does not take the size.
    """
    from torchvision.models import get_model

    network = get_model(name, weights=None, weights_backbone=None).eval()
    is_ssd = hasattr(network.anchor_generator, "aspect_ratios") and hasattr(network.anchor_generator, "clip")
    fixed = network.transform.fixed_size
    width, height = wishes.size or (fixed[::-1] if fixed else FREE_SIZE)
    try:
        with torch.no_grad():
            maps = [(m.shape[-1], m.shape[-2]) for m in network.backbone(torch.zeros(1, 3, height, width)).values()]
    except RuntimeError as error:
        raise UsageError(f"torchvision:{name}: does not take {width} x {height} ({first_line(error)})") from None
    # SSD has a channel for the background; the others are trained with one for it that nothing ever activates.
    labels = wishes.labels or distinct_labels(categories[1:] if is_ssd else categories)
    activation: Literal["softmax", "sigmoid"] = "softmax" if is_ssd else "sigmoid"
    roles = [role for role in ROLES.values() if role != "objectness" or _has_centreness(network)]
    return ModelSpec(
        name=spec_name(name),
        task="detection",
        input=Input(
            width=width,
            height=height,
            framing=Stretch() if fixed else Letterbox(),
            mean=tuple(network.transform.image_mean),
            std=tuple(network.transform.image_std),
        ),
        outputs=Outputs(
            tensors=tuple(roles), roles={role: Slice(tensor=role) for role in roles}, activation=activation
        ),
        detection=Detection(
            boxes=_coding(network, _grids(network, maps, width, height, is_ssd)),
            background=0 if is_ssd else None,
            iou_threshold=network.nms_thresh,
            max_detections=network.detections_per_img,
            objectness="geometric_mean" if _has_centreness(network) else "product",
        ),
        labels=tuple(labels),
    )


def _has_centreness(network: Any) -> bool:
    return hasattr(network.box_coder, "normalize_by_size")


def _coding(network: Any, grids: tuple[AnchorGrid, ...]) -> BoxCoding:
    """FCOS tells distances in sizes of its one anchor, the others deltas of their anchors."""
    coder = network.box_coder
    if _has_centreness(network):
        return BoxCoding(coding="distances", unit="anchor" if coder.normalize_by_size else "pixels", grids=grids)
    return BoxCoding(coding="anchor_deltas", grids=grids, divisors=tuple(coder.weights))


def _grids(
    network: Any, maps: Sequence[tuple[int, int]], width: int, height: int, is_ssd: bool
) -> tuple[AnchorGrid, ...]:
    """The anchors of each feature map of `maps` (columns, rows), in input pixels, as torchvision lays them."""
    generator = network.anchor_generator
    grids = []
    for level, (columns, rows) in enumerate(maps):
        if is_ssd:
            pairs = generator._wh_pairs[level]
            shares = (pairs.clamp(0, 1) if generator.clip else pairs).double().tolist()
            anchors = tuple((share[0] * width, share[1] * height) for share in shares)
            step = (width / columns, height / rows)
            if generator.steps is not None:
                step = (float(generator.steps[level]),) * 2
            grids.append(AnchorGrid(columns=columns, rows=rows, step=step, anchors=anchors))
        else:
            corners = generator.cell_anchors[level].double().tolist()
            anchors = tuple((x2 - x1, y2 - y1) for x1, y1, x2, y2 in corners)
            step = (float(width // columns), float(height // rows))
            grids.append(AnchorGrid(columns=columns, rows=rows, step=step, offset=0.0, anchors=anchors))
    return tuple(grids)
