"""Calibration images: the images whose activations give int8 its ranges."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.contract.image import list_images, load_picture
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Input
from samesight.conversion.qparams import UInt8

MOST_IMAGES = 100
FEW_IMAGES = 16
"""Fewer than these leave int8's ranges to chance."""
OTHER_LEVEL, OTHER_CONTRAST = 64.0, 2.0
"""Differences of the mean (of 255) and ratios of the standard deviation by which images are of another kind."""


def find_calibration_images(folder: Path, most: int = MOST_IMAGES) -> tuple[Path, ...]:
    """At most `most` images of a folder and below it, evenly spread over their sorted names.

    Raises:
        SamesightError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise SamesightError(f"{folder}: no such folder; give one with some {MOST_IMAGES} images")
    images = list_images(folder)
    if not images:
        raise SamesightError(f"{folder}: holds no image (png, jpg, …); give some {MOST_IMAGES} that the model will see")
    count = min(len(images), most)
    return tuple(images[i * len(images) // count] for i in range(count))


def calibration_tensors(images: Sequence[Path], spec: Input) -> UInt8:
    """Image files as the contract's input tensors, uint8 [n, H, W, C].

    Raises:
        SamesightError: an image is missing or damaged.
    """
    return np.stack([preprocess(load_picture(path, spec.background), spec)[0] for path in images])


def few_images_note(count: int) -> str:
    """What to say where int8 was calibrated with so many images; nothing where they are enough."""
    if count >= FEW_IMAGES:
        return ""
    images = "1 image" if count == 1 else f"{count} images"
    return f"int8 was calibrated with {images}, which leaves its ranges to chance; give some {MOST_IMAGES}"


def other_kind_note(calibration: UInt8, test: UInt8) -> str:
    """What to say where calibration images are of another kind than test images, both uint8 [n,H,W,C], or nothing."""
    (level, contrast), (test_level, test_contrast) = (
        (float(images.mean(dtype=np.float64)), float(images.std(dtype=np.float64))) for images in (calibration, test)
    )
    wide = max(contrast, test_contrast) > OTHER_CONTRAST * min(contrast, test_contrast)
    if abs(level - test_level) <= OTHER_LEVEL and not wide:
        return ""
    return (
        f"the calibration images are unlike the test images (mean {level:.0f} against {test_level:.0f} of 255, "
        f"standard deviation {contrast:.0f} against {test_contrast:.0f}), so int8 has ranges for others; "
        "give images that the model will see"
    )
