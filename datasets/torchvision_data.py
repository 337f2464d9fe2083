"""MNIST, FashionMNIST and CIFAR-10 through torchvision, which downloads them once."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.datasets.example import DataSet, Example, Lazy, Truth, split_evenly

CACHE = Path("~/.cache/samesight/data")
CLASSES = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "cifar10": "CIFAR10"}
SIDES = {"mnist": 32, "fashion-mnist": 32, "cifar10": 32}


def cache_folder() -> Path:
    """Where downloads are kept: $SAMESIGHT_DATA, or ~/.cache/samesight/data."""
    return Path(os.environ.get("SAMESIGHT_DATA") or CACHE).expanduser()


def open_torchvision(name: str, seed: int) -> DataSet:
    """One of `CLASSES`: its own test part, and its train part split 9 to 1 into train and validation by the seed.

    Raises:
        SamesightError: it is not on this machine and cannot be downloaded.
    """
    import torchvision.datasets

    opener = getattr(torchvision.datasets, CLASSES[name])
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        train_data, test_data = (opener(str(folder), train=train, download=True) for train in (True, False))
    # torchvision passes on any exception of the network, the archive or the disk.
    except Exception as error:
        raise SamesightError(
            f"{name}: could not be downloaded to {folder} ({first_line(error)}); connect to the internet, "
            "or put torchvision's files there (set SAMESIGHT_DATA for another folder)"
        ) from None
    train, validation, held_back = split_evenly([int(label) for label in train_data.targets], seed, name)
    train = sorted(train + held_back)
    labels = tuple(str(label) for label in train_data.classes)
    return DataSet(
        name,
        "classification",
        seed,
        labels,
        _part(name, train_data, train),
        _part(name, train_data, validation),
        _part(f"{name}-test", test_data, list(range(len(test_data)))),
        SIDES[name],
    )


def _part(name: str, data: Any, positions: list[int]) -> Lazy[Example]:
    def example(index: int) -> Example:
        position = positions[index]
        image, label = data[position]
        pixels = np.asarray(image.convert("RGB"))
        return Example(f"{name}-{position:05d}", lambda: pixels, Truth(label=int(label)))

    return Lazy(len(positions), example)
