"""Answers drawn on the upright image, for people."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from samesight.contract.answers import Answer
from samesight.contract.errors import SamesightError

LEAST_SIDE = 480
COLOURS = ("#e6550d", "#3182bd", "#31a354", "#756bb1", "#d6275f", "#b8860b", "#17a2a8", "#8c564b")


def draw_answers(pixels: npt.NDArray[np.uint8], answers: Sequence[Answer]) -> Image.Image:
    """The upright image [H, W, 3] with boxes, or with the first three labels below it; small images are enlarged."""
    height, width = pixels.shape[:2]
    scale = max(1, -(-LEAST_SIDE // max(height, width)))
    image = Image.fromarray(pixels).resize((width * scale, height * scale), Image.Resampling.NEAREST)
    font = ImageFont.load_default(size=max(14, max(image.size) // 32))
    boxed = [answer for answer in answers if answer.box is not None]
    if not boxed:
        return _captioned(image, answers, font)
    draw = ImageDraw.Draw(image)
    for answer in reversed(boxed):
        assert answer.box is not None
        corners = tuple(value * scale for value in answer.box)
        colour = COLOURS[answer.index % len(COLOURS)]
        draw.rectangle(corners, outline=colour, width=max(2, max(image.size) // 240))
        text = f"{answer.label} {answer.score:.2f}"
        left, top, right, bottom = draw.textbbox((corners[0], corners[1]), text, font=font, anchor="lb")
        down = max(0.0, -top)
        draw.rectangle((left, top + down, right + 4, bottom + down), fill=colour)
        draw.text((left + 2, bottom + down), text, fill="white", font=font, anchor="lb")
    return image


def _captioned(
    image: Image.Image, answers: Sequence[Answer], font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> Image.Image:
    lines = [f"{answer.label}  {answer.score:.3f}" for answer in answers[:3]] or ["nothing found"]
    line = max(18, max(image.size) // 24)
    captioned = Image.new("RGB", (image.width, image.height + line * len(lines) + 8), "white")
    captioned.paste(image)
    draw = ImageDraw.Draw(captioned)
    for index, text in enumerate(lines):
        draw.text((8, image.height + 4 + index * line), text, fill="black", font=font)
    return captioned


def save_drawing(image: Image.Image, path: Path) -> None:
    """Save in the format of the file's suffix (png, jpg, webp).

    Raises:
        SamesightError: an unknown suffix, or the file cannot be written.
    """
    try:
        image.save(path)
    except ValueError:
        raise SamesightError(f"{path}: unknown kind of image; end the name in .png, .jpg or .webp") from None
    except OSError as error:
        raise SamesightError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from None
