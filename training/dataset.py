"""Examples become tensors: framed by the contract exactly as on a phone, then changed at random, then batched."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler
from torchvision import tv_tensors

from samesight.contract.framing import Frame
from samesight.contract.image import Picture
from samesight.contract.orientation import UPRIGHT
from samesight.contract.preprocess import Geometry, geometry, preprocess
from samesight.contract.spec import Input, Task
from samesight.datasets.example import Example, Truth

# Framed images are kept in memory, as bytes, up to this many; beyond it each is decoded whenever it is needed.
CACHE_BYTES = 2 << 30
DECODERS = 4


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


def frame_boxes(boxes: NDArray[np.float32], frame: Frame) -> NDArray[np.float32]:
    """Boxes [K, 4] in pixels of the upright image as boxes in input pixels, clipped to the input."""
    scale = np.array([frame.scaled_width / frame.source_width, frame.scaled_height / frame.source_height] * 2)
    moved = boxes * scale + np.array([frame.left, frame.top] * 2)
    return np.clip(moved, 0, np.array([frame.width, frame.height] * 2)).astype(np.float32)


class FramedImages(Dataset[Any]):
    """Items for `collate_labels` or `collate_boxes`: what the network is trained and tested on.

    An item is (image uint8 [C, H, W], label) or (image, boxes [K, 4] in input pixels, labels [K]), and its index.
    """

    def __init__(
        self, examples: Sequence[Example], spec: Input, task: Task, augmentation: Callable[..., Any] | None = None
    ) -> None:
        self._examples = examples
        self._spec = spec
        self._task = task
        self._augmentation = augmentation
        self._kept: list[Framed] | None = None
        if len(examples) * spec.width * spec.height * spec.channel_count <= CACHE_BYTES:
            # Pillow decodes and resizes outside Python's lock, so that threads are enough here.
            with ThreadPoolExecutor(DECODERS) as pool:
                self._kept = list(pool.map(lambda index: frame_example(examples[index], spec), range(len(examples))))

    @property
    def in_memory(self) -> bool:
        """Whether the framed images are kept, so that no loader processes are needed."""
        return self._kept is not None

    def __len__(self) -> int:
        return len(self._examples)

    def framed(self, index: int) -> Framed:
        """The example without random changes."""
        return frame_example(self._examples[index], self._spec) if self._kept is None else self._kept[index]

    def truth(self, index: int) -> tuple[Truth, Geometry]:
        """What is in an image, in pixels of the upright image, and the way back from input pixels to these."""
        if self._kept is not None:
            return self._kept[index].truth, self._kept[index].geometry
        example = self._examples[index]
        height, width = example.pixels.shape[:2]
        return example.truth, geometry(width, height, UPRIGHT, self._spec)

    def __getitem__(self, index: int) -> Any:
        framed = self.framed(index)
        if self._task == "classification":
            image = framed.image if self._augmentation is None else self._augmentation(framed.image)
            return image, framed.truth.label, index
        found = framed.truth.boxes if framed.truth.boxes is not None else np.zeros((0, 4), np.float32)
        boxes = frame_boxes(found, framed.geometry.frame)
        labels = np.zeros(0, np.int64) if framed.truth.labels is None else framed.truth.labels
        # A crop may leave nothing of a box.
        whole = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
        target = {
            "boxes": tv_tensors.BoundingBoxes(
                torch.from_numpy(boxes[whole]), format="XYXY", canvas_size=(self._spec.height, self._spec.width)
            ),
            "labels": torch.from_numpy(labels[whole]),
        }
        image = framed.image
        if self._augmentation is not None:
            image, target = self._augmentation(tv_tensors.Image(image), target)
        return image.as_subclass(Tensor), target["boxes"].as_subclass(Tensor), target["labels"], index


def collate_labels(items: list[tuple[Tensor, int, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Images uint8 [B, C, H, W], labels int64 [B], indices int64 [B]."""
    images, labels, indices = zip(*items, strict=True)
    return torch.stack(images), torch.tensor(labels), torch.tensor(indices)


def collate_boxes(items: list[tuple[Tensor, Tensor, Tensor, int]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images uint8 [B, C, H, W], boxes [B, K, 4] and labels [B, K] padded with label -1, indices [B]."""
    images, boxes, labels, indices = zip(*items, strict=True)
    most = max(1, *(len(some) for some in labels))
    padded = torch.zeros(len(items), most, 4)
    names = torch.full((len(items), most), -1, dtype=torch.int64)
    for row, (some, kinds) in enumerate(zip(boxes, labels, strict=True)):
        padded[row, : len(some)] = some
        names[row, : len(kinds)] = kinds
    return torch.stack(images), padded, names, torch.tensor(indices)


def make_loader(
    images: FramedImages, task: Task, batch_size: int, *, shuffle: bool, processes: int, seed: int, single: bool
) -> DataLoader[Any]:
    """Batches of framed images.

    Args:
        images: what to batch.
        task: decides how items are put together.
        batch_size: images per batch; a training batch is never a single image, which BatchNorm cannot take.
        shuffle: in an order of its own each epoch, decided by seed and epoch alone, so that a resumed training goes on
            as the interrupted one would have.
        processes: loader processes; 0 loads in this one.
        seed: of the order.
        single: whether one device trains; with several Lightning deals the images out.
    """
    sampler: DistributedSampler[Any] | None = (
        DistributedSampler(images, 1, 0, shuffle=True, seed=seed) if shuffle and single else None
    )
    return DataLoader(
        images,
        batch_size=batch_size,
        shuffle=shuffle and sampler is None,
        sampler=sampler,
        num_workers=processes,
        persistent_workers=processes > 0,
        collate_fn=collate_labels if task == "classification" else collate_boxes,
        drop_last=shuffle and len(images) % batch_size == 1 and len(images) > batch_size,
    )
