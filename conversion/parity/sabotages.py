"""The faults that the sabotage suite puts into somebody's app (`sabotaged_app.py`), and what each should be called."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from samesight.conversion.parity.causes import ANOTHER_MODEL
from samesight.conversion.parity.sabotaged_app import Array, Placed, Row, crop, letterbox, sigmoid, softmax, stretch


@dataclass(frozen=True)
class Sabotage:
    """One fault.

    Attributes:
        kind: in the table.
        called: the beginnings of the names by which the diagnosis may call it.
        change: the steps of `App` that it replaces, given model.json.
        boxes: whether it is for models with boxes, without, or both (None).
        network: "stale": the weights of another network; "integers": the int8 file's stored integers.
    """

    kind: str
    called: tuple[str, ...]
    change: Callable[[Row], dict[str, Any]] = lambda model: {}
    boxes: bool | None = None
    network: str = ""


def sampled(
    image: Image.Image, size: tuple[int, int], grid: Callable[[int, int], Array], nearest: bool = False
) -> Array:
    """Resize by reading single points; `grid` gives their positions in the source, counted from the first's middle."""
    pixels = np.asarray(image, np.float64)
    for axis, (source, wanted) in enumerate(((image.height, size[1]), (image.width, size[0]))):
        position = np.clip(grid(source, wanted), 0, source - 1)
        low = np.floor(position).astype(int)
        share = (position - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        high = np.minimum(low + 1, source - 1)
        first, second = np.take(pixels, low, axis), np.take(pixels, high, axis)
        pixels = first if nearest else first * (1 - share) + second * share
    return pixels


def centres(source: int, wanted: int) -> Array:
    """As OpenCV's INTER_LINEAR."""
    return np.asarray((np.arange(wanted) + 0.5) * source / wanted - 0.5)


def starts(source: int, wanted: int) -> Array:
    """As OpenCV's INTER_NEAREST and TensorFlow's first resize_bilinear."""
    return np.asarray(np.arange(wanted) * source / wanted)


def corners(source: int, wanted: int) -> Array:
    """First on first, last on last."""
    return np.asarray(np.linspace(0, source - 1, wanted))


def bicubic(image: Image.Image, size: tuple[int, int]) -> Array:
    """With antialias."""
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def size_of(model: Row) -> tuple[int, int]:
    """Of the input."""
    return model["input"]["width"], model["input"]["height"]


def stretched(image: Image.Image, model: Row, resize: Any) -> Placed:
    """The aspect forgotten, and boxes mapped back accordingly."""
    return stretch(image, size_of(model), resize)


def bordered(pad: int, image: Image.Image, model: Row, resize: Any) -> Placed:
    """A letterbox, whatever was asked for."""
    return letterbox(image, size_of(model), pad, resize)


def cut(image: Image.Image, model: Row, resize: Any) -> Placed:
    """Resize to 8/7 of the input and cut out the middle, as for ImageNet."""
    return crop(image, size_of(model), max(size_of(model)) * 8 // 7, resize)


def at_top_left(image: Image.Image, model: Row, resize: Any) -> Placed:
    """The right size in the wrong place."""
    rule = model["input"]["framing"]
    if rule["rule"] == "letterbox":
        return letterbox(image, size_of(model), rule["pad"], resize, middle=False)
    return crop(image, size_of(model), rule["resize_shorter"], resize, middle=False)


def as_stored(path: Path) -> Image.Image:
    """Without looking at EXIF."""
    return Image.open(path).convert("RGB")


def ycbcr(change: Callable[[Array], Array], image: Image.Image) -> Image.Image:
    """Pillow's 8-bit Y, Cb, Cr (JFIF: full range), changed."""
    planes = np.asarray(image.convert("YCbCr"), np.float64)
    changed = np.clip(np.round(change(planes)), 0, 255).astype(np.uint8)
    return Image.fromarray(changed, "YCbCr").convert("RGB")


def curve(power: float, image: Image.Image) -> Image.Image:
    """A table for every level."""
    return image.point([round(255 * (level / 255) ** power) for level in range(256)] * 3)


def of_network(value: Callable[[Array, Row], Array]) -> Callable[[Row], dict[str, Any]]:
    """Code that calls the original network with these values: the levels that make the artifact see them."""

    def change(model: Row) -> dict[str, Any]:
        low, high = model["input"]["value_range"]
        mean, std = np.array(model["input"]["mean"]), np.array(model["input"]["std"])
        return {"values": lambda pixels: (value(pixels, model["input"]) * std + mean - low) / (high - low) * 255}

    return change


def normalised(pixels: Array, given: Row) -> Array:
    """As model.json says."""
    low, high = given["value_range"]
    return np.asarray((low + pixels / 255 * (high - low) - np.array(given["mean"])) / np.array(given["std"]))


def relabelled(by: int, rows: list[Row], labels: list[str]) -> list[Row]:
    """The wrong line of the list of labels."""
    return [{**row, "label": labels[(labels.index(row["label"]) + by) % len(labels)]} for row in rows]


def reboxed(change: Callable[[Array, int, int], Any]) -> Callable[[Row], dict[str, Any]]:
    """Other numbers for a box, given its corners and the image's width and height."""

    def finish(rows: list[Row], width: int, height: int) -> list[Row]:
        return [{**row, "box": [float(v) for v in change(np.array(row["box"]), width, height)]} for row in rows]

    return lambda model: {"finish": finish}


def step(**changes: Any) -> Callable[[Row], dict[str, Any]]:
    """The same whatever the model."""
    return lambda model: changes


_ACTIVATION = {"softmax": softmax, "sigmoid": sigmoid}

SABOTAGES = (
    Sabotage("BGR for RGB", ("the channels are in reverse",), step(layout=lambda p: p[:, :, ::-1].transpose(2, 0, 1))),
    Sabotage("no antialias", ("the image is resized without antialias",), step(resize=partial(sampled, grid=centres))),
    Sabotage(
        "nearest pixel", ("the image is resized by taking",), step(resize=partial(sampled, grid=starts, nearest=True))
    ),
    Sabotage("bicubic for bilinear", ("the image is resized with the other",), step(resize=bicubic)),
    Sabotage("half a pixel aside", ("the image is resized half a pixel",), step(resize=partial(sampled, grid=starts))),
    Sabotage(
        "corners aligned", ("the image is resized with its corners",), step(resize=partial(sampled, grid=corners))
    ),
    Sabotage("stretched", ("the image is stretched",), step(frame=stretched)),
    Sabotage("black border", ("the image is fitted with a black",), step(frame=partial(bordered, 0))),
    Sabotage("cut out after 8/7", ("the middle of the image is cut out after",), step(frame=cut)),
    Sabotage("placed at the top left", ("the image is placed at the top left",), step(frame=at_top_left)),
    Sabotage("EXIF ignored", ("the stored orientation",), step(read=as_stored, exif=False)),
    Sabotage("upside down", ("the image is upside down",), step(colour=lambda i: i.rotate(180))),
    Sabotage(
        "turned by 90", ("the image is turned by 90",), step(colour=lambda i: i.transpose(Image.Transpose.ROTATE_270))
    ),
    Sabotage(
        "mirrored", ("the image is mirrored",), step(colour=lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    ),
    Sabotage("colours lost", ("the image has lost",), step(colour=lambda i: i.convert("L").convert("RGB"))),
    Sabotage(
        "U and V exchanged", ("blue and red differences",), step(colour=partial(ycbcr, lambda p: p[:, :, [0, 2, 1]]))
    ),
    Sabotage(
        "limited range as full",
        ("limited-range YUV",),
        step(
            colour=partial(
                ycbcr, lambda p: np.dstack([16 + p[:, :, 0] * 219 / 255, 128 + (p[:, :, 1:] - 128) * 224 / 255])
            )
        ),
    ),
    Sabotage(
        "full range as limited",
        ("full-range YUV",),
        step(
            colour=partial(
                ycbcr, lambda p: np.dstack([(p[:, :, 0] - 16) * 255 / 219, 128 + (p[:, :, 1:] - 128) * 255 / 224])
            )
        ),
    ),
    Sabotage("gamma, darker", ("the image is darker",), step(colour=partial(curve, 2.2))),
    Sabotage("gamma, brighter", ("the image is brighter",), step(colour=partial(curve, 1 / 2.2))),
    Sabotage("rows for columns", ("height and width are exchanged",), step(layout=lambda p: p.transpose(2, 1, 0))),
    Sabotage(
        "NHWC for NCHW",
        ("a channels-last image",),
        step(layout=lambda p: p.reshape(p.shape[2], p.shape[0], p.shape[1])),
    ),
    Sabotage(
        "0..1 into the artifact",
        ("the artifact, which normalises by itself, is given pixels scaled to 0..1",),
        step(values=lambda p: p / 255),
    ),
    Sabotage(
        "-1..1 into the artifact",
        ("the artifact, which normalises by itself, is given pixels scaled to -1",),
        step(values=lambda p: p / 127.5 - 1),
    ),
    Sabotage(
        "normalised before the artifact",
        ("the artifact, which normalises by itself, is given normalised",),
        lambda model: {"values": lambda pixels: normalised(pixels, model["input"])},
    ),
    Sabotage(
        "signed bytes", ("the bytes of the pixels are read",), step(values=lambda p: p.astype(np.uint8).view(np.int8))
    ),
    Sabotage("normalisation missing, 0..255", ("the pixels are left",), of_network(lambda p, given: p)),
    Sabotage(
        "normalisation missing, 0..1", ("the pixels are scaled to 0..1 and not",), of_network(lambda p, given: p / 255)
    ),
    Sabotage(
        "ImageNet's normalisation",
        ("ImageNet",),
        of_network(lambda p, given: (p / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])),
    ),
    Sabotage(
        "normalised twice",
        ("the normalisation is applied twice",),
        of_network(lambda p, given: (normalised(p, given) - np.array(given["mean"])) / np.array(given["std"])),
    ),
    Sabotage(
        "labels one too high",
        ("the labels are one too high",),
        lambda model: {"finish": lambda rows, w, h: relabelled(1, rows, model["labels"])},
    ),
    Sabotage(
        "labels one too low",
        ("the labels are one too low",),
        lambda model: {"finish": lambda rows, w, h: relabelled(-1, rows, model["labels"])},
    ),
    Sabotage("activation missing", ("the scores are the network's raw",), step(activate=lambda x: x)),
    Sabotage(
        "activation twice",
        ("softmax is applied twice", "sigmoid is applied twice"),
        lambda model: {
            "activate": lambda x: _ACTIVATION[model["outputs"]["activation"]](
                _ACTIVATION[model["outputs"]["activation"]](x)
            )
        },
    ),
    Sabotage("sigmoid for softmax", ("sigmoid is applied, not",), step(activate=sigmoid), boxes=False),
    Sabotage("softmax for sigmoid", ("softmax is applied, not",), step(activate=softmax), boxes=True),
    Sabotage(
        "percent",
        ("the scores are percent",),
        step(finish=lambda rows, w, h: [{**row, "score": 100 * row["score"]} for row in rows]),
    ),
    Sabotage(
        "worst first", ("the answers are not in the order",), step(finish=lambda rows, w, h: rows[::-1]), boxes=False
    ),
    Sabotage("stale model", (ANOTHER_MODEL,), network="stale"),
    Sabotage("integers for values", ("the outputs' scale and zero",), network="integers"),
    Sabotage("another threshold", ("another score threshold",), step(threshold=0.15), boxes=True),
    Sabotage(
        "x, y, width, height",
        ("the boxes are x, y, width",),
        reboxed(lambda b, w, h: (b[0], b[1], b[2] - b[0], b[3] - b[1])),
        boxes=True,
    ),
    Sabotage(
        "centre, width, height",
        ("the boxes are centre x",),
        reboxed(lambda b, w, h: ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1])),
        boxes=True,
    ),
    Sabotage("x and y exchanged", ("x and y of the boxes",), reboxed(lambda b, w, h: b[[1, 0, 3, 2]]), boxes=True),
    Sabotage(
        "fractions for pixels",
        ("the boxes are fractions 0..1 of the image",),
        reboxed(lambda b, w, h: b / [w, h, w, h]),
        boxes=True,
    ),
    Sabotage(
        "boxes not mapped back", ("the boxes are in pixels of the network's input",), step(back=False), boxes=True
    ),
    Sabotage("stride forgotten", ("the raw boxes are taken for pixels",), step(unit=1.0), boxes=True),
    Sabotage("half a cell aside", ("the boxes are half a grid cell",), step(cell=0.0), boxes=True),
    Sabotage("boxes not suppressed", ("overlapping boxes are not",), step(suppressed=False), boxes=True),
)


def rounded(rows: list[Row], digits: int) -> list[Row]:
    """Scores as people print them."""
    return [
        {**row, "score": round(row["score"], digits) if math.isfinite(row["score"]) else row["score"]} for row in rows
    ]
