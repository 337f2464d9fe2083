"""An app as somebody would write it, with one fault: Pillow, numpy and a runtime; nothing of the contract's code.

The sabotage suite (`sabotage.py`) has it answer images and expects the diagnosis to name the fault. It knows the
framings crop, letterbox and stretch, classifiers, and detectors whose boxes are distances in one stride.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

Array = npt.NDArray[Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Placed:
    """An image in the input: input = upright * scale + offset, per axis (x, y)."""

    pixels: Array
    scale: tuple[float, float]
    offset: tuple[float, float]


def shrink(image: Image.Image, size: tuple[int, int]) -> Array:
    """Resize as Pillow does, with antialias."""
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))


def open_upright(path: Path) -> Image.Image:
    """Turned as its EXIF orientation says."""
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def softmax(x: Array) -> Array:
    """Over the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def sigmoid(x: Array) -> Array:
    """Of every value."""
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"softmax": softmax, "sigmoid": sigmoid, "none": lambda x: x}


def place(image: Image.Image, model: Row, resize: Callable[[Image.Image, tuple[int, int]], Array]) -> Placed:
    """Crop, letterbox or stretch, as `input.framing` of model.json says."""
    wide, high, rule = model["input"]["width"], model["input"]["height"], model["input"]["framing"]
    if rule["rule"] == "crop":
        return crop(image, (wide, high), rule["resize_shorter"], resize)
    if rule["rule"] == "letterbox":
        return letterbox(image, (wide, high), rule["pad"], resize)
    return stretch(image, (wide, high), resize)


def stretch(
    image: Image.Image, size: tuple[int, int], resize: Callable[[Image.Image, tuple[int, int]], Array]
) -> Placed:
    """The whole image, whatever its aspect."""
    return Placed(resize(image, size), (size[0] / image.width, size[1] / image.height), (0, 0))


def crop(
    image: Image.Image,
    size: tuple[int, int],
    shorter: int,
    resize: Callable[[Image.Image, tuple[int, int]], Array],
    middle: bool = True,
) -> Placed:
    """The shorter side to so many pixels, then a cut."""
    ratio = shorter / min(image.size)
    scaled = tuple(shorter if side == min(image.size) else int(side * shorter / min(image.size)) for side in image.size)
    left, top = (round((a - b) / 2) if middle else 0 for a, b in zip(scaled, size, strict=True))
    pixels = resize(image, (scaled[0], scaled[1]))[top : top + size[1], left : left + size[0]]
    return Placed(pixels, (ratio, ratio), (-left, -top))


def letterbox(
    image: Image.Image,
    size: tuple[int, int],
    pad: int,
    resize: Callable[[Image.Image, tuple[int, int]], Array],
    middle: bool = True,
) -> Placed:
    """The whole image with a border."""
    ratio = min(size[0] / image.width, size[1] / image.height)
    inner = (int(image.width * ratio + 0.5), int(image.height * ratio + 0.5))
    left, top = ((a - b) // 2 if middle else 0 for a, b in zip(size, inner, strict=True))
    pixels = np.full((size[1], size[0], 3), pad, np.uint8)
    pixels[top : top + inner[1], left : left + inner[0]] = resize(image, inner)
    return Placed(pixels, (inner[0] / image.width, inner[1] / image.height), (left, top))


def stored_box(box: Array, exif: int, width: int, height: int) -> list[float]:
    """A box of the upright image in pixels of the stored one of this width and height."""

    def point(x: float, y: float) -> tuple[float, float]:
        return {
            1: (x, y),
            2: (width - x, y),
            3: (width - x, height - y),
            4: (x, height - y),
            5: (y, x),
            6: (y, height - x),
            7: (width - y, height - x),
            8: (width - y, x),
        }[exif]

    corners = [point(box[0], box[1]), point(box[2], box[3])]
    xs, ys = zip(*corners, strict=True)
    return [float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))]


def overlap(a: Array, b: Array) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(width * height / (both - width * height))


