"""A person's own images for classification: one subfolder per class, as torchvision's ImageFolder has them."""

from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.contract.image import list_images
from samesight.datasets.example import DataSet, Example, Lazy, Truth, split_evenly
from samesight.datasets.files import list_folders, load_upright

SIDE = 128
PART_NAMES = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}

Labelled = tuple[Path, int]


def open_folder(path: Path, seed: int) -> DataSet:
    """Images of `PATH/CLASS/...`, or of `PATH/train/CLASS/...` with `val` and `test` beside it.

    Without `train`, the images are split 70/10/20 %, each class alike, by the seed. With it, each part has the images
    of its folder, and a part without a folder is split off `train` in the same proportions. Classes are the names of
    the folders, sorted.

    Raises:
        SamesightError: no such folder, no images, a single class, an unknown class in a part, or too few images.
    """
    source = f"folder:{path}"
    folders = list_folders(path)
    if any(folder.name == "train" and list_folders(folder) for folder in folders):
        labels, parts = _stored_parts(path, folders, source, seed)
    else:
        labels = _classes(path, folders)
        images = _images(path, labels)
        train, validation, test = split_evenly([label for _, label in images], seed, source)
        parts = {
            "train": [images[i] for i in train],
            "validation": [images[i] for i in validation],
            "test": [images[i] for i in test],
        }
    train_part, validation_part, test_part = (_part(path, parts[name]) for name in ("train", "validation", "test"))
    return DataSet(source, "classification", seed, labels, train_part, validation_part, test_part, SIDE)


def _stored_parts(
    path: Path, folders: list[Path], source: str, seed: int
) -> tuple[tuple[str, ...], dict[str, list[Labelled]]]:
    labels = _classes(path / "train", list_folders(path / "train"))
    parts: dict[str, list[Labelled]] = {}
    for folder in folders:
        name = PART_NAMES.get(folder.name)
        if name is None:
            raise SamesightError(
                f"{folder}: beside a folder 'train' only 'val' and 'test' are expected; "
                "move it away, or rename 'train' if it is a class"
            )
        if name in parts:
            raise SamesightError(f"{path}: holds two folders for validation; keep one of them")
        parts[name] = _images(folder, labels)
    train, validation, test = split_evenly([label for _, label in parts["train"]], seed, source)
    train_positions, train_images = list(train), parts["train"]
    for name, positions in (("validation", validation), ("test", test)):
        if name in parts:
            train_positions += positions
        else:
            parts[name] = [train_images[i] for i in positions]
    parts["train"] = [train_images[i] for i in sorted(train_positions)]
    return labels, parts


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


def _images(path: Path, labels: tuple[str, ...]) -> list[Labelled]:
    labelled = []
    for folder in list_folders(path):
        if folder.name not in labels:
            raise SamesightError(f"{folder}: no such class in train; the classes are the folders there")
        images = list_images(folder)
        if not images:
            raise SamesightError(f"{folder}: holds no image (jpg, png, webp, ...); fill the class or remove its folder")
        labelled += [(image, labels.index(folder.name)) for image in images]
    if not labelled:
        raise SamesightError(f"{path}: holds no class folders with images; fill it or remove it")
    return labelled


def _part(path: Path, images: list[Labelled]) -> Lazy[Example]:
    def example(index: int) -> Example:
        image, label = images[index]
        return Example(str(image.relative_to(path)), lambda: load_upright(image), Truth(label=label))

    return Lazy(len(images), example)
