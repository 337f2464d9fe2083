"""Reads the answers that an app or anyone's code gave to images in a folder. docs/diagnosis.md shows the forms."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from samesight.contract.answers import Answer
from samesight.contract.errors import SamesightError
from samesight.contract.files import read_plain
from samesight.contract.image import Picture, list_images, load_picture
from samesight.contract.limits import DOCUMENT_BYTES
from samesight.contract.spec import ModelSpec
from samesight.contract.tasks import TASKS

FORM = 'give {"photo.jpg": [{"label": …, "score": …}, …], …}, or what `samesight predict --json` prints'


@dataclass(frozen=True)
class Answered:
    """An image, loaded when it is needed, and the answers that were given to it, in their order: best first."""

    name: str
    load: Callable[[], Picture]
    answers: list[Answer]


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        SamesightError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(read_plain(file, DOCUMENT_BYTES).decode())
    except OSError as error:
        raise SamesightError(f"{file}: {error.strerror or error}; check the path") from None
    except (ValueError, RecursionError) as error:
        raise SamesightError(f"{file}: not a JSON document ({error}); {FORM}") from None


def read_answers(file: Path, content: Any, folder: Path, spec: ModelSpec) -> list[Answered]:
    """The images that a file answers, in its order, with their answers.

    Args:
        file: for errors.
        content: a list of {"image", "answers"} as `samesight predict --json` prints it, or image names with what was
            answered: see `_answers_of`.
        folder: has the images.
        spec: of the model.

    Raises:
        SamesightError: another form, an image that is not in the folder, or answers of another model.
    """
    if not folder.is_dir():
        raise SamesightError(f"--images {folder}: no such folder; give the folder with the images that were answered")
    paths = list_images(folder)
    if not paths:
        raise SamesightError(f"--images {folder}: has no images; give the folder with those that were answered")
    found: dict[Path, Answered] = {}
    for name, given in _entries(file, content):
        path = _find(name, paths, folder, file)
        if path in found:
            raise SamesightError(f"{file}: answers image {name!r} twice; leave one out")
        answers = _answers_of(given, spec, f"{file}: image {name!r}")
        found[path] = Answered(name, partial(load_picture, path, spec.input.background), answers)
    if not found:
        raise SamesightError(f"{file}: holds no answers; {FORM}")
    return list(found.values())


def _entries(file: Path, content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict) and all(isinstance(name, str) for name in content):
        yield from content.items()
    elif isinstance(content, list):
        for entry in content:
            if not isinstance(entry, dict) or not isinstance(entry.get("image"), str):
                raise SamesightError(f'{file}: its entries have no "image"; {FORM}')
            if entry.get("answers") is not None or "scores" in entry:
                yield entry["image"], entry.get("answers", entry.get("scores"))
    else:
        raise SamesightError(f"{file}: is {type(content).__name__}, not answers by image; {FORM}")


def _find(name: str, paths: Sequence[Path], folder: Path, file: Path) -> Path:
    """The image of that name: its path below the folder, else its file name, else that without the suffix."""
    wanted = PurePosixPath(name.replace("\\", "/"))
    for matches in (
        [path for path in paths if path == folder / wanted or path == Path(name)],
        [path for path in paths if path.name == wanted.name],
        [path for path in paths if path.stem == wanted.name],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise SamesightError(
                f"{file}: image {name!r} is several files in {folder}, such as {matches[0]}; say which"
            )
    raise SamesightError(f"{file}: answers the image {name!r}, which is not in {folder}; give its folder with --images")


def _answers_of(given: Any, spec: ModelSpec, where: str) -> list[Answer]:
    """One image's answers: a list of {"label" or "index", "score", "box"}; {"boxes", "scores", "labels"} as detectors
    return them; the scores of all classes in the order of the labels; or scores by label.
    """
    boxed = TASKS[spec.task].has_boxes
    try:
        if isinstance(given, dict) and "scores" in given:
            given = _rows(given)
        elif isinstance(given, dict) and not boxed:
            given = [{"label": label, "score": score} for label, score in given.items()]
            given.sort(key=lambda row: -float(row["score"]))
        elif isinstance(given, list) and given and not isinstance(given[0], dict) and not boxed:
            return _of_scores(given, spec, where)
        answers = [_answer(row, spec, boxed, where) for row in given]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        form = '{"label": …, "score": …' + (', "box": [x1, y1, x2, y2]' if boxed else "")
        raise SamesightError(f"{where}: {str(given)[:120]!r} is no list of {form}}} with finite numbers") from None
    return answers


def _rows(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    labels = given["labels"] if "labels" in given else given["classes"]
    columns = [labels, given["scores"], *([given["boxes"]] if "boxes" in given else [])]
    names = ("label", "score", "box")
    return [dict(zip(names, row, strict=False)) for row in zip(*columns, strict=True)]


def _of_scores(given: Sequence[Any], spec: ModelSpec, where: str) -> list[Answer]:
    scores = np.array([float(score) for score in given])
    if len(scores) != len(spec.labels):
        raise SamesightError(
            f"{where}: has {len(scores)} scores, but the bundle has {len(spec.labels)} labels; are these answers of "
            "another model?"
        )
    if not np.isfinite(scores).all():
        raise ValueError("not finite")
    return [Answer(spec.labels[i], i, float(scores[i])) for i in np.argsort(-scores, kind="stable").tolist()]


def _answer(row: Mapping[str, Any], spec: ModelSpec, boxed: bool, where: str) -> Answer:
    label = row["label"] if "label" in row else row["index"]
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(spec.labels):
        index = label
    else:
        if label not in spec.labels:
            known = ", ".join(spec.labels[:5]) + (", …" if len(spec.labels) > 5 else "")
            raise SamesightError(
                f"{where}: label {str(label)[:60]!r} is not one of the bundle's ({known}); are these the answers of "
                "another model?"
            )
        index = spec.labels.index(label)
    box = None
    if boxed:
        x1, y1, x2, y2 = map(float, row["box"])
        box = (x1, y1, x2, y2)
    elif row.get("box") is not None:
        raise SamesightError(f"{where}: has boxes, but the bundle's model is a {spec.task}; give answers without")
    score = float(row["score"])
    if not np.isfinite([score, *(box or ())]).all():
        raise ValueError("not finite")
    return Answer(spec.labels[index], index, score, box)
