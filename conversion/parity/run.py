"""Runs candidates over golden cases and test images, and records the outputs and answers of each, or its error."""

import math
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import Answer, answers
from samesight.contract.errors import SamesightError, describe_error
from samesight.contract.golden import GoldenCase
from samesight.contract.image import Picture
from samesight.contract.orientation import Orientation
from samesight.contract.preprocess import Geometry, preprocess
from samesight.contract.spec import ModelSpec, Role
from samesight.conversion.qparams import QuantParams, UInt8
from samesight.conversion.runners.interface import LoadedModel
from samesight.conversion.tasks import TASKS
from samesight.conversion.tasks.bootstrap import sampled_metric
from samesight.conversion.workflow.server_answers import ServerAnswers
from samesight.datasets.example import LabelledImage

Outputs = dict[Role, npt.NDArray[np.float32]]
Progress = Callable[[int, int], None]
AHEAD = 8


class Candidate(Protocol):
    """What is judged: a function from a picture (and the contract's own tensor of it) to raw outputs and a geometry."""

    def __call__(self, picture: Picture, tensor: UInt8, geometry: Geometry) -> tuple[Outputs, Geometry]:
        """Raw outputs per role, and the geometry by which their boxes are mapped back."""
        ...


def artifact_candidate(run: LoadedModel) -> Candidate:
    """An artifact behind the contract's own preprocessing."""
    return lambda picture, tensor, geometry: (run(tensor), geometry)


@dataclass
class TestSplit:
    """Labelled images that no training saw, and the server model's answers on them, image by image."""

    examples: Sequence[LabelledImage]
    server: ServerAnswers
    name: str
    _metric: tuple[float, npt.NDArray[np.float64]] | None = None

    def every(self, step: int) -> "TestSplit":
        """Every `step`-th image."""
        if step == 1:
            return self
        server = self.server.model_copy(update={"images": self.server.images[::step]})
        return TestSplit(self.examples[::step], server, self.name)

    def server_metric(self, spec: ModelSpec) -> tuple[float, npt.NDArray[np.float64]]:
        """`sampled_metric` of the server model, computed once."""
        if self._metric is None:
            self._metric = sampled_metric(self.server.answers(spec.labels), self.examples, spec)
        return self._metric


@dataclass
class Record:
    """Results of one candidate: outputs and answers per golden case, answers per test image; or its error.

    `test` has every `step`-th test image: a runtime that is emulated or interpreted may be too slow for all. `seconds`
    is what the golden cases took.
    """

    outputs: list[Outputs] = field(default_factory=list)
    golden: list[list[Answer]] = field(default_factory=list)
    test: list[list[Answer]] = field(default_factory=list)
    error: str | None = None
    qparams: Mapping[Role, QuantParams] = field(default_factory=dict)
    step: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Share:
    """One of `count` candidates that run the same file in processes of their own: it takes the test images in turn.

    `of` is the name of the first of them, which alone runs the golden cases.
    """

    of: str
    turn: int
    count: int


