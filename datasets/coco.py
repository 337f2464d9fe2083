"""A person's own images for detection: a folder of images and one COCO annotation file.

Format: https://cocodataset.org/#format-data, object detection. Boxes refer to the image as people see it, turned
upright; where `width` and `height` of the file tell that the annotations were made on the image as stored, the boxes
are turned with it. Regions marked `iscrowd` are no boxes to learn from; a metric ignores what is found there. An image
that stands there twice, by name or byte by byte, is one image with the boxes of both entries.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.contract.files import read_plain
from samesight.contract.image import list_images
from samesight.contract.text import clean_name, printable
from samesight.datasets.coco_boxes import Annotated, read_boxes
from samesight.datasets.coco_images import Photo, read_photos
from samesight.datasets.copies import same_files
from samesight.datasets.example import DataSet, Example, Lazy, Truth, split_evenly
from samesight.datasets.files import load_upright
from samesight.datasets.notes import count, some

SIDE = 256


def open_coco(images: Path, annotations: Path, seed: int) -> DataSet:
    """The images that the annotation file names, split 70/10/20 % by the seed; labels in the order of category ids.

    Raises:
        SamesightError: the file is missing or no COCO file, names an image that is missing, an unknown category or
            image, or has a box that is no box; the sentence names the file and the annotation's id.
    """
    document = _read(annotations)
    if not images.is_dir():
        raise SamesightError(f"{images}: no such folder; give the folder of the images that {annotations} names")
    categories, notes = _categories(document, annotations)
    photos = read_photos(document, images, annotations)
    indices = {number: i for i, number in enumerate(categories)}
    boxes, clipped = read_boxes(document, photos, indices, annotations)
    if not any(not box.crowd for found in boxes.values() for box in found):
        raise SamesightError(f"{annotations}: has no annotation; a detector needs boxes to learn from")
    first, joined = _copies(photos, images)
    truths = _truths(photos, boxes, first)
    numbers = list(truths)
    parts = split_evenly([0] * len(numbers), seed, str(annotations))

    def part(positions: list[int]) -> Lazy[Example]:
        def example(index: int) -> Example:
            number = numbers[positions[index]]
            photo = photos[number]
            return Example(str(photo.path.relative_to(images)), lambda: load_upright(photo.path), truths[number])

        return Lazy(len(positions), example)

    train, validation, test = (part(positions) for positions in parts)
    source = f"coco:{images},{annotations}"
    notes += [*joined, *clipped, *_unnamed(photos, images)]
    labels = tuple(categories.values())
    return DataSet(source, "detection", seed, labels, train, validation, test, SIDE, tuple(notes), files=True)


def _read(annotations: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_plain(annotations))
    except OSError as error:
        raise SamesightError(f"{annotations}: {error.strerror or error}; give the COCO annotation file") from None
    except (ValueError, RecursionError) as error:
        raise SamesightError(f"{annotations}: not a JSON document ({error}); export the annotations anew") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(document, dict) or not isinstance(document.get(key), list):
            raise SamesightError(f"{annotations}: has no list {key!r}; give a COCO file for object detection")
        for entry in document[key]:
            if not isinstance(entry, dict) or not isinstance(entry.get("id"), int):
                raise SamesightError(f"{annotations}: an entry of {key!r} has no whole number 'id'; correct the file")
    return document


def _categories(document: dict[str, Any], annotations: Path) -> tuple[dict[int, str], list[str]]:
    """Name of each category id, ids rising, and which names were changed to be labels."""
    categories: dict[int, str] = {}
    notes = []
    for entry in sorted(document["categories"], key=lambda entry: int(entry["id"])):
        name = entry.get("name")
        label = clean_name(name) if isinstance(name, str) else ""
        if not label:
            raise SamesightError(f"{annotations}: category {entry['id']} has no name; give it one")
        if entry["id"] in categories or label in categories.values():
            raise SamesightError(
                f"{annotations}: category {entry['id']} ({label}) stands there twice; keep one of them"
            )
        categories[entry["id"]] = label
        if label != name:
            notes.append(f"the category {printable(repr(name))} is called {printable(repr(label))}")
    if not categories:
        raise SamesightError(f"{annotations}: has no category; give at least one")
    return categories, notes


def _copies(photos: dict[int, Photo], images: Path) -> tuple[dict[int, int], list[str]]:
    """The first id of each image's picture, and a line about those that stand there twice."""
    numbers = list(photos)
    first = {number: number for number in numbers}
    twice = []
    for positions in same_files([photo.path for photo in photos.values()]):
        for position in positions[1:]:
            first[numbers[position]] = numbers[positions[0]]
            name = photos[numbers[position]].path.relative_to(images)
            twice.append(f"{name} (image {numbers[position]} as {numbers[positions[0]]})")
    entries = count(len(twice), "entry", "entries")
    return first, [f"joined, the same bytes under another id: {entries}, {some(twice)}"] if twice else []


def _truths(photos: dict[int, Photo], boxes: dict[int, list[Annotated]], first: dict[int, int]) -> dict[int, Truth]:
    """What is in each image; a box that several entries of one picture have counts once."""
    joined: dict[int, list[Annotated]] = defaultdict(list)
    for number in photos:
        known = set(joined[first[number]])
        joined[first[number]] += [box for box in boxes.get(number, ()) if box not in known]
    truths = {}
    for number, found in joined.items():
        plain, crowds = ([box for box in found if box.crowd is crowd] for crowd in (False, True))
        truths[number] = Truth(
            boxes=_corners(plain), labels=_labels(plain), crowd_boxes=_corners(crowds), crowd_labels=_labels(crowds)
        )
    return truths


def _corners(boxes: list[Annotated]) -> "np.ndarray[Any, np.dtype[np.float32]]":
    return np.array([box.corners for box in boxes], np.float32).reshape(-1, 4)


def _labels(boxes: list[Annotated]) -> "np.ndarray[Any, np.dtype[np.int64]]":
    return np.array([box.label for box in boxes], np.int64)


def _unnamed(photos: dict[int, Photo], images: Path) -> list[str]:
    named = {photo.path for photo in photos.values()}
    unnamed = [str(path.relative_to(images)) for path in list_images(images) if path not in named]
    return [f"left out, not named by the annotation file: {some(unnamed)}"] if unnamed else []
