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
