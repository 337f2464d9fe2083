"""Embedded colour profiles (ICC) to sRGB, through LittleCMS. Not bit-exact between systems, unlike all that follows."""

import io

import numpy as np
from PIL import Image, ImageCms

# A profile that changes no probe colour by more than this counts as sRGB: the image stays as it is.
_SAME_LEVELS = 2
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The image in sRGB, with the profile's own rendering intent.

    The image comes back unchanged where the profile is damaged, belongs to another kind of image (a CMYK profile in an
    RGB file) or is sRGB already.

    Args:
        image: of mode 1, L, P, RGB, CMYK or YCbCr, without alpha.
        profile: the bytes of the ICC profile.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(source.profile.xcolor_space)
        if mode is None or not _fits(image.mode, mode):
            return image
        intent = ImageCms.Intent(ImageCms.getDefaultIntent(source))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", intent)
        if mode == "RGB" and _changes_nothing(transform):
            return image
        return transform.apply(image.convert(mode))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image


def _fits(image_mode: str, profile_mode: str) -> bool:
    if profile_mode == "RGB":
        return image_mode != "CMYK"
    return image_mode in {"L": ("1", "L"), "CMYK": ("CMYK",)}[profile_mode]


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    probe = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(256, 16, 3)
    moved = np.asarray(transform.apply(Image.fromarray(probe)))
    return bool(np.abs(moved.astype(np.int16) - probe).max() <= _SAME_LEVELS)
