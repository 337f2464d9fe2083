"""A person's own images for detection: a folder of images and one COCO annotation file.

Format: https://cocodataset.org/#format-data, object detection. Regions marked `iscrowd` are left out. Boxes refer to
the image as people see it, turned upright; where `width` and `height` of the file tell that the annotations were made
on the image as stored, the boxes are turned with it.
"""

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.contract.orientation import Orientation
from samesight.datasets.example import DataSet, Example, Lazy, Truth, split_evenly
from samesight.datasets.files import load_upright, read_header

SIDE = 256
# Annotation tools round coordinates: a box may extend beyond its image by this many pixels and is then clipped.
SLACK = 2.0

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Photo:
    """One entry of `images`: its file, and the size of the image that its boxes refer to."""

    path: Path
    width: int
    height: int
    turn: Orientation | None
    """How boxes on the stored image are turned upright; None where they are upright already."""


def open_coco(images: Path, annotations: Path, seed: int) -> DataSet:
    """The images that the annotation file names, split 70/10/20 % by the seed; labels in the order of category ids.

    Raises:
        SamesightError: the file is missing or no COCO file, names an image that is missing, an unknown category or
            image, or has a box that is no box; the sentence names the file and the annotation's id.
    """
    document = _read(annotations)
    if not images.is_dir():
        raise SamesightError(f"{images}: no such folder; give the folder of the images that {annotations} names")
    categories = _categories(document, annotations)
    photos = _photos(document, images, annotations)
    truths = _truths(document, photos, {number: i for i, number in enumerate(categories)}, annotations)
    numbers = list(photos)
    parts = split_evenly([0] * len(numbers), seed, str(annotations))

    def part(positions: list[int]) -> Lazy[Example]:
        def example(index: int) -> Example:
            number = numbers[positions[index]]
            photo = photos[number]
            return Example(str(photo.path.relative_to(images)), lambda: load_upright(photo.path), truths[number])

        return Lazy(len(positions), example)

    train, validation, test = (part(positions) for positions in parts)
    if not any(len(truth.labels) for truth in truths.values() if truth.labels is not None):
        raise SamesightError(f"{annotations}: has no annotation; a detector needs boxes to learn from")
    source = f"coco:{images},{annotations}"
    return DataSet(source, "detection", seed, tuple(categories.values()), train, validation, test, SIDE)


def _read(annotations: Path) -> dict[str, Any]:
    try:
        document = json.loads(annotations.read_bytes())
    except OSError as error:
        raise SamesightError(f"{annotations}: {error.strerror or error}; give the COCO annotation file") from None
    except ValueError as error:
        raise SamesightError(f"{annotations}: not a JSON document ({error}); export the annotations anew") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(document, dict) or not isinstance(document.get(key), list):
            raise SamesightError(f"{annotations}: has no list {key!r}; give a COCO file for object detection")
        for entry in document[key]:
            if not isinstance(entry, dict) or not isinstance(entry.get("id"), int):
                raise SamesightError(f"{annotations}: an entry of {key!r} has no whole number 'id'; correct the file")
    return document


def _categories(document: dict[str, Any], annotations: Path) -> dict[int, str]:
    """Name of each category id, ids rising."""
    categories: dict[int, str] = {}
    for entry in sorted(document["categories"], key=lambda entry: int(entry["id"])):
        name = entry.get("name")
        if not isinstance(name, str) or not name:
            raise SamesightError(f"{annotations}: category {entry['id']} has no name; give it one")
        if entry["id"] in categories or name in categories.values():
            raise SamesightError(f"{annotations}: category {entry['id']} ({name}) stands there twice; keep one of them")
        categories[entry["id"]] = name
    if not categories:
        raise SamesightError(f"{annotations}: has no category; give at least one")
    return categories


