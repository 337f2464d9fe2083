"""How long a conversion takes as `convert` does it, against one converter after another in processes of their own."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from samesight.contract.documents import Document, Strict
from samesight.contract.errors import SamesightError, UsageError
from samesight.conversion.sources.source import open_source
from samesight.conversion.workflow.cache import Cache
from samesight.conversion.workflow.convert import convert_source
from samesight.conversion.workflow.jobs import make_job
from samesight.conversion.workflow.plan import choose
from samesight.conversion.workflow.processes import run_workers
from samesight.conversion.workflow.worker_protocol import Event

TARGET_SECONDS = 45.0
TARGET_RATIO = 0.4
TARGET_BYTES = 4 << 30


class Alone(Strict):
    """One artifact made by a process that makes nothing else, imports and preparation included."""

    name: str
    seconds: float


class Timing(Document):
    """The comparison; `ratio` is `together` over the sum of `alone`.

    `together` is a whole conversion with an empty cache, with golden cases and the server model's answers, which the
    converters alone do not make. `cached` is the same again with nothing changed.
    """

    schema_version: Literal[1] = 1
    together: float
    cached: float
    alone: tuple[Alone, ...]
    ratio: float
    peak_bytes: int


def time_conversion(source: str, progress: Callable[[str], None] = lambda name: None) -> Timing:
    """Measure on this machine; takes some minutes, and nothing else should run meanwhile.

    Args:
        source: a run folder.
        progress: called with the name of what is measured next.

    Raises:
        SamesightError: an artifact could not be made.
    """
    opened = open_source(source)
    if opened.network is None:
        raise UsageError(f"{source}: only the conversion of a run is timed; give a run folder")
    alone = []
    with tempfile.TemporaryDirectory(prefix="samesight-") as name:
        folder, cache = Path(name), Cache(Path(name) / "cache")
        progress("all together")
        started = time.perf_counter()
        outcome = convert_source(source, folder / "bundle", cache=cache)
        together = time.perf_counter() - started
        started = time.perf_counter()
        convert_source(source, folder / "bundle", cache=cache)
        cached = time.perf_counter() - started
        for failure, reason in outcome.failures.items():
            raise SamesightError(f"{failure} could not be made: {reason}")
        for target in choose(opened.spec.name):
            progress(target.name)
            work = folder / target.name
            work.mkdir()
            job = make_job(opened, opened.network, [target], lambda name, work=work: work / "made")  # type: ignore[misc]
            started = time.perf_counter()
            run_workers([job], work, _raise_failure)
            alone.append(Alone(name=target.name, seconds=time.perf_counter() - started))
    return Timing(
        together=together,
        cached=cached,
        alone=tuple(alone),
        ratio=together / sum(single.seconds for single in alone),
        peak_bytes=outcome.peak_bytes,
    )


def print_timing(timing: Timing) -> str:
    """The comparison as a table in plain text, with the targets."""
    width = max(len(single.name) for single in timing.alone)
    lines = [f"  {single.name:<{width}}  {single.seconds:6.1f} s" for single in timing.alone]
    total = sum(single.seconds for single in timing.alone)
    memory = timing.peak_bytes / 2**30
    return "\n".join(
        (
            "one converter after another, each in a fresh process",
            *lines,
            f"  {'sum':<{width}}  {total:6.1f} s",
            f"all together, with golden cases   {timing.together:6.1f} s {_against(timing.together, TARGET_SECONDS)}",
            f"ratio                             {timing.ratio:6.2f}   {_against(timing.ratio, TARGET_RATIO)}",
            f"again, with nothing changed       {timing.cached:6.1f} s",
            f"peak memory of the converters     {memory:6.2f} GiB {_against(memory, TARGET_BYTES / 2**30)}",
        )
    )


def _against(value: float, limit: float) -> str:
    return f"({'within' if value <= limit else 'above'} the limit of {limit:g} on two idle cores)"


def _raise_failure(event: Event) -> None:
    if event.kind == "failed":
        raise SamesightError(f"{event.name} could not be made: {event.text}")
