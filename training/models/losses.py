"""What the detector is trained on: which cell answers for which box, focal loss for scores, GIoU for boxes."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

RADIUS = 1.2
BOX_WEIGHT = 0.4


def grid_centres(height: int, width: int, stride: int, device: torch.device) -> Tensor:
    """Middles of the grid's cells in pixels: float32 [height * width, 2] (x, y), row-major."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device) + 0.5, torch.arange(width, device=device) + 0.5, indexing="ij"
    )
    return torch.stack([x, y], dim=-1).reshape(-1, 2) * stride


def decode_distances(distances: Tensor, centres: Tensor, stride: int) -> Tensor:
    """Raw left, top, right, bottom [..., N, 4] in strides around centres [N, 2] -> corners [..., N, 4] in pixels."""
    reach = distances.clamp(min=0) * stride
    return torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], dim=-1)


def assign(centres: Tensor, boxes: Tensor, labels: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Give each cell the box that it answers for, by centre sampling (FCOS).

    A cell answers for a box when its middle is inside the box and at most 1.2 strides from the box's middle; where
    several boxes claim a cell, the smallest wins; a box that no cell's middle is inside of claims the nearest cell.

    Args:
        centres: [N, 2] middles of the cells in pixels.
        boxes: [B, K, 4] corners in pixels; rows of label -1 are padding.
        labels: int64 [B, K].
        stride: pixels per cell.

    Returns:
        label of each cell int64 [B, N], -1 where it answers for none; its box [B, N, 4].
    """
    low, high = boxes[:, None, :, :2], boxes[:, None, :, 2:]
    places = centres[None, :, None, :]
    inside = ((places > low) & (places < high)).all(-1)
    away = (places - (low + high) / 2).abs().amax(-1)
    claims = inside & (away <= RADIUS * stride)
    nearest = F.one_hot(away.argmin(1), len(centres)).transpose(1, 2).bool()
    claims = (claims | (nearest & ~claims.any(1, keepdim=True))) & (labels >= 0)[:, None, :]
    areas = (high - low).prod(-1).expand_as(away).masked_fill(~claims, float("inf"))
    smallest, owner = areas.min(-1)
    cell_labels = labels.gather(1, owner).masked_fill(smallest.isinf(), -1)
    return cell_labels, boxes.gather(1, owner[..., None].expand(-1, -1, 4))


def detection_loss(
    logits: Tensor,
    distances: Tensor,
    boxes: Tensor,
    labels: Tensor,
    size: tuple[int, int],
    stride: int,
    class_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Focal loss of the scores and GIoU loss of the boxes, each per answering cell.

    Args:
        logits: [B, N, C] raw scores.
        distances: [B, N, 4] raw boxes in strides.
        boxes: [B, K, 4] true corners in pixels, padded.
        labels: int64 [B, K], -1 where padded.
        size: input height and width in pixels.
        stride: pixels per cell.
        class_weights: [C], a factor for the scores of each class; None for 1.

    Returns:
        two scalars; the sum is what is minimised.
    """
    centres = grid_centres(size[0] // stride, size[1] // stride, stride, logits.device)
    cell_labels, cell_boxes = assign(centres, boxes, labels, stride)
    taken = cell_labels >= 0
    count = taken.sum().clamp(min=1)
    wanted = F.one_hot(cell_labels.clamp(min=0), logits.shape[-1]).to(logits.dtype) * taken[..., None]
    if class_weights is None:
        scores = sigmoid_focal_loss(logits, wanted, alpha=0.25, gamma=2.0, reduction="sum") / count
    else:
        each = sigmoid_focal_loss(logits, wanted, alpha=0.25, gamma=2.0, reduction="none")
        scores = (each * class_weights).sum() / count
    found = decode_distances(distances, centres, stride)[taken]
    overlap = generalized_box_iou_loss(found.float(), cell_boxes[taken].float(), reduction="sum") / count
    return scores, BOX_WEIGHT * overlap