@dataclass(frozen=True)
class App:
    """The steps of the app; a fault replaces one of them.

    Attributes:
        run: from float32 [1, 3, H, W] to outputs by role.
        model: model.json.
        exif: whether boxes are turned back to the stored image.
        read: opens an image.
        resize: to a size.
        frame: places it in the input.
        colour: uint8 pixels to pixels, before the resize.
        values: input pixels to what the artifact takes.
        layout: [H, W, 3] to [3, H, W].
        activate: raw outputs to scores.
        threshold, cell, unit, suppressed: of the boxes.
        back: whether boxes are mapped back to the image.
        finish: the answers as they are handed out, with the stored image's width and height.
    """

    run: Callable[[Array], dict[str, Array]]
    model: Row
    exif: bool = True
    read: Callable[[Path], Image.Image] = open_upright
    resize: Callable[[Image.Image, tuple[int, int]], Array] = shrink
    frame: Callable[..., Placed] = place
    colour: Callable[[Image.Image], Image.Image] = lambda image: image
    values: Callable[[Array], Array] = lambda pixels: pixels
    layout: Callable[[Array], Array] = lambda pixels: pixels.transpose(2, 0, 1)
    activate: Callable[[Array], Array] | None = None
    threshold: float | None = None
    cell: float = 0.5
    unit: float | None = None
    suppressed: bool = True
    back: bool = True
    finish: Callable[[list[Row], int, int], list[Row]] = lambda rows, width, height: rows

    def __call__(self, path: Path) -> list[Row]:
        """The answers to an image file, best first."""
        placed = self.frame(self.colour(self.read(path)), self.model, self.resize)
        pixels = self.values(placed.pixels.astype(np.float32))
        tensor = np.ascontiguousarray(self.layout(pixels), np.float32)[None]
        outputs = self.run(tensor)
        activate = self.activate or ACTIVATIONS[self.model["outputs"]["activation"]]
        scores = activate(outputs["logits"][0])
        with Image.open(path) as stored:
            width, height, exif = stored.width, stored.height, stored.getexif().get(0x0112, 1)
        if "boxes" not in outputs:
            rows = [self._row(i, scores[i]) for i in np.argsort(-scores, kind="stable")[: self.model["top_k"]]]
        else:
            rows = self._found(scores, outputs["boxes"][0], placed, (width, height), exif if self.exif else 1)
        return self.finish(rows, width, height)

    def _row(self, index: int, score: float) -> Row:
        return {"label": self.model["labels"][int(index)], "score": float(score)}

    def _found(self, scores: Array, raw: Array, placed: Placed, size: tuple[int, int], exif: int) -> list[Row]:
        rule = self.model["detection"]
        (stride,) = rule["boxes"]["strides"]
        threshold = rule["score_threshold"] if self.threshold is None else self.threshold
        best, columns = scores.max(1), self.model["input"]["width"] // stride
        unit = stride if self.unit is None else self.unit
        rows: list[Row] = []
        kept: list[tuple[int, Array]] = []
        for i in sorted(np.flatnonzero(best >= threshold), key=lambda i: -best[i]):
            x, y = (i % columns + self.cell) * stride, (i // columns + self.cell) * stride
            left, top, right, bottom = np.maximum(raw[i], 0) * unit
            box, label = np.array([x - left, y - top, x + right, y + bottom]), int(scores[i].argmax())
            if self.suppressed and any(
                label == other and overlap(box, one) > rule["iou_threshold"] for other, one in kept
            ):
                continue
            kept.append((label, box))
            if self.back:
                box = (box - np.tile(placed.offset, 2)) / np.tile(placed.scale, 2)
                upright = (size[1], size[0]) if exif >= 5 else size
                box = np.clip(box, 0, np.tile(upright, 2))
            rows.append(
                {**self._row(label, best[i]), "box": stored_box(box, exif, *size) if self.back else box.tolist()}
            )
            if len(rows) == rule["max_detections"]:
                break
        return rows
