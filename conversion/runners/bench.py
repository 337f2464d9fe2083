"""Latency of every artifact on this CPU, as ratios measured in one run.

Rounds are interleaved (one batch of calls per artifact, in turn), so that a change of the machine's speed affects all
of them; the figure is the median over the rounds, with one thread. An x86 ratio says nothing about a phone.
"""

import contextlib
import fcntl
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from samesight.contract.bundle import Bundle
from samesight.contract.documents import Document, Strict
from samesight.contract.errors import SamesightError
from samesight.conversion.qparams import UInt8
from samesight.conversion.runners import runner_of
from samesight.conversion.runners.isolated import IsolatedModel, Runtimes

ROUNDS = 15
BATCH_SECONDS = 0.01
WARM_UP = 3


class Latency(Strict):
    """One artifact: median milliseconds of one inference, and that over the reference's."""

    name: str
    median_ms: float
    ratio: float | None


class Latencies(Document):
    """All artifacts that run here; `reference` is the fp32 ONNX artifact, or the first one without it."""

    schema_version: Literal[1] = 1
    cpu: str
    threads: int
    reference: str
    artifacts: tuple[Latency, ...]


def bench_bundle(
    bundle: Bundle, names: Sequence[str] | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> Latencies:
    """Time the artifacts of a bundle on its first golden case, packing and dequantization included.

    Raises:
        SamesightError: no artifact of the bundle runs here.
    """
    tensor = bundle.golden_cases()[0].tensor
    runtimes, loaded = Runtimes(), dict[str, IsolatedModel]()
    for artifact in [bundle.find(name) for name in names] if names else bundle.manifest.artifacts:
        runner = runner_of(artifact.format, artifact.unit)
        if runner.timed and not runner.missing():
            loaded[artifact.name] = runtimes.load(runner, bundle.path(artifact), artifact)
    if not loaded:
        raise SamesightError(f"{bundle.folder}: no artifact of it runs here; convert --to onnx, tflite or pte")
    calls = {name: _calls_per_batch(run, tensor) for name, run in loaded.items()}
    seconds: dict[str, list[float]] = {name: [] for name in loaded}
    with _alone():
        for done in range(ROUNDS):
            progress(done, ROUNDS)
            for name, run in loaded.items():
                seconds[name].append(run.seconds_per_call(tensor, calls[name]))
    progress(ROUNDS, ROUNDS)
    reference = next(
        (a.name for a in bundle.manifest.artifacts if a.name in loaded and (a.format, a.precision) == ("onnx", "fp32")),
        next(iter(loaded)),
    )
    return Latencies(
        cpu=cpu_name(),
        threads=1,
        reference=reference,
        artifacts=tuple(
            Latency(
                name=name,
                median_ms=1e3 * float(np.median(times)),
                # The ratio within each round first: both were measured at the same speed of the machine.
                ratio=float(np.median(np.array(times) / np.array(seconds[reference]))),
            )
            for name, times in seconds.items()
        ),
    )


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """No two commands of this installation time artifacts at once; the second waits."""
    with Path(__file__).open() as own:
        fcntl.flock(own, fcntl.LOCK_EX)
        yield


def cpu_name() -> str:
    """The processor's name as the system reports it."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if (info.exists())
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def _calls_per_batch(run: IsolatedModel, tensor: UInt8) -> int:
    run.seconds_per_call(tensor, WARM_UP)
    return max(1, int(BATCH_SECONDS / max(run.seconds_per_call(tensor, 1), 1e-6)))
