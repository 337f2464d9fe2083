"""Random changes to training images, boxes included: torchvision's transforms v2, chosen by name."""

from torchvision.transforms import v2

from samesight.contract.spec import Task
from samesight.training.config import Augmentation

# Grey of the letterbox's border, for what a shifted image leaves bare.
BORDER = 114
MOVED = v2.InterpolationMode.BILINEAR


def make_augmentation(name: Augmentation, task: Task, width: int, height: int) -> v2.Transform | None:
    """The changes for images uint8 [3, height, width] that are already framed; None for none.

    `glyphs` suits writing: small turns, shifts and sizes, never mirrored. `photos` suits things seen by a camera:
    mirrored, cropped, and in other light. For detection nothing turns: the boxes would no longer be tight.
    """
    if name == "none":
        return None
    changes = {
        ("glyphs", "classification"): _glyph_labels,
        ("glyphs", "detection"): _glyph_boxes,
        ("photos", "classification"): _photo_labels,
        ("photos", "detection"): _photo_boxes,
    }[name, task]
    return v2.Compose(changes(width, height))


def _glyph_labels(width: int, height: int) -> list[v2.Transform]:
    across, down = width // 8, height // 8
    return [
        # The border is continued outwards first, so that shifts uncover paper and not black.
        v2.Pad([across, down], padding_mode="edge"),
        v2.RandomAffine(degrees=12, translate=(0.06, 0.06), scale=(0.85, 1.15), shear=8, interpolation=MOVED),
        v2.CenterCrop([height, width]),
    ]


def _glyph_boxes(width: int, height: int) -> list[v2.Transform]:
    return [
        v2.RandomChannelPermutation(),
        v2.RandomInvert(0.5),
        v2.RandomAffine(0, (0.1, 0.1), fill=BORDER),
        v2.ClampBoundingBoxes(),
        v2.SanitizeBoundingBoxes(min_size=4),
    ]


def _photo_labels(width: int, height: int) -> list[v2.Transform]:
    return [
        v2.RandomResizedCrop([height, width], scale=(0.4, 1.0), antialias=True),
        v2.RandomHorizontalFlip(),
        v2.ColorJitter(0.3, 0.3, 0.3, 0.03),
    ]


def _photo_boxes(width: int, height: int) -> list[v2.Transform]:
    return [
        v2.RandomHorizontalFlip(),
        v2.RandomPhotometricDistort(),
        v2.RandomAffine(0, (0.1, 0.1), (0.7, 1.3), interpolation=MOVED, fill=BORDER),
        v2.ClampBoundingBoxes(),
        v2.SanitizeBoundingBoxes(min_size=2),
    ]
