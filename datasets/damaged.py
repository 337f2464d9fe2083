"""Images that cannot be read, found before anything is made of the others."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from samesight.contract.errors import SamesightError
from samesight.datasets.example import Example
from samesight.datasets.notes import some

Made = TypeVar("Made")
DECODERS = 4


@dataclass(frozen=True)
class Damaged:
    """One image that cannot be read: its name, and the sentence that says why."""

    name: str
    reason: str


class DamagedImages(SamesightError):
    """Several images cannot be read; `images` has all of them."""

    def __init__(self, source: str, images: Sequence[Damaged], advice: str) -> None:
        self.images = tuple(images)
        number = len(self.images)
        which = (
            self.images[0].reason
            if number == 1
            else f"{number:,} images cannot be read: {some([d.name for d in images])}"
        )
        super().__init__(f"{source}: {which}; {advice}")


def read_each(examples: Sequence[Example], read: Callable[[Example], Made]) -> list[Made | Damaged]:
    """What `read` makes of each image, in their order, or why one cannot be read."""

    def attempt(index: int) -> Made | Damaged:
        example = examples[index]
        try:
            return read(example)
        except SamesightError as error:
            return Damaged(example.name, str(error))

    # Pillow decodes and resizes outside Python's lock, so that threads are enough here.
    with ThreadPoolExecutor(DECODERS) as pool:
        return list(pool.map(attempt, range(len(examples))))


def readable(examples: Sequence[Example]) -> list[Example]:
    """The images that can be read."""
    found = read_each(examples, lambda example: example.pixels.size)
    return [example for example, result in zip(examples, found, strict=True) if not isinstance(result, Damaged)]
