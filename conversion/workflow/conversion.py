"""One conversion: which jobs its workers do, in which order, and the sealed bundle that their results become."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from samesight.contract.bundle import seal
from samesight.contract.errors import SamesightError
from samesight.contract.manifest import Artifact, DataSource
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.quantization.recipe import FILE as RECIPE_FILE
from samesight.conversion.quantization.recipe import read_recipe
from samesight.conversion.sources.source import NETWORK, ONNX, ModelSource
from samesight.conversion.workflow.bundle_items import ARTIFACTS, WORK, BundleItems
from samesight.conversion.workflow.jobs import (
    built_from,
    calibration_key,
    make_job,
    make_keys,
    search_job,
    search_key,
)
from samesight.conversion.workflow.mixing import MIXED, Mixing
from samesight.conversion.workflow.plan import Target, group
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

CALIBRATION = "calibration.pt"


@dataclass
class Conversion:
    """One filling of the folder of `items`.

    `unread` is why there is no program of the source, an ONNX file, whose targets are then made from the file itself.
    """

    source: ModelSource
    targets: tuple[Target, ...]
    items: BundleItems
    mixing: Mixing | None = None
    recipe: Path | None = None
    unread: str | None = None
    calibration_key: str | None = None
    fetched_calibration: bool = False

    def fill(self) -> int:
        """Make or fetch every item, and seal the folder. Returns the sum of the workers' peaks of memory, in bytes."""
        work = self.items.new / WORK
        work.mkdir()
        (self.items.new / ARTIFACTS).mkdir()
        searched = (RECIPE,) if self.mixing and self.mixing.recipe is None else ()
        for name in (*searched, GOLDEN, CHECKS, *(target.name for target in self.targets)):
            self.items.on_event(Event(kind="waiting", name=name))
        network = self.source.network or self._export(work)
        if self.mixing and self.unread is None:
            self._get_recipe(network, work, self.mixing)
        self.items.keys.update(make_keys(self.source, network, self.targets, self.recipe))
        missing = [
            name for name in self.items.keys if name not in (RECIPE, *self.items.results) and not self.items.fetch(name)
        ]
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
        artifacts = self.items.made(self.targets, self.source.title)
        self._check_sizes(artifacts)
        (self.items.new / "model.json").write_text(self.source.spec.to_json(), encoding="utf-8")
        seal(self.items.new, self.source.spec, artifacts, self._data(), metadata.version("samesight"))
        return peak_bytes

    def _get_recipe(self, network: Path, work: Path, mixing: Mixing) -> None:
        """Put `recipe.json` into the bundle: the one that is given, one from the cache, or what a worker finds."""
        self.recipe = self.items.new / RECIPE_FILE
        if mixing.recipe is not None:
            read_recipe(mixing.recipe)
            self.recipe.write_bytes(mixing.recipe.read_bytes())
            return
        output = self.items.scratch(RECIPE)
        wanted = search_job(self.source, mixing, self.targets, output)
        self.items.keys[RECIPE] = search_key(self.source, network, wanted)
        if self.items.fetch(RECIPE):
            return
        output.mkdir()
        job = make_job(self.source, network, (), self.items.scratch, kept=self._calibration(network))
        run_workers([job.model_copy(update={"search": wanted})], work, self._on_worker_event)

    def _export(self, work: Path) -> Path:
        """What is built or read first, exported by a worker, which alone ever runs a person's code."""
        network = work / NETWORK
        job = make_job(self.source, network, (), self.items.scratch)
        onnx = str(self.source.onnx) if self.source.onnx else None
        job = job.model_copy(update={**built_from(self.source), "onnx": onnx})
        run_workers([job], work, self._on_worker_event)
        return network if self.unread is None else self._without_program()

    def _without_program(self) -> Path:
        """The ONNX file in place of a program; what cannot be made from it has failed."""
        self.targets, left = part(self.targets, str(self.unread))
        for name, reason in left.items():
            self._fail(name, reason)
        self._fail(CHECKS, f"the file {self.unread}")
        return self._interchange

    def _jobs(self, missing: Sequence[str], network: Path) -> list[Job]:
        """The groups of `plan`, and the golden cases: first in the first of two groups, or in their own process."""
        groups = group([t for t in self.targets if t.name in missing and not t.format.via])
        calibrated = any(PRECISIONS[target.precision].calibrated for targets in groups for target in targets)
        kept = self._calibration(network) if calibrated else None
        jobs = [
            make_job(self.source, network, each, self.items.scratch, recipe=self.recipe, kept=kept) for each in groups
        ]
        if self.unread is None and any(t.format.via for t in self.targets if t.name in missing):
            first = jobs.pop(0) if jobs else make_job(self.source, network, (), self.items.scratch)
            jobs.insert(0, first.model_copy(update={"interchange": str(self._interchange)}))
        if CHECKS in missing:
            # Where a worker prepares the network anyway.
            if not jobs:
                jobs = [make_job(self.source, network, (), self.items.scratch)]
            checks = self.items.scratch(CHECKS)
            checks.mkdir()
            jobs[0] = jobs[0].model_copy(update={"checks": str(checks)})
        if GOLDEN not in missing:
            return jobs
        if len(jobs) < 2:
            jobs.insert(0, make_job(self.source, network, (), self.items.scratch))
        data = self.source.data
        output = self.items.scratch(GOLDEN)
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
        path = self.items.new / WORK / CALIBRATION
        if self.items.cache and self.calibration_key is None:
            self.calibration_key = calibration_key(self.source, network)
            self.items.cache.fetch(self.calibration_key, path.parent)
            self.fetched_calibration = path.exists()
        return path

    def _store_calibration(self) -> None:
        work = self.items.new / WORK
        if self.calibration_key and (work / CALIBRATION).exists() and not self.fetched_calibration:
            self.items.keep(self.calibration_key, work, [CALIBRATION], True)

    @property
    def _interchange(self) -> Path:
        """The ONNX file that routes start from; there once the jobs of this environment have ended.

        Where an ONNX file's network cannot be had, the job that was to export it writes it.
        """
        return self.items.new / WORK / f"network{ONNX}"

    def _route_jobs(self, missing: Sequence[str]) -> list[Job]:
        """A job for each environment that another route needs, none where their ONNX file could not be made."""
        groups = group(
            [t for t in self.targets if t.name in missing and t.name not in self.items.results and t.format.via]
        )
        return [make_job(self.source, self._interchange, targets, self.items.scratch) for targets in groups]

    def _compile_jobs(self, missing: Sequence[str], network: Path) -> list[Job]:
        """What is compiled from artifacts, once these are in the bundle; without its source, one has failed."""
        made = {
            name: (result.artifact, self.items.new / result.artifact.file)
            for name, result in self.items.results.items()
            if result.artifact is not None
        }
        targets = [target for target in self.targets if target.name in missing]
        for target in targets:
            if target.source not in made:
                self._fail(target.name, f"{target.source}, from which it is compiled, could not be made")
        groups = group([target for target in targets if target.source in made])
        return [make_job(self.source, network, members, self.items.scratch, made) for members in groups]

    def _data(self) -> DataSource | None:
        """Where the test split came from; None for a bundle without the server model's answers on one."""
        server = read_server_answers(self.items.new)
        if server is None or self.source.data is None:
            return None
        return DataSource(
            source=self.source.data.source,
            seed=self.source.data.seed,
            metric_name=server.metric_name,
            metric=server.metric,
        )

    def _check_sizes(self, artifacts: Sequence[Artifact]) -> None:
        """Check that what was made by a search is no larger than it may be.

        Raises:
            SamesightError: naming the first file that is.
        """
        most = self.mixing.max_bytes if self.mixing else None
        for artifact in artifacts:
            path = self.items.new / artifact.file
            size = sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
            if artifact.precision == MIXED and most is not None and size > most:
                raise SamesightError(
                    f"{artifact.name} has {size:,} bytes, and --max-size allows {most:,}: the smallest recipe that "
                    f"loses no more than --max-drop is not small enough; allow {size:,} bytes, a larger --max-drop, "
                    "or leave that format out with --to"
                )

    def _on_worker_event(self, event: Event) -> None:
        """Record what was made or failed, and pass the event on."""
        if event.kind == "failed":
            if event.fatal or event.name in (GOLDEN, EXPORT, RECIPE):
                raise SamesightError(event.text)
            self._fail(event.name, event.text)
            return
        if event.kind == "end" and event.name == EXPORT:
            self.unread = event.text or None
        elif event.kind == "end" and event.name != INTERCHANGE:
            self.items.add(event)
        self.items.on_event(event)

    def _fail(self, name: str, reason: str) -> None:
        """Go on without an item; without the ONNX file of the routes, without all that they make."""
        if name == CHECKS:
            self.items.notes.append(f"the network itself was not checked: {reason}")
            self.items.on_event(Event(kind="failed", name=name, text=reason))
        elif name == INTERCHANGE:
            for target in self.targets:
                if target.format.via and target.name not in self.items.results:
                    self.items.fail(target.name, reason)
        else:
            self.items.fail(name, reason)
