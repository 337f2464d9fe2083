"""One labelled image, and a data set of them in three parts. Free of torch: conversion reads test parts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from samesight.contract.errors import SamesightError
from samesight.contract.tasks import Task

Item = TypeVar("Item")
Pixels = NDArray[np.uint8]


class Lazy(Sequence[Item], Generic[Item]):
    """A sequence whose items are made on access: item i is `make(i)`, the same each time."""

    def __init__(self, length: int, make: Callable[[int], Item]) -> None:
        self._length = length
        self._make = make

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        positions = range(self._length)[index]
        if isinstance(positions, range):
            return Lazy(len(positions), lambda i: self._make(positions[i]))
        return self._make(positions)

    def __iter__(self) -> Iterator[Item]:
        return (self._make(index) for index in range(self._length))


@dataclass(frozen=True)
class Truth:
    """The ground truth of an image: one class, or boxes with a class each.

    label: index into `DataSet.labels` (classification).
    boxes: float32 [K, 4], x1, y1, x2, y2 in pixels of the upright image (detection); labels: int64 [K].
    crowd_boxes, crowd_labels: the same of regions full of one class, where a metric counts detections neither as right
        nor as wrong.
    """

    label: int = -1
    boxes: NDArray[np.float32] | None = None
    labels: NDArray[np.int64] | None = None
    crowd_boxes: NDArray[np.float32] | None = None
    crowd_labels: NDArray[np.int64] | None = None

    @property
    def classes(self) -> list[int]:
        """The class of the image, or of each box."""
        if self.labels is not None:
            return [int(label) for label in self.labels]
        return [self.label] if self.label >= 0 else []


class LabelledImage(Protocol):
    """One image and its ground truth, as a metric needs them (see `Example`)."""

    @property
    def name(self) -> str:
        """The image's name, by which people can find it."""
        ...

    @property
    def pixels(self) -> Pixels:
        """uint8 [H, W, 3], RGB, upright."""
        ...

    @property
    def label(self) -> int:
        """Index of the image's class (classification)."""
        ...

    @property
    def boxes(self) -> NDArray[np.float32]:
        """float32 [K, 4]: x1, y1, x2, y2 in pixels of the upright image (detection)."""
        ...

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 [K]: class of each box (detection)."""
        ...

    @property
    def crowd_boxes(self) -> NDArray[np.float32]:
        """float32 [M, 4]: regions that a metric ignores, as `boxes` (detection)."""
        ...

    @property
    def crowd_labels(self) -> NDArray[np.int64]:
        """int64 [M]: class of each of these regions (detection)."""
        ...


@dataclass(frozen=True)
class Example:
    """One labelled image. `pixels` is read or drawn anew on each access."""

    name: str
    load: Callable[[], Pixels]
    truth: Truth

    @property
    def pixels(self) -> Pixels:
        """uint8 [H, W, 3], RGB, upright."""
        return self.load()

    @property
    def label(self) -> int:
        """Index of the image's class (classification)."""
        return self.truth.label

    @property
    def boxes(self) -> NDArray[np.float32]:
        """float32 [K, 4]: x1, y1, x2, y2 in pixels of the upright image (detection)."""
        return np.zeros((0, 4), np.float32) if self.truth.boxes is None else self.truth.boxes

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 [K]: class of each box (detection)."""
        return np.zeros(0, np.int64) if self.truth.labels is None else self.truth.labels

    @property
    def crowd_boxes(self) -> NDArray[np.float32]:
        """float32 [M, 4]: regions that a metric ignores, as `boxes` (detection)."""
        return np.zeros((0, 4), np.float32) if self.truth.crowd_boxes is None else self.truth.crowd_boxes

    @property
    def crowd_labels(self) -> NDArray[np.int64]:
        """int64 [M]: class of each of these regions (detection)."""
        return np.zeros(0, np.int64) if self.truth.crowd_labels is None else self.truth.crowd_labels


@dataclass(frozen=True)
class DataSet:
    """Labelled images in three parts that share no image.

    `side` is the default width and height of the network's input for these images. `notes` says what was left out or
    changed, a line each. `files`: the images are a person's files, which may be damaged.
    """

    source: str
    task: Task
    seed: int
    labels: tuple[str, ...]
    train: Sequence[Example]
    validation: Sequence[Example]
    test: Sequence[Example]
    side: int
    notes: tuple[str, ...] = ()
    files: bool = False


def split_evenly(classes: Sequence[int], seed: int, source: str) -> tuple[list[int], list[int], list[int]]:
    """Split positions into 70 % train, 10 % validation and 20 % test, each class alike, by the seed.

    Args:
        classes: the class of each position; all alike where the split need not be stratified.
        seed: the same seed gives the same split.
        source: for the error's sentence.

    Raises:
        SamesightError: a part would be empty.
    """
    random = np.random.default_rng([seed, 7])
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    kinds = np.asarray(classes, np.int64)
    for kind in np.unique(kinds):
        members = random.permutation(np.flatnonzero(kinds == kind))
        test = round(0.2 * len(members))
        validation = min(max(round(0.1 * len(members)), 1), len(members) - test)
        parts[2].extend(members[:test].tolist())
        parts[1].extend(members[test : test + validation].tolist())
        parts[0].extend(members[test + validation :].tolist())
    if not all(parts):
        raise SamesightError(
            f"{source}: {len(kinds)} images are too few for train, validation and test; give at least 5 of each class"
        )
    return sorted(parts[0]), sorted(parts[1]), sorted(parts[2])
