"""Images for networks without a data set: crops of the two photographs that scikit-learn brings."""

import numpy as np
from PIL import Image

from samesight.conversion.qparams import UInt8

SMALLEST = 120


def photo_crops(count: int, side: int, seed: int = 0) -> list[UInt8]:
    """Square crops of every size and place, some mirrored, scaled to `side`: uint8 [side, side, 3], RGB."""
    from sklearn.datasets import load_sample_images

    photos = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    random = np.random.default_rng(seed)
    crops = []
    for number in range(count):
        photo = photos[number % len(photos)]
        extent = int(random.integers(SMALLEST, min(photo.size) + 1))
        left, top = (int(random.integers(0, whole - extent + 1)) for whole in photo.size)
        crop = photo.crop((left, top, left + extent, top + extent)).resize((side, side), Image.Resampling.BICUBIC)
        crops.append(np.asarray(crop)[:, :: -1 if random.integers(2) else 1].copy())
    return crops
