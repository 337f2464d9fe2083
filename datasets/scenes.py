"""The embedded data for detection: real scans of digits pasted on cluttered backgrounds, with boxes.

Each scene is drawn from (seed, part, index) alone, so that any one can be drawn again without the others. Train,
validation and test paste digits from the disjoint parts of `digits`.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from samesight.datasets.digits import INK_LEVELS, LABELS, load_scans, split_scans
from samesight.datasets.example import DataSet, Example, Lazy, Pixels, Truth

SIDE = 128
SIZES = {"train": 1600, "validation": 100, "test": 200}
MOST_DIGITS = 5
SMALLEST, LARGEST = 20, 60
CONTRAST = 110
# Backgrounds use one half of the brightness range, so that ink in the other half contrasts with all of it.
TONES = ((0, 140), (115, 255))
TRIES = 30
INK_EDGE = 64


def open_scenes(seed: int) -> DataSet:
    """1,600 train, 100 validation and 200 test scenes of 128 x 128 with 1 to 5 digits of 20 to 60 pixels."""

    def part(number: int, name: str, positions: list[int]) -> Lazy[Example]:
        return Lazy(SIZES[name], lambda index: _scene_example(seed, number, name, positions, index))

    train, validation, test = (
        part(number, name, positions)
        for number, (name, positions) in enumerate(zip(SIZES, split_scans(seed), strict=True))
    )
    return DataSet("scenes", "detection", seed, LABELS, train, validation, test, SIDE)


def _scene_example(seed: int, number: int, name: str, positions: list[int], index: int) -> Example:
    pixels, boxes, labels = draw_scene(np.random.default_rng([seed, 11, number, index]), positions)
    return Example(f"scenes-{name}-{index:04d}", lambda: pixels, Truth(boxes=boxes, labels=labels))


def draw_scene(random: Generator, positions: list[int]) -> tuple[Pixels, NDArray[np.float32], NDArray[np.int64]]:
    """One scene.

    Args:
        random: the only source of chance.
        positions: which scans may be pasted.

    Returns:
        pixels uint8 [128, 128, 3]; boxes float32 [K, 4], tight around the ink; digits int64 [K]; K is 1 to 5.
    """
    scans, digits = load_scans()
    canvas = _background(random)
    boxes: list[tuple[int, int, int, int]] = []
    labels: list[int] = []
    digit_count = int(random.integers(1, MOST_DIGITS + 1))
    for _ in range(TRIES):
        if len(boxes) == digit_count:
            break
        position = positions[int(random.integers(len(positions)))]
        # Uniform in the logarithm: as many digits of 20 to 35 pixels as of 35 to 60.
        longer = round(SMALLEST * (LARGEST / SMALLEST) ** random.random())
        ink = _enlarge(scans[position], longer)
        height, width = ink.shape
        left, top = int(random.integers(SIDE - width + 1)), int(random.integers(SIDE - height + 1))
        box = (left, top, left + width, top + height)
        if any(_touches(box, placed) for placed in boxes):
            continue
        _paste(canvas, ink, left, top, random)
        boxes.append(box)
        labels.append(int(digits[position]))
    noise = random.integers(-6, 7, (SIDE, SIDE, 3))
    pixels = np.clip(np.round(canvas) + noise, 0, 255).astype(np.uint8)
    return pixels, np.asarray(boxes, np.float32), np.asarray(labels, np.int64)


def _enlarge(scan: NDArray[np.uint8], longer: int) -> NDArray[np.uint8]:
    """A scan as coverage uint8 [h, w] (0..255), cut to its ink, its longer side `longer` pixels or a little less."""
    coverage = np.round(scan * (255.0 / INK_LEVELS)).astype(np.uint8)
    # Enlarged once by 8 to find the ink's edge to an eighth of a scan's pixel, then resized from there.
    fine = np.asarray(Image.fromarray(coverage).resize((64, 64), Image.Resampling.BICUBIC))
    fine = _cut_to_ink(fine)
    scale = longer / max(fine.shape)
    size = (max(round(fine.shape[1] * scale), 4), max(round(fine.shape[0] * scale), 4))
    return _cut_to_ink(np.asarray(Image.fromarray(fine).resize(size, Image.Resampling.BILINEAR)))


def _cut_to_ink(coverage: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows = np.flatnonzero((coverage >= INK_EDGE).any(axis=1))
    columns = np.flatnonzero((coverage >= INK_EDGE).any(axis=0))
    return coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _touches(first: tuple[int, int, int, int], second: tuple[int, int, int, int]) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _paste(canvas: NDArray[np.float32], ink: NDArray[np.uint8], left: int, top: int, random: Generator) -> None:
    """Blend ink of one random colour onto the canvas, in place; its brightness differs from the background's."""
    height, width = ink.shape
    below = canvas[top : top + height, left : left + width]
    colour = random.integers(0, 256, 3).astype(np.float32)
    ground = float(below.mean())
    brightness = float(colour.mean())
    if abs(brightness - ground) < CONTRAST:
        target = ground + CONTRAST if ground < 128 else ground - CONTRAST
        colour = np.clip(colour + (target - brightness), 0, 255)
    coverage = (ink / np.float32(255))[..., None]
    below += coverage * (colour - below)


def _background(random: Generator) -> NDArray[np.float32]:
    """Soft patches of colour with lines, ellipses and polygons over them: float32 [128, 128, 3], 0..255."""
    cells = int(random.integers(2, 7))
    patches = random.integers(30, 226, (cells, cells, 3)).astype(np.uint8)
    image = Image.fromarray(patches).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(int(random.integers(4, 13))):
        colour = tuple(int(level) for level in random.integers(0, 256, 3))
        x, y, u, v, p, q = (int(coordinate) for coordinate in random.integers(-10, SIDE + 10, 6))
        kind = int(random.integers(3))
        if kind == 0:
            pen.line((x, y, u, v), fill=colour, width=int(random.integers(1, 5)))
        elif kind == 1:
            pen.ellipse((min(x, u), min(y, v), max(x, u), max(y, v)), outline=colour, width=int(random.integers(1, 4)))
        else:
            pen.polygon((x, y, u, v, p, q), fill=colour)
    low, high = TONES[int(random.integers(len(TONES)))]
    return np.asarray(image, np.float32) * np.float32((high - low) / 255) + np.float32(low)
