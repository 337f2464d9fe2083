"""A person's own images for classification: one subfolder per class, as torchvision's ImageFolder has them."""

from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.contract.image import list_images
from samesight.contract.text import clean_name, printable
from samesight.datasets.copies import same_files
from samesight.datasets.example import DataSet, Example, Lazy, Truth, split_evenly
from samesight.datasets.files import list_folders, load_upright
from samesight.datasets.notes import count, left_out_of, some

SIDE = 128
PART_NAMES = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
# Where the same picture is in several parts, it stays in the first of these: a test part is kept as it was given.
KEPT_FIRST = ("test", "validation", "train")

Labelled = tuple[Path, int]
Parts = dict[str, list[Labelled]]


def open_folder(path: Path, seed: int) -> DataSet:
    """Images of `PATH/CLASS/...`, or of `PATH/train/CLASS/...` with `val` and `test` beside it.

    Without `train`, the images are split 70/10/20 %, each class alike, by the seed. With it, each part has the images
    of its folder, and a part without a folder is split off `train` in the same proportions. Classes are the names of
    the folders, sorted, without control characters and white space around them. A picture that is there twice, byte by
    byte, is taken once, and not at all if two classes have it.

    Raises:
        SamesightError: no such folder, no images, a single class, an unknown class in a part, or too few images.
    """
    source = f"folder:{path}"
    folders = list_folders(path)
    stored = any(folder.name == "train" and list_folders(folder) for folder in folders)
    classes = _classes(path / "train", list_folders(path / "train")) if stored else _classes(path, folders)
    labels, notes = _labels(path, classes)
    given = _stored_parts(path, folders, classes) if stored else {"train": _images(path, classes)}
    given, copies = _without_copies(path, given)
    notes += [*copies, *left_out_of(path)]
    try:
        parts = _split_off(given, source, seed)
    except SamesightError as error:
        raise SamesightError("; ".join([str(error), *copies])) from None
    train, validation, test = (_part(path, parts[name]) for name in ("train", "validation", "test"))
    return DataSet(source, "classification", seed, labels, train, validation, test, SIDE, tuple(notes), files=True)


def _stored_parts(path: Path, folders: list[Path], classes: tuple[str, ...]) -> Parts:
    parts: Parts = {}
    for folder in folders:
        name = PART_NAMES.get(folder.name)
        if name is None:
            raise SamesightError(
                f"{folder}: beside a folder 'train' only 'val' and 'test' are expected; "
                "move it away, or rename 'train' if it is a class"
            )
        if name in parts:
            raise SamesightError(f"{path}: holds two folders for validation; keep one of them")
        parts[name] = _images(folder, classes)
    return parts


def _split_off(given: Parts, source: str, seed: int) -> Parts:
    """The parts that are not given are split off `train`."""
    images = given["train"]
    train, validation, test = split_evenly([label for _, label in images], seed, source)
    parts, positions = dict(given), list(train)
    for name, off in (("validation", validation), ("test", test)):
        if name in given:
            positions += off
        else:
            parts[name] = [images[i] for i in off]
    parts["train"] = [images[i] for i in sorted(positions)]
    return parts


def _classes(path: Path, folders: list[Path]) -> tuple[str, ...]:
    if not folders:
        problem = "images but no class folders" if list_images(path) else "neither class folders nor images"
        raise SamesightError(f"{path}: holds {problem}; put the images of each class in a subfolder named after it")
    if len(folders) == 1:
        raise SamesightError(
            f"{path}: holds a single class ({folders[0].name}), but telling classes apart takes two or more; "
            "add a subfolder for each further class"
        )
    return tuple(folder.name for folder in folders)


def _labels(path: Path, classes: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """The folders' names as labels (see `contract.text.label_problem`), and what was changed for that."""
    labels: dict[str, str] = {}
    notes = []
    for name in classes:
        label = clean_name(name)
        if not label:
            raise SamesightError(f"{path}: the folder {name!r} has a blank name; rename it after its class")
        if label in labels:
            raise SamesightError(
                f"{path}: the folders {labels[label]!r} and {name!r} differ in white space or control "
                "characters alone; put their images together"
            )
        labels[label] = name
        if label != name:
            notes.append(f"the class of the folder {printable(repr(name))} is called {printable(repr(label))}")
    return tuple(labels), notes


def _images(path: Path, classes: tuple[str, ...]) -> list[Labelled]:
    indices = {name: index for index, name in enumerate(classes)}
    labelled = []
    for folder in list_folders(path):
        if folder.name not in indices:
            raise SamesightError(f"{folder}: no such class in train; the classes are the folders there")
        images = list_images(folder)
        if not images:
            raise SamesightError(f"{folder}: holds no image (jpg, png, webp, ...); fill the class or remove its folder")
        labelled += [(image, indices[folder.name]) for image in images]
    if not labelled:
        raise SamesightError(f"{path}: holds no class folders with images; fill it or remove it")
    return labelled


def _without_copies(path: Path, parts: Parts) -> tuple[Parts, list[str]]:
    """The parts with each picture once, and lines that say which were left out."""
    everything = [(part, *labelled) for part in KEPT_FIRST for labelled in parts.get(part, ())]
    names = [str(image.relative_to(path)) for _, image, _ in everything]
    dropped: set[int] = set()
    copies, contradictions = [], []
    for positions in same_files([image for _, image, _ in everything]):
        if len({everything[position][2] for position in positions}) > 1:
            dropped.update(positions)
            contradictions += [names[position] for position in positions]
        else:
            dropped.update(positions[1:])
            copies += [f"{names[position]} ({names[positions[0]]})" for position in positions[1:]]
    gone = {everything[position][1] for position in dropped}
    left = {part: [(image, label) for image, label in images if image not in gone] for part, images in parts.items()}
    notes = []
    if copies:
        notes.append(
            f"left out, the same bytes as another file: {count(len(copies), 'copy', 'copies')}, {some(copies)}"
        )
    if contradictions:
        notes.append(f"left out, the same bytes in several classes: {some(contradictions)}")
    return left, notes


def _part(path: Path, images: list[Labelled]) -> Lazy[Example]:
    def example(index: int) -> Example:
        image, label = images[index]
        return Example(str(image.relative_to(path)), lambda: load_upright(image), Truth(label=label))

    return Lazy(len(images), example)
