"""The entries of a COCO file's `images`: each one's file, and the size that its boxes refer to."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError
from samesight.contract.image import MAX_SIDE, read_header
from samesight.contract.orientation import Orientation


@dataclass(frozen=True)
class Photo:
    """One entry of `images`: its file, and the size of the image that its boxes refer to."""

    path: Path
    width: int
    height: int
    turn: Orientation | None
    """How boxes on the stored image are turned upright; None where they are upright already."""


def read_photos(document: dict[str, Any], images: Path, annotations: Path) -> dict[int, Photo]:
    """The images by their id.

    Raises:
        SamesightError: an image that is missing, lies elsewhere, or has another size.
    """
    photos: dict[int, Photo] = {}
    for entry in document["images"]:
        number, name = entry["id"], entry.get("file_name")
        if not isinstance(name, str) or not name:
            raise SamesightError(f"{annotations}: image {number} has no file_name; give it one")
        if number in photos:
            raise SamesightError(f"{annotations}: image {number} stands there twice; keep one of them")
        path = images / name
        if not path.is_relative_to(images) or ".." in Path(name.replace("\\", "/")).parts:
            raise SamesightError(f"{annotations}: image {number} ({name}) lies outside {images}; give a path below it")
        photos[number] = _photo(entry, _find(images, name, number, annotations), annotations)
    if not photos:
        raise SamesightError(f"{annotations}: names no image; give at least ten")
    return photos


def _find(images: Path, name: str, number: int, annotations: Path) -> Path:
    r"""The file of a name as it is, or written otherwise: `\` for `/`, letters with accents composed or decomposed.

    macOS and Windows write names so, Linux takes them byte by byte.
    """
    for path in (name, name.replace("\\", "/")):
        for form in (path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)):
            # A pipe or device is found too, and refused where it is read.
            if (images / form).exists() and not (images / form).is_dir():
                return images / form
    raise SamesightError(
        f"{images / name}: missing, but named by image {number} of {annotations}; add the file, or remove the entry"
    )


def _photo(entry: dict[str, Any], path: Path, annotations: Path) -> Photo:
    stated = _side(entry, "width", annotations), _side(entry, "height", annotations)
    try:
        width, height, orientation = read_header(path)
    except SamesightError:
        # Reading its pixels will say why; before a training all such images are named at once.
        return Photo(path, stated[0] or MAX_SIDE, stated[1] or MAX_SIDE, turn=None)
    upright = orientation.upright_size(width, height)
    for size, turn in ((upright, None), ((width, height), orientation)):
        if all(side in (None, actual) for side, actual in zip(stated, size, strict=True)):
            return Photo(path, *size, turn=turn)
    said = " x ".join("?" if side is None else str(side) for side in stated)
    raise SamesightError(
        f"{annotations}: image {entry['id']} is said to be {said}, but {path} is "
        f"{upright[0]} x {upright[1]}; the boxes belong to another version of it"
    )


def _side(entry: dict[str, Any], key: str, annotations: Path) -> int | None:
    """A number of pixels, which some tools write as text; None where there is none."""
    value = entry.get(key)
    if value is None:
        return None
    try:
        pixels = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
        if pixels.is_integer() and pixels > 0:
            return int(pixels)
    except ValueError:
        pass
    raise SamesightError(
        f"{annotations}: image {entry['id']} has the {key} {value!r}, not a whole number of pixels; "
        "correct it, or remove it to have the file's own taken"
    )
