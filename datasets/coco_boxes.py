"""The entries of a COCO file's `annotations`: boxes with a class, clipped to their image and turned upright."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.contract.orientation import Orientation
from samesight.datasets.coco_images import Photo
from samesight.datasets.notes import count, some

# Annotation tools round coordinates: a box that reaches this many pixels over the edge is clipped without a word.
SLACK = 2.0

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Annotated:
    """One box: class index, x1, y1, x2, y2 in pixels of the upright image, and whether it is a crowd's region."""

    label: int
    corners: Box
    crowd: bool


def read_boxes(
    document: dict[str, Any], photos: Mapping[int, Photo], indices: Mapping[int, int], annotations: Path
) -> tuple[dict[int, list[Annotated]], list[str]]:
    """The boxes of each image id, and a line about those that were clipped.

    A crowd's region that is no box, or of nothing known, is left out: it is nothing to learn.

    Raises:
        SamesightError: an unknown category or image, or a box that is no box or lies outside its image.
    """
    boxes: dict[int, list[Annotated]] = defaultdict(list)
    clipped = []
    for entry in document["annotations"]:
        where = f"{annotations}: annotation {entry['id']}"
        crowd = bool(entry.get("iscrowd"))
        try:
            number = _known(entry, "image_id", photos, where)
            label = indices[_known(entry, "category_id", indices, where)]
            corners, over = _corners(entry.get("bbox"), photos[number], where)
        except SamesightError:
            if crowd:
                continue
            raise
        if over > SLACK:
            clipped.append(f"annotation {entry['id']} by {over:g} pixels")
        boxes[number].append(Annotated(label, _upright(corners, photos[number]), crowd))
    number_clipped = count(len(clipped), "box", "boxes")
    return boxes, [f"clipped to the image: {number_clipped}, {some(clipped)}"] if clipped else []


def _known(entry: dict[str, Any], key: str, known: Mapping[int, object], where: str) -> int:
    value = entry.get(key)
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    if not isinstance(value, int) or isinstance(value, bool):
        raise SamesightError(f"{where} has the {key} {value!r}, not a whole number; correct it")
    if value not in known:
        if key == "image_id":
            raise SamesightError(f"{where} belongs to the unknown image {value}; correct or remove it")
        categories = some([str(number) for number in sorted(known)], 20)
        raise SamesightError(f"{where} has the unknown category {value}; known are {categories}")
    return value


def _corners(numbers: Any, photo: Photo, where: str) -> tuple[Box, float]:
    """Corners x1, y1, x2, y2 of COCO's x, y, width, height, clipped to the image; and how far it reached over."""
    plain = isinstance(numbers, list) and len(numbers) == 4 and all(type(n) in (int, float) for n in numbers)
    if not plain or not all(math.isfinite(n) for n in numbers):
        raise SamesightError(
            f"{where} has the bbox {numbers!r}, not four finite numbers [x, y, width, height]; correct it"
        )
    x, y, width, height = (float(n) for n in numbers)
    if width <= 0 or height <= 0:
        raise SamesightError(f"{where} has the bbox {numbers} of no size; width and height must be above 0")
    corners = (max(x, 0.0), max(y, 0.0), min(x + width, float(photo.width)), min(y + height, float(photo.height)))
    if corners[0] >= corners[2] or corners[1] >= corners[3]:
        raise SamesightError(
            f"{where} has the bbox {numbers} outside its image of {photo.width} x {photo.height} ({photo.path.name}); "
            "correct it"
        )
    return corners, max(-x, -y, x + width - photo.width, y + height - photo.height, 0.0)


def _upright(corners: Box, photo: Photo) -> Box:
    if photo.turn is None:
        return corners
    # The orientation that undoes `turn`: its "stored" image is the upright one. A reflection undoes itself.
    turn = photo.turn
    undo = turn if turn.mirrored else Orientation(-turn.quarter_turns % 4)
    moved = undo.to_stored(np.array([corners]), *turn.upright_size(photo.width, photo.height))[0]
    return float(moved[0]), float(moved[1]), float(moved[2]), float(moved[3])
