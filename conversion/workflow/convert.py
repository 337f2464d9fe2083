"""The workflow: a source becomes a bundle, in child processes, and nothing that is known already is made again."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from samesight.contract.bundle import MANIFEST, Bundle, open_bundle, replacing_bundle, seal
from samesight.contract.errors import SamesightError
from samesight.contract.files import file_sha256
from samesight.contract.manifest import Artifact, DataSource
from samesight.conversion.sources.source import ModelSource, open_source
from samesight.conversion.workflow.cache import Cache
from samesight.conversion.workflow.jobs import make_job, make_keys
from samesight.conversion.workflow.plan import Target, choose, group, left_out
from samesight.conversion.workflow.processes import run_workers
from samesight.conversion.workflow.server_answers import read_server_answers
from samesight.conversion.workflow.worker import EXPORT, GOLDEN, Event, GoldenJob, Job

WORK = "work"

OnEvent = Callable[[Event], None]


@dataclass
class Outcome:
    """What one conversion came to.

    Attributes:
        bundle: as it stands on disk now.
        unchanged: the bundle that stood there is the same, byte for byte, and was left alone.
        failures: name of each artifact that could not be made, and why.
        cached: names of what was made by an earlier conversion.
        seconds: what each of the others took in its worker.
        peak_bytes: memory: the sum of the workers' peaks.
        notes: what else a person should know.
    """

    bundle: Bundle
    unchanged: bool
    failures: dict[str, str]
    cached: list[str]
    seconds: dict[str, float]
    peak_bytes: int
    notes: list[str]


def convert_source(
    source: str | Path | ModelSource,
    out: str | Path,
    formats: Sequence[str] = (),
    precisions: Sequence[str] = (),
    spec: Path | None = None,
    calibration: Path | None = None,
    cache: Cache | None = None,
    on_event: OnEvent = lambda event: None,
) -> Outcome:
    """Convert, and put the bundle in its place; an artifact that cannot be made is left out and named in the outcome.

    Args:
        source: a run folder, a `.pt2` file, or `module:function`; or what one of them has been opened as.
        out: the bundle's folder; a bundle there is replaced when the new one is whole, anything else is left alone.
        formats: names or suffixes; empty for all.
        precisions: empty for all that a format can hold.
        spec: the `model.json` of a `.pt2` or function.
        calibration: a folder of images for a `.pt2` or function.
        cache: where results of earlier conversions may be found, and these kept; None for neither.
        on_event: hears of every artifact: waiting, cached, begun, its steps, ended, failed.

    Raises:
        UsageError: the request contradicts itself.
        SamesightError: nothing could be made; the bundle that stood there stands as it was.
    """
    opened = source if isinstance(source, ModelSource) else open_source(str(source), spec, calibration)
    targets = choose(opened.spec.name, formats, precisions)
    folder = Path(out)
    work = _Conversion(opened, targets, cache, on_event, notes=left_out(formats))
    unchanged = False
    try:
        with replacing_bundle(folder) as new:
            work.fill(new)
            if _is_same(folder, new):
                raise _UnchangedError
    except _UnchangedError:
        unchanged = True
    return Outcome(
        bundle=open_bundle(folder),
        unchanged=unchanged,
        failures=work.failures,
        cached=work.cached,
        seconds=work.seconds,
        peak_bytes=work.peak_bytes,
        notes=work.notes,
    )


class _UnchangedError(Exception):
    """Leaves the exchange of folders without an exchange, so that verdicts and report stay."""


def _is_same(folder: Path, new: Path) -> bool:
    try:
        return file_sha256(folder / MANIFEST) == file_sha256(new / MANIFEST) and bool(open_bundle(folder))
    except (OSError, SamesightError):
        return False


@dataclass
class _Conversion:
    """One filling of a new bundle's folder."""

    source: ModelSource
    targets: tuple[Target, ...]
    cache: Cache | None
    on_event: OnEvent
    new: Path = Path()
    keys: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    ranges: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    cached: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    peak_bytes: int = 0

    def fill(self, new: Path) -> None:
        """Make or fetch everything, and seal the folder."""
        self.new = new
        work = new / WORK
        work.mkdir()
        (new / "artifacts").mkdir()
        for name in (GOLDEN, *(target.name for target in self.targets)):
            self.on_event(Event(kind="waiting", name=name))
        network = self.source.network or self._export(work)
        self.keys = make_keys(self.source, network, self.targets)
        missing = [name for name in self.keys if not self._fetch(name)]
        self.peak_bytes = run_workers(self._jobs(missing, network), work, self._hear)
        shutil.rmtree(work)
        self._check()
        (new / "model.json").write_text(self.source.spec.to_json(), encoding="utf-8")
        artifacts = tuple(self.artifacts[target.name] for target in self.targets if target.name in self.artifacts)
        seal(new, self.source.spec, artifacts, self._data(), metadata.version("samesight"))

    def _export(self, work: Path) -> Path:
        """A person's function, exported by a worker, which alone ever runs their code."""
        network = work / "network.pt2"
        job = make_job(self.source, network, (), self._scratch).model_copy(update={"function": self.source.function})
        run_workers([job], work, self._hear)
        return network

    def _fetch(self, name: str) -> bool:
        note = self.cache.fetch(self.keys[name], self.new) if self.cache else None
        if note is None:
            return False
        self._tell(note["note"])
        if name != GOLDEN:
            self._keep(name, Artifact.model_validate(note["artifact"]), note["ranges"])
        self.cached.append(name)
        self.on_event(Event(kind="cached", name=name))
        return True

    def _jobs(self, missing: Sequence[str], network: Path) -> list[Job]:
        """The groups of `plan`, and the golden cases: first in the first of two groups, or in their own process."""
        groups = group([target for target in self.targets if target.name in missing])
        jobs = [make_job(self.source, network, targets, self._scratch) for targets in groups]
        if GOLDEN not in missing:
            return jobs
        if len(jobs) < 2:
            jobs.insert(0, make_job(self.source, network, (), self._scratch))
        data = self.source.data
        place = self._scratch(GOLDEN)
        place.mkdir()
        golden = GoldenJob(output=str(place), source=data.source if data else None, seed=data.seed if data else 0)
        return [jobs[0].model_copy(update={"golden": golden}), *jobs[1:]]

    def _scratch(self, name: str) -> Path:
        """The folder into which a worker writes one unit, with the paths that it has in the bundle."""
        return self.new / WORK / f"made {name}"

    def _hear(self, event: Event) -> None:
        if event.kind == "failed":
            if event.fatal or event.name in (GOLDEN, EXPORT):
                raise SamesightError(event.text)
            self.failures[event.name] = event.text
        elif event.kind == "end" and event.name != EXPORT:
            self.seconds[event.name] = event.seconds
            self._adopt(event)
        self.on_event(event)

    def _adopt(self, event: Event) -> None:
        """Keep what a worker has made: in the cache, and in the bundle."""
        name, scratch = event.name, self._scratch(event.name)
        if event.artifact is not None:
            self._keep(name, event.artifact, event.ranges)
        self._tell(event.text)
        artifact = event.artifact and event.artifact.model_dump(mode="json")
        note = {"artifact": artifact, "ranges": event.ranges, "note": event.text}
        if self.cache is not None:
            try:
                self.cache.store(self.keys[name], scratch, [path.name for path in scratch.iterdir()], note)
            except SamesightError as error:
                self.notes.append(f"{error}; this conversion is not kept for the next")
                self.cache = None
        for path in scratch.iterdir():
            if path.name == "artifacts":
                for file in path.iterdir():
                    file.rename(self.new / "artifacts" / file.name)
            else:
                path.rename(self.new / path.name)

    def _tell(self, note: str) -> None:
        if note:
            self.notes.append(note)

    def _keep(self, name: str, artifact: Artifact, ranges: str | None) -> None:
        self.artifacts[name] = artifact
        if ranges is not None:
            self.ranges[name] = ranges

    def _check(self) -> None:
        if len(set(self.ranges.values())) > 1:
            raise SamesightError(
                f"{self.source.title}: the processes found different activation ranges, so the int8 artifacts "
                "would not be one model; convert again with --no-cache"
            )
        if not self.artifacts:
            reasons = dict.fromkeys(self.failures.values())
            raise SamesightError(f"{self.source.title}: no artifact could be made: {'; '.join(reasons)}")

    def _data(self) -> DataSource | None:
        """Where the test split came from; None for a bundle without the server model's answers on one."""
        server = read_server_answers(self.new)
        if server is None or self.source.data is None:
            return None
        return DataSource(
            source=self.source.data.source,
            seed=self.source.data.seed,
            metric_name=server.metric_name,
            metric=server.metric,
        )
