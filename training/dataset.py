"""Examples become tensors: framed by the contract exactly as on a phone, then changed at random, then batched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from samesight.contract.image import Picture
from samesight.contract.orientation import UPRIGHT
from samesight.contract.preprocess import Geometry, geometry, preprocess
from samesight.contract.spec import Input
from samesight.datasets.damaged import Damaged, read_each
from samesight.datasets.example import Example, Truth
from samesight.training.prefetch import PrefetchingLoader

# Framed images are kept in memory, as bytes, up to this many; beyond it each is decoded whenever it is needed.
CACHE_BYTES = 2 << 30


Made = TypeVar("Made")


@dataclass(frozen=True)
class Framed:
    """One example as the network sees it: image uint8 [C, H, W], what is in it, and the way back for boxes."""

    image: Tensor
    truth: Truth
    geometry: Geometry


def frame_example(example: Example, spec: Input) -> Framed:
    """Frame and resize by the contract."""
    pixels, way_back = preprocess(Picture(example.pixels), spec)
    return Framed(torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), example.truth, way_back)


# From a framed example and the input's spec to an item; the third argument changes it at random.
MakeItem = Callable[[Framed, Input, Callable[..., Any] | None], tuple[Any, ...]]


class FramedImages(Dataset[Any]):
    """Items of a task (see `TaskTraining.item`), each with its index: what the network is trained and tested on.

    `examples` are those that could be read, `damaged` the others. With `files` all are read once here, even those that
    are read again whenever they are needed: a damaged one would stop the training hours later.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        spec: Input,
        item: MakeItem,
        augmentation: Callable[..., Any] | None = None,
        files: bool = False,
    ) -> None:
        self.examples = examples
        self.damaged: list[Damaged] = []
        self._spec = spec
        self._item = item
        self._augmentation = augmentation
        self._kept: list[Framed] | None = None
        if len(examples) * spec.width * spec.height * spec.channel_count <= CACHE_BYTES:
            self._kept = self._sound(read_each(examples, lambda example: frame_example(example, spec)))
        elif files:
            self._sound(read_each(examples, lambda example: example.pixels.size))

    def _sound(self, results: list[Made | Damaged]) -> list[Made]:
        """What could be made of the examples; those that are damaged are taken out of them."""
        self.damaged = [result for result in results if isinstance(result, Damaged)]
        if self.damaged:
            pairs = zip(self.examples, results, strict=True)
            self.examples = [example for example, result in pairs if not isinstance(result, Damaged)]
        return [result for result in results if not isinstance(result, Damaged)]

    @property
    def in_memory(self) -> bool:
        """Whether the framed images are kept, so that no loader processes are needed."""
        return self._kept is not None

    def __len__(self) -> int:
        return len(self.examples)

    def class_counts(self, classes: int) -> list[int]:
        """How many images, or boxes, each class has."""
        truths = (example.truth for example in self.examples) if self._kept is None else (f.truth for f in self._kept)
        counts = [0] * classes
        for truth in truths:
            for label in truth.classes:
                counts[label] += 1
        return counts

    def framed(self, index: int) -> Framed:
        """The example without random changes."""
        return frame_example(self.examples[index], self._spec) if self._kept is None else self._kept[index]

    def truth(self, index: int) -> tuple[Truth, Geometry]:
        """What is in an image, in pixels of the upright image, and the way back from input pixels to these."""
        if self._kept is not None:
            return self._kept[index].truth, self._kept[index].geometry
        example = self.examples[index]
        height, width = example.pixels.shape[:2]
        return example.truth, geometry(width, height, UPRIGHT, self._spec)

    def __getitem__(self, index: int) -> Any:
        return (*self._item(self.framed(index), self._spec, self._augmentation), index)


def make_loader(
    images: FramedImages,
    collate: Callable[[list[Any]], Any],
    batch_size: int,
    *,
    shuffle: bool,
    processes: int,
    seed: int,
    single: bool,
    ahead: bool = False,
) -> DataLoader[Any]:
    """Batches of framed images.

    Args:
        images: what to batch.
        collate: puts items together.
        batch_size: images per batch; a training batch is never a single image, which BatchNorm cannot take.
        shuffle: in an order of its own each epoch, decided by seed and epoch alone, so that a resumed training goes on
            as the interrupted one would have.
        processes: loader processes; 0 loads in this one.
        seed: of the order.
        single: whether one device trains; with several Lightning deals the images out.
        ahead: make each batch in a thread while the one before is used (see `PrefetchingLoader`).
    """
    sampler: DistributedSampler[Any] | None = (
        DistributedSampler(images, 1, 0, shuffle=True, seed=seed) if shuffle and single else None
    )
    return (PrefetchingLoader if ahead else DataLoader)(
        images,
        batch_size=batch_size,
        shuffle=shuffle and sampler is None,
        sampler=sampler,
        num_workers=processes,
        persistent_workers=processes > 0,
        collate_fn=collate,
        drop_last=shuffle and len(images) % batch_size == 1 and len(images) > batch_size,
    )