def _photos(document: dict[str, Any], images: Path, annotations: Path) -> dict[int, Photo]:
    photos: dict[int, Photo] = {}
    for entry in document["images"]:
        number, name = entry["id"], entry.get("file_name")
        if not isinstance(name, str) or not name:
            raise SamesightError(f"{annotations}: image {number} has no file_name; give it one")
        if number in photos:
            raise SamesightError(f"{annotations}: image {number} stands there twice; keep one of them")
        path = images / name
        if not path.is_relative_to(images) or ".." in path.parts:
            raise SamesightError(f"{annotations}: image {number} ({name}) lies outside {images}; give a path below it")
        if not path.is_file():
            raise SamesightError(
                f"{path}: missing, but named by image {number} of {annotations}; add it or its entry away"
            )
        photos[number] = _photo(entry, path, annotations)
    if not photos:
        raise SamesightError(f"{annotations}: names no image; give at least ten")
    return photos


def _photo(entry: dict[str, Any], path: Path, annotations: Path) -> Photo:
    width, height, orientation = read_header(path)
    upright = orientation.upright_size(width, height)
    stated = (entry.get("width", upright[0]), entry.get("height", upright[1]))
    if stated == upright:
        return Photo(path, *upright, turn=None)
    if stated == (width, height):
        return Photo(path, width, height, turn=orientation)
    raise SamesightError(
        f"{annotations}: image {entry['id']} is said to be {stated[0]} x {stated[1]}, but {path} is "
        f"{upright[0]} x {upright[1]}; the boxes belong to another version of it"
    )


def _truths(
    document: dict[str, Any], photos: dict[int, Photo], indices: dict[int, int], annotations: Path
) -> dict[int, Truth]:
    boxes: dict[int, list[Box]] = defaultdict(list)
    labels: dict[int, list[int]] = defaultdict(list)
    for entry in document["annotations"]:
        where = f"{annotations}: annotation {entry['id']}"
        if entry.get("image_id") not in photos:
            raise SamesightError(
                f"{where} belongs to the unknown image {entry.get('image_id')!r}; correct its image_id"
            )
        if entry.get("category_id") not in indices:
            raise SamesightError(
                f"{where} has the unknown category {entry.get('category_id')!r}; known are {sorted(indices)}"
            )
        photo = photos[entry["image_id"]]
        box = _box(entry.get("bbox"), photo, where)
        if not entry.get("iscrowd"):
            boxes[entry["image_id"]].append(box)
            labels[entry["image_id"]].append(indices[entry["category_id"]])
    return {
        number: Truth(boxes=_upright(boxes[number], photo), labels=np.asarray(labels[number], np.int64))
        for number, photo in photos.items()
    }


def _box(numbers: Any, photo: Photo, where: str) -> Box:
    """Corners x1, y1, x2, y2 of COCO's x, y, width, height, clipped to the image."""
    plain = isinstance(numbers, list) and len(numbers) == 4 and all(type(n) in (int, float) for n in numbers)
    if not plain or not all(math.isfinite(n) for n in numbers):
        raise SamesightError(
            f"{where} has the bbox {numbers!r}, not four finite numbers [x, y, width, height]; correct it"
        )
    x, y, width, height = (float(n) for n in numbers)
    if width <= 0 or height <= 0:
        raise SamesightError(f"{where} has the bbox {numbers} of no size; width and height must be above 0")
    inside = min(x, y) >= -SLACK and x + width <= photo.width + SLACK and y + height <= photo.height + SLACK
    corners = (max(x, 0.0), max(y, 0.0), min(x + width, float(photo.width)), min(y + height, float(photo.height)))
    if not inside or corners[0] >= corners[2] or corners[1] >= corners[3]:
        raise SamesightError(
            f"{where} has the bbox {numbers} outside its image of {photo.width} x {photo.height} ({photo.path.name}); "
            "correct it"
        )
    return corners


def _upright(boxes: list[Box], photo: Photo) -> "np.ndarray[Any, np.dtype[np.float32]]":
    array = np.asarray(boxes, np.float64).reshape(-1, 4)
    if photo.turn is None:
        return array.astype(np.float32)
    # The orientation that undoes `turn`: its "stored" image is the upright one. A reflection undoes itself.
    turn = photo.turn
    undo = turn if turn.mirrored else Orientation(-turn.quarter_turns % 4)
    return undo.to_stored(array, *turn.upright_size(photo.width, photo.height)).astype(np.float32)
