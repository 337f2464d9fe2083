"""The workflow: converts a source to a bundle, in child processes; results that are in the cache are not made again."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from samesight.contract.bundle import MANIFEST, Bundle, open_bundle, replacing_bundle, seal
from samesight.contract.errors import SamesightError
from samesight.contract.files import file_sha256
from samesight.contract.manifest import Artifact, DataSource
from samesight.conversion.npu.chips import Chip, require_compilers
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.quantization.recipe import FILE as RECIPE_FILE
from samesight.conversion.quantization.recipe import read_recipe
from samesight.conversion.sources.source import NETWORK, ONNX, ModelSource, open_source
from samesight.conversion.workflow.cache import Cache
from samesight.conversion.workflow.jobs import (
    built_from,
    calibration_key,
    make_job,
    make_keys,
    search_job,
    search_key,
)
from samesight.conversion.workflow.mixing import MIXED, Mixing
from samesight.conversion.workflow.plan import Target, choose, for_chips, group, left_out
from samesight.conversion.workflow.processes import run_workers
from samesight.conversion.workflow.server_answers import read_server_answers
from samesight.conversion.workflow.without_program import part
from samesight.conversion.workflow.worker_protocol import (
    CHECKS,
    EXPORT,
    GOLDEN,
    INTERCHANGE,
    RECIPE,
    Event,
    GoldenJob,
    Job,
)

WORK = "work"
CALIBRATION = "calibration.pt"

OnEvent = Callable[[Event], None]


@dataclass
class Outcome:
    """The result of one conversion.

    Attributes:
        bundle: as it is on disk now.
        unchanged: the bundle that was there is the same, byte for byte, and was left alone.
        failures: name of each artifact that could not be made, and why.
        cached: names of what was made by an earlier conversion.
        seconds: per item that was made now, the time that it took in its worker.
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
    chips: Sequence[Chip] = (),
    weights: Path | None = None,
    random_weights: bool = False,
    via: Sequence[str] = (),
    mixing: Mixing | None = None,
) -> Outcome:
    """Convert to a bundle at `out`; an artifact that cannot be made is left out and named in the outcome.

    Args:
        source: as `open_source` takes it, or its result.
        out: the bundle's folder; a bundle there is replaced when the new one is whole, anything else is left alone.
        formats: names or suffixes; empty for all.
        precisions: empty for all that a format can hold.
        spec: the `model.json` of what has none of its own.
        calibration: a folder of images for anything but a run.
        cache: used for results of earlier conversions, and to store the new ones; None for neither.
        on_event: called with every event of every artifact: waiting, cached, begin, step, end, failed.
        chips: compile `.tflite` artifacts ahead of time for the NPUs of these too.
        weights: a file of weights for a function or a named network.
        random_weights: convert a named network with weights that mean nothing.
        via: names of `formats.ROUTES`, or `own`: other ways to the formats that they make.
        mixing: how `mixed` artifacts are made; the precisions name `mixed` (`mixing.read_wish`).

    Raises:
        UsageError: the request contradicts itself.
        SamesightError: nothing could be made; a bundle that was there before is unchanged.
    """
    require_compilers(chips)
    opened = (
        source
        if isinstance(source, ModelSource)
        else open_source(str(source), spec, calibration, weights, random_weights)
    )
    targets = choose(opened.spec.name, formats, precisions, via)
    if chips:
        targets += for_chips(targets, opened.spec.name, chips)
    notes = [*opened.notes, *([] if via else left_out(formats))]
    folder = Path(out)
    unchanged = False
    try:
        with replacing_bundle(folder) as new:
            conversion = _Conversion(opened, targets, new, cache, on_event, notes, mixing)
            peak_bytes = conversion.fill()
            if _is_same(folder, new):
                raise _UnchangedError
    except _UnchangedError:
        unchanged = True
    results = conversion.results
    return Outcome(
        bundle=open_bundle(folder),
        unchanged=unchanged,
        failures={name: result.failure for name, result in results.items() if result.failure is not None},
        cached=[name for name, result in results.items() if result.cached],
        seconds={name: result.seconds for name, result in results.items() if result.seconds is not None},
        peak_bytes=peak_bytes,
        notes=notes,
    )


