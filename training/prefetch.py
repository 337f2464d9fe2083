"""Batches made in a thread beside the training, one ahead: a step spends most of its time outside of Python."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch.utils.data import DataLoader


class PrefetchingLoader(DataLoader[Any]):
    """A loader whose next batch is made while the network learns from the last one.

    The random changes to images draw from torch's one generator, in the same order as without it. So what comes out is
    the same, bit for bit, as long as the network draws nothing itself: dropout and the like would take turns with the
    thread as chance has it.
    """

    def __iter__(self) -> Any:
        """The batches; the loader's own draws come first, when they always came."""
        return one_ahead(super().__iter__())


def one_ahead(batches: Iterator[Any]) -> Iterator[Any]:
    """The same batches; each is made while the one before it is used. What making one raises is raised in its place."""
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        coming = thread.submit(next, batches, end)
        while (batch := coming.result()) is not end:
            coming = thread.submit(next, batches, end)
            yield batch
