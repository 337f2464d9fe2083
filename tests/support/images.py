"""Pictures for networks that were not trained: their activations vary over the image, and the same each time."""

import numpy as np


def blobs(spec, count=12):
    """Coarse blobs with a little noise, uint8 [n, H, W, C]."""
    generator = np.random.default_rng(1)
    height, width, channels = spec.input.height, spec.input.width, spec.input.channel_count
    coarse = generator.integers(0, 256, (count, height // 8, width // 8, channels))
    fine = np.repeat(np.repeat(coarse, 8, 1), 8, 2) + generator.integers(-9, 10, (count, height, width, channels))
    return np.clip(fine, 0, 255).astype(np.uint8)