def run_candidates(
    candidates: dict[str, Candidate],
    spec: ModelSpec,
    cases: Sequence[GoldenCase],
    split: TestSplit | None,
    progress: Progress = lambda done, total: None,
    lanes: Mapping[str, Hashable] | None = None,
    budgets: Mapping[str, float] | None = None,
    shares: Mapping[str, Share] | None = None,
) -> dict[str, Record]:
    """Run every candidate over all golden cases and test images; each image is prepared once.

    `lanes` says which candidates may run side by side: those of different lanes, by name. `budgets` are seconds for all
    test images, by name; by its speed on the golden cases, a candidate runs on as many of these as fit, evenly spaced.
    `shares` are parts of the test images, by name; `join_shares` puts their records together.

    Raises:
        SamesightError: the contract here does not make a golden case's tensor; then no figure would mean anything.
    """
    records = {name: Record() for name in candidates}
    alone = {name: Share(name, 0, 1) for name in candidates} | dict(shares or {})
    total = len(cases) + (len(split.examples) if split else 0)
    with _Lanes(lanes or {}, candidates) as pool:

        def run(
            picture: Picture, tensor: UInt8, geometry: Geometry, spec: ModelSpec, golden: bool, number: int = 0
        ) -> None:
            def run_one(name: str) -> None:
                count, rest = divmod(number, records[name].step)
                if rest == 0 and count % alone[name].count == alone[name].turn:
                    _record_candidate(records[name], candidates[name], picture, tensor, geometry, spec, golden=golden)

            pool.run(run_one)

        for done, case in enumerate(cases):
            progress(done, total)
            tensor, geometry = preprocess(case.picture, spec.input)
            if not np.array_equal(tensor, case.tensor):
                raise SamesightError(
                    f"golden case {case.id}: the contract makes another input tensor of its image than the bundle "
                    "holds; model.json was changed, or another version of the contract made the bundle: convert again"
                )
            run(case.picture, tensor, geometry, spec, golden=True)
        pool.wait()
        for name, budget in (budgets or {}).items():
            records[name].step = step_within(budget, records[name].seconds / max(1, len(cases)), total - len(cases))
        for name, share in alone.items():
            records[name].step = records[share.of].step
        ranking_spec = TASKS[spec.task].ranking_spec(spec)
        for done, example in enumerate(split.examples if split else ()):
            progress(len(cases) + done, total)
            picture = Picture(example.pixels, Orientation(0, False))
            run(picture, *preprocess(picture, spec.input), ranking_spec, golden=False, number=done)
    progress(total, total)
    return records


def join_shares(records: Sequence[Record]) -> Record:
    """One record of those of all shares of a candidate, in the order of their turns."""
    first, count = records[0], len(records)
    first.error = next((record.error for record in records if record.error is not None), None)
    images = sum(len(record.test) for record in records) if first.error is None else 0
    first.test = [records[number % count].test[number // count] for number in range(images)]
    return first


class _Lanes:
    """Runs one image after another; candidates of different lanes side by side, those of one lane in their order.

    A lane may be `AHEAD` images ahead of the slowest. A single lane runs in the calling thread.
    """

    def __init__(self, lanes: Mapping[str, Hashable], names: Iterable[str]) -> None:
        self.members: dict[Hashable, list[str]] = {}
        for name in names:
            self.members.setdefault(lanes.get(name), []).append(name)
        self.threads = [ThreadPoolExecutor(1) for _ in self.members] if len(self.members) > 1 else []
        self.pending: deque[list[Future[None]]] = deque()

    def __enter__(self) -> "_Lanes":
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if error[0] is None:
                self.wait()
        finally:
            for thread in self.threads:
                thread.shutdown(cancel_futures=True)

    def run(self, work: Callable[[str], None]) -> None:
        """Do `work` for every candidate with one image."""
        if not self.threads:
            for names in self.members.values():
                _each(work, names)
            return
        lanes = zip(self.threads, self.members.values(), strict=True)
        self.pending.append([thread.submit(_each, work, names) for thread, names in lanes])
        if len(self.pending) > AHEAD:
            self._wait()

    def wait(self) -> None:
        """Until all that was begun has ended."""
        while self.pending:
            self._wait()

    def _wait(self) -> None:
        for future in self.pending.popleft():
            future.result()


def _each(work: Callable[[str], None], names: Iterable[str]) -> None:
    for name in names:
        work(name)


def step_within(budget: float, seconds: float, images: int) -> int:
    """Every how many-th image fits into `budget` seconds at `seconds` an image."""
    return max(1, math.ceil(images * seconds / budget))


def _record_candidate(
    record: Record,
    candidate: Candidate,
    picture: Picture,
    tensor: UInt8,
    geometry: Geometry,
    spec: ModelSpec,
    golden: bool,
) -> None:
    if record.error is not None:
        return
    started = time.perf_counter()
    try:
        outputs, geometry = candidate(picture, tensor, geometry)
        predictions = answers(outputs, spec, geometry)
    except Exception as error:  # a runtime may fail in any way; it is this artifact's verdict
        record.error = describe_error(error)
        return
    if golden:
        record.seconds += time.perf_counter() - started
        record.outputs.append(outputs)
        record.golden.append(predictions)
    else:
        record.test.append(predictions)
