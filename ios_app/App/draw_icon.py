"""Draws the app's icon: two eyes that look the same way, as the Android app's (`python draw_icon.py [PNG]`)."""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

PLACE = Path(__file__).parent / "Resources/Assets.xcassets/AppIcon.appiconset/icon.png"
SIDE, OVERSAMPLING = 1024, 4
GROUND, WHITE = (0x1F, 0x5F, 0xA8), (255, 255, 255)
# Of a drawing of 72 x 72: the middle of each eye and of its pupil, and their radii.
EYES = ((22.0, 36.0), (50.0, 36.0))
EYE, PUPIL, LOOK = 13.0, 6.0, (3.0, 0.0)


def draw() -> Image.Image:
    """The icon as RGB without transparency, which the App Store refuses."""
    side = SIDE * OVERSAMPLING
    image = Image.new("RGB", (side, side), GROUND)
    pen = ImageDraw.Draw(image)
    scale = side / 72
    for x, y in EYES:
        circles = ((x, y, EYE, WHITE), (x + LOOK[0], y + LOOK[1], PUPIL, GROUND))
        for left, top, radius, colour in circles:
            corners = [scale * (left - radius), scale * (top - radius), scale * (left + radius), scale * (top + radius)]
            pen.ellipse(corners, fill=colour)
    return image.resize((SIDE, SIDE), Image.Resampling.BOX)


if __name__ == "__main__":
    draw().save(Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE, optimize=True)