def failure_sentences(failures: Mapping[str, str]) -> list[str]:
    """One for each reason, with the names of all that could not be made for it."""
    names: dict[str, list[str]] = {}
    for name, reason in failures.items():
        names.setdefault(reason, []).append(name)
    return [f"{', '.join(each)} could not be made: {reason}" for reason, each in names.items()]


class _UnchangedError(Exception):
    """Ends `replacing_bundle` without replacing the bundle, so that its verdicts and report stay."""


def _is_same(folder: Path, new: Path) -> bool:
    try:
        return file_sha256(folder / MANIFEST) == file_sha256(new / MANIFEST) and bool(open_bundle(folder))
    except (OSError, SamesightError):
        return False


@dataclass(frozen=True)
class _Result:
    """What became of one item: an artifact, or the golden cases.

    Attributes:
        artifact: its entry in the manifest; None for golden cases and for an artifact that could not be made.
        ranges: hash of the activation ranges of an int8 artifact.
        seconds: what it took in its worker; None for what failed or came from the cache.
        cached: it was made by an earlier conversion.
        failure: why it could not be made.
    """

    artifact: Artifact | None = None
    ranges: str | None = None
    seconds: float | None = None
    cached: bool = False
    failure: str | None = None


@dataclass
class _Conversion:
    """One filling of the folder `new`; `results` has every item that was fetched, made or failed, in that order.

    `unread` is why there is no program of the source, an ONNX file, whose targets are then made from the file itself.
    """

    source: ModelSource
    targets: tuple[Target, ...]
    new: Path
    cache: Cache | None
    on_event: OnEvent
    notes: list[str]
    mixing: Mixing | None = None
    recipe: Path | None = None
    unread: str | None = None
    calibration_key: str | None = None
    fetched_calibration: bool = False
    keys: dict[str, str] = field(default_factory=dict)
    results: dict[str, _Result] = field(default_factory=dict)

    def fill(self) -> int:
        """Make or fetch every item, and seal the folder. Returns the sum of the workers' peaks of memory, in bytes."""
        work = self.new / WORK
        work.mkdir()
        (self.new / "artifacts").mkdir()
        searched = (RECIPE,) if self.mixing and self.mixing.recipe is None else ()
        for name in (*searched, GOLDEN, CHECKS, *(target.name for target in self.targets)):
            self.on_event(Event(kind="waiting", name=name))
        network = self.source.network or self._export(work)
        if self.mixing and self.unread is None:
            self._get_recipe(network, work, self.mixing)
        self.keys.update(make_keys(self.source, network, self.targets, self.recipe))
        missing = [name for name in self.keys if name not in (RECIPE, *self.results) and not self._fetch(name)]
        compiled = {target.name for target in self.targets if target.chip}
        lowered = [name for name in missing if name not in compiled]
        peak_bytes = run_workers(self._jobs(lowered, network), work, self._on_worker_event)
        # What is made from files that are there now.
        later = [
            *self._route_jobs(lowered),
            *self._compile_jobs([name for name in missing if name in compiled], network),
        ]
        peak_bytes = max(peak_bytes, run_workers(later, work, self._on_worker_event))
        self._store_calibration()
        shutil.rmtree(work)
        artifacts = self._checked_artifacts()
        self._check_sizes(artifacts)
        (self.new / "model.json").write_text(self.source.spec.to_json(), encoding="utf-8")
        seal(self.new, self.source.spec, artifacts, self._data(), metadata.version("samesight"))
        return peak_bytes

    def _get_recipe(self, network: Path, work: Path, mixing: Mixing) -> None:
        """Put `recipe.json` into the bundle: the one that is given, one from the cache, or what a worker finds."""
        self.recipe = self.new / RECIPE_FILE
        if mixing.recipe is not None:
            read_recipe(mixing.recipe)
            self.recipe.write_bytes(mixing.recipe.read_bytes())
            return
        output = self._scratch(RECIPE)
        wanted = search_job(self.source, mixing, self.targets, output)
        self.keys[RECIPE] = search_key(self.source, network, wanted)
        if self._fetch(RECIPE):
            return
        output.mkdir()
        job = make_job(self.source, network, (), self._scratch, kept=self._calibration(network))
        run_workers([job.model_copy(update={"search": wanted})], work, self._on_worker_event)

    def _check_sizes(self, artifacts: Sequence[Artifact]) -> None:
        """Check that what was made by a search is no larger than it may be.

        Raises:
            SamesightError: naming the first file that is.
        """
        most = self.mixing.max_bytes if self.mixing else None
        for artifact in artifacts:
            path = self.new / artifact.file
            size = sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
            if artifact.precision == MIXED and most is not None and size > most:
                raise SamesightError(
                    f"{artifact.name} has {size:,} bytes, and --max-size allows {most:,}: the smallest recipe that "
                    f"loses no more than --max-drop is not small enough; allow {size:,} bytes, a larger --max-drop, "
                    "or leave that format out with --to"
                )

    def _export(self, work: Path) -> Path:
        """What is built or read first, exported by a worker, which alone ever runs a person's code."""
        network = work / NETWORK
        job = make_job(self.source, network, (), self._scratch)
        onnx = str(self.source.onnx) if self.source.onnx else None
        job = job.model_copy(update={**built_from(self.source), "onnx": onnx})
        run_workers([job], work, self._on_worker_event)
        return network if self.unread is None else self._without_program()

    def _without_program(self) -> Path:
        """The ONNX file in place of a program; what cannot be made from it has failed."""
        self.targets, left = part(self.targets, str(self.unread))
        for name, reason in left.items():
            self._on_worker_event(Event(kind="failed", name=name, text=reason))
        self._on_worker_event(Event(kind="failed", name=CHECKS, text=f"the file {self.unread}"))
        return self._interchange

    def _fetch(self, name: str) -> bool:
        """Copy an item from the cache, if it is there."""
        entry = self.cache.fetch(self.keys[name], self.new) if self.cache else None
        if entry is None:
            return False
        if entry["note"]:
            self.notes.append(entry["note"])
        artifact = None if name in (GOLDEN, CHECKS, RECIPE) else Artifact.model_validate(entry["artifact"])
        self.results[name] = _Result(artifact, entry["ranges"], cached=True)
        self.on_event(Event(kind="cached", name=name))
        return True

    def _jobs(self, missing: Sequence[str], network: Path) -> list[Job]:
        """The groups of `plan`, and the golden cases: first in the first of two groups, or in their own process."""
        groups = group([t for t in self.targets if t.name in missing and not t.format.via])
        calibrated = any(PRECISIONS[target.precision].calibrated for targets in groups for target in targets)
        kept = self._calibration(network) if calibrated else None
        jobs = [make_job(self.source, network, each, self._scratch, recipe=self.recipe, kept=kept) for each in groups]
        if self.unread is None and any(t.format.via for t in self.targets if t.name in missing):
            first = jobs.pop(0) if jobs else make_job(self.source, network, (), self._scratch)
            jobs.insert(0, first.model_copy(update={"interchange": str(self._interchange)}))
        if CHECKS in missing:
            # Where a worker prepares the network anyway.
            if not jobs:
                jobs = [make_job(self.source, network, (), self._scratch)]
            checks = self._scratch(CHECKS)
            checks.mkdir()
            jobs[0] = jobs[0].model_copy(update={"checks": str(checks)})
        if GOLDEN not in missing:
            return jobs
        if len(jobs) < 2:
            jobs.insert(0, make_job(self.source, network, (), self._scratch))
        data = self.source.data
        output = self._scratch(GOLDEN)
        output.mkdir()
        golden = GoldenJob(
            output=str(output),
            source=data.source if data else None,
            seed=data.seed if data else 0,
            skip_damaged=bool(data and data.skip_damaged),
            onnx=str(self.source.onnx) if self.source.onnx else None,
        )
        return [jobs[0].model_copy(update={"golden": golden}), *jobs[1:]]

    def _calibration(self, network: Path) -> Path:
        """The file of the calibration that workers share; from the cache, if it is there."""
        path = self.new / WORK / CALIBRATION
        if self.cache and self.calibration_key is None:
            self.calibration_key = calibration_key(self.source, network)
            self.cache.fetch(self.calibration_key, path.parent)
            self.fetched_calibration = path.exists()
        return path

    def _store_calibration(self) -> None:
        work = self.new / WORK
        if self.calibration_key and (work / CALIBRATION).exists() and not self.fetched_calibration:
            self._keep(self.calibration_key, work, [CALIBRATION], True)

    @property
    def _interchange(self) -> Path:
        """The ONNX file that routes start from; there once the jobs of this environment have ended.

        Where an ONNX file's network cannot be had, the job that was to export it writes it.
        """
        return self.new / WORK / f"network{ONNX}"

    def _route_jobs(self, missing: Sequence[str]) -> list[Job]:
        """A job for each environment that another route needs, none where their ONNX file could not be made."""
        groups = group([t for t in self.targets if t.name in missing and t.name not in self.results and t.format.via])
        return [make_job(self.source, self._interchange, targets, self._scratch) for targets in groups]

    def _compile_jobs(self, missing: Sequence[str], network: Path) -> list[Job]:
        """What is compiled from artifacts, once these are in the bundle; without its source, one has failed."""
        made = {
            name: (result.artifact, self.new / result.artifact.file)
            for name, result in self.results.items()
            if result.artifact is not None
        }
        targets = [target for target in self.targets if target.name in missing]
        for target in targets:
            if target.source not in made:
                reason = f"{target.source}, from which it is compiled, could not be made"
                self._on_worker_event(Event(kind="failed", name=target.name, text=reason))
        groups = group([target for target in targets if target.source in made])
        return [make_job(self.source, network, members, self._scratch, made) for members in groups]

    def _scratch(self, name: str) -> Path:
        """The folder into which a worker writes one item, with the paths that it has in the bundle."""
        return self.new / WORK / f"made {name}"

    def _on_worker_event(self, event: Event) -> None:
        """Record what was made or failed, move what was made into the bundle, and pass the event on."""
        if event.kind == "failed":
            if event.fatal or event.name in (GOLDEN, EXPORT, RECIPE):
                raise SamesightError(event.text)
            if event.name == INTERCHANGE:
                self._fail_routes(event)
                return
            if event.name == CHECKS:
                self.notes.append(f"the network itself was not checked: {event.text}")
            else:
                self.results[event.name] = _Result(failure=event.text)
        elif event.kind == "end" and event.name not in (EXPORT, INTERCHANGE):
            self.results[event.name] = _Result(event.artifact, event.ranges, event.seconds)
            if event.text and event.text not in self.notes:
                self.notes.append(event.text)
            self._store(event)
            self._move(event.name)
        elif event.kind == "end" and event.name == EXPORT:
            self.unread = event.text or None
        self.on_event(event)

    def _fail_routes(self, event: Event) -> None:
        """Without their ONNX file, none of the routes' artifacts can be made."""
        for target in self.targets:
            if target.format.via and target.name not in self.results:
                self.results[target.name] = _Result(failure=event.text)
                self.on_event(event.model_copy(update={"name": target.name}))

    def _store(self, event: Event) -> None:
        """Put an item into the cache."""
        scratch = self._scratch(event.name)
        artifact = event.artifact and event.artifact.model_dump(mode="json")
        entry = {"artifact": artifact, "ranges": event.ranges, "note": event.text}
        self._keep(self.keys[event.name], scratch, [path.name for path in scratch.iterdir()], entry)

    def _keep(self, key: str, folder: Path, names: Sequence[str], entry: object) -> None:
        """Put files into the cache; after the first failure to write there, nothing more is put."""
        if self.cache is None:
            return
        try:
            self.cache.store(key, folder, names, entry)
        except SamesightError as error:
            self.notes.append(f"{error}; this conversion is not kept for the next")
            self.cache = None

    def _move(self, name: str) -> None:
        """Move an item's files from its worker's folder to their paths in the bundle."""
        for path in self._scratch(name).iterdir():
            if path.name == "artifacts":
                for file in path.iterdir():
                    file.rename(self.new / "artifacts" / file.name)
            else:
                path.rename(self.new / path.name)

    def _checked_artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts in the order of the targets: at least one, and all of a precision of one quantized model."""
        programs = {
            (result.artifact.precision, result.ranges)
            for result in self.results.values()
            if result.artifact is not None and result.ranges is not None
        }
        if len(programs) > len({precision for precision, _ in programs}):
            raise SamesightError(
                f"{self.source.title}: the processes found different activation ranges, so the int8 artifacts "
                "would not be one model; convert again with --no-cache"
            )
        results = [self.results[target.name] for target in self.targets if target.name in self.results]
        artifacts = tuple(result.artifact for result in results if result.artifact is not None)
        if not artifacts:
            reasons = dict.fromkeys(result.failure for result in self.results.values() if result.failure is not None)
            raise SamesightError(f"{self.source.title}: no artifact could be made: {'; '.join(reasons)}")
        return artifacts

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
