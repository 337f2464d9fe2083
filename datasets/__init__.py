"""Labelled images by the name of their source. Free of torch: conversion regenerates test parts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.errors import UsageError
from samesight.contract.tasks import Task
from samesight.datasets.example import DataSet, Example

__all__ = ["SOURCES", "DataSet", "Example", "open_data"]


@dataclass(frozen=True)
class DatasetKind:
    """One kind of data: its form on the command line, its task, and a function that opens the part after the colon."""

    form: str
    task: Task
    open: Callable[[str, int], DataSet]
    help: str


def _digits(_: str, seed: int) -> DataSet:
    from samesight.datasets.digits import open_digits

    return open_digits(seed)


def _scenes(_: str, seed: int) -> DataSet:
    from samesight.datasets.scenes import open_scenes

    return open_scenes(seed)


def _folder(location: str, seed: int) -> DataSet:
    from samesight.datasets.folder import open_folder

    if not location:
        raise UsageError("data 'folder:' names no folder; write folder:PATH")
    return open_folder(Path(location).expanduser().resolve(), seed)


def _coco(location: str, seed: int) -> DataSet:
    from samesight.datasets.coco import open_coco

    images, comma, annotations = location.rpartition(",")
    if not (comma and images and annotations):
        raise UsageError(f"data 'coco:{location}' does not name two things; write coco:IMAGES,ANNOTATIONS.json")
    return open_coco(Path(images).expanduser().resolve(), Path(annotations).expanduser().resolve(), seed)


def _torchvision(name: str) -> Callable[[str, int], DataSet]:
    def opener(_: str, seed: int) -> DataSet:
        from samesight.datasets.torchvision_data import open_torchvision

        return open_torchvision(name, seed)

    return opener


SOURCES: dict[str, DatasetKind] = {
    "digits": DatasetKind("digits", "classification", _digits, "1,797 real scans of handwritten digits, built in"),
    "scenes": DatasetKind(
        "scenes", "detection", _scenes, "those digits on cluttered backgrounds, with boxes, built in"
    ),
    "folder": DatasetKind("folder:PATH", "classification", _folder, "your images, one subfolder per class"),
    "coco": DatasetKind("coco:IMAGES,ANNOTATIONS.json", "detection", _coco, "your images with boxes in one COCO file"),
    "mnist": DatasetKind("mnist", "classification", _torchvision("mnist"), "downloaded once"),
    "fashion-mnist": DatasetKind("fashion-mnist", "classification", _torchvision("fashion-mnist"), "downloaded once"),
    "cifar10": DatasetKind("cifar10", "classification", _torchvision("cifar10"), "downloaded once"),
}


def find_source(text: str, task: Task | None = None) -> tuple[DatasetKind, str]:
    """The source that a text such as `digits` or `folder:PATH` names, and what follows its colon.

    Raises:
        UsageError: no source has that name, or it is made for another task.
    """
    name, colon, location = text.partition(":")
    source = SOURCES.get(name)
    if source is None or bool(colon) != (":" in source.form):
        forms = ", ".join(kind.form for kind in SOURCES.values())
        hint = f"; for your own images write folder:{text}" if Path(text).is_dir() else ""
        raise UsageError(f"data {text!r} is unknown: choose among {forms}{hint}")
    if task not in (None, source.task):
        others = ", ".join(kind.form for kind in SOURCES.values() if kind.task == task)
        raise UsageError(f"data {text!r} is for {source.task}, not for {task}; for that there are {others}")
    return source, location


def open_data(source: str, task: Task | None = None, seed: int = 0) -> DataSet:
    """Open labelled images.

    Paths become absolute, so that the data set's `source` opens it again from anywhere.

    Args:
        source: one of the forms in `SOURCES`.
        task: the task to use them for; None for the source's own task.
        seed: determines the split, and in `scenes` the drawn images.

    Raises:
        UsageError: an unknown source, or a task that it cannot serve.
        SamesightError: the files are missing or faulty.
    """
    kind, location = find_source(source, task)
    return kind.open(location, seed)
