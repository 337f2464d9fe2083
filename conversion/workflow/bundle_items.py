"""The items of a bundle that is being made (artifacts, golden cases, checks): from the cache, or from workers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.contract.manifest import Artifact
from samesight.conversion.workflow.cache import Cache
from samesight.conversion.workflow.plan import Target
from samesight.conversion.workflow.worker_protocol import CHECKS, GOLDEN, RECIPE, Event

WORK = "work"
ARTIFACTS = "artifacts"
NO_ARTIFACT = (GOLDEN, CHECKS, RECIPE)

OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class ItemResult:
    """What became of one item.

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
class BundleItems:
    """The items in the folder `new`; `results` has each that was fetched, made or failed, in that order.

    Attributes:
        new: the folder of the bundle that is being made.
        cache: where items of earlier conversions are; None for none, and after the first failure to write there.
        on_event: called with every event.
        notes: what else a person should know; grows.
        keys: in the cache, of each item.
        results: of each item.
    """

    new: Path
    cache: Cache | None
    on_event: OnEvent
    notes: list[str]
    keys: dict[str, str] = field(default_factory=dict)
    results: dict[str, ItemResult] = field(default_factory=dict)

    def scratch(self, name: str) -> Path:
        """The folder into which a worker writes one item, with the paths that it has in the bundle."""
        return self.new / WORK / f"made {name}"

    def fetch(self, name: str) -> bool:
        """Copy an item from the cache, if it is there."""
        entry = self.cache.fetch(self.keys[name], self.new) if self.cache else None
        if entry is None:
            return False
        if entry["note"]:
            self.notes.append(entry["note"])
        artifact = None if name in NO_ARTIFACT else Artifact.model_validate(entry["artifact"])
        self.results[name] = ItemResult(artifact, entry["ranges"], cached=True)
        self.on_event(Event(kind="cached", name=name))
        return True

    def fail(self, name: str, reason: str) -> None:
        """Record and tell why an item cannot be made."""
        self.results[name] = ItemResult(failure=reason)
        self.on_event(Event(kind="failed", name=name, text=reason))

    def add(self, event: Event) -> None:
        """Record what a worker made, keep it in the cache, and move it into the bundle."""
        self.results[event.name] = ItemResult(event.artifact, event.ranges, event.seconds)
        if event.text and event.text not in self.notes:
            self.notes.append(event.text)
        scratch = self.scratch(event.name)
        artifact = event.artifact and event.artifact.model_dump(mode="json")
        entry = {"artifact": artifact, "ranges": event.ranges, "note": event.text}
        self.keep(self.keys[event.name], scratch, [path.name for path in scratch.iterdir()], entry)
        for path in scratch.iterdir():
            if path.name == ARTIFACTS:
                for file in path.iterdir():
                    file.rename(self.new / ARTIFACTS / file.name)
            else:
                path.rename(self.new / path.name)

    def keep(self, key: str, folder: Path, names: Sequence[str], entry: object) -> None:
        """Put files into the cache; after the first failure to write there, nothing more is put."""
        if self.cache is None:
            return
        try:
            self.cache.store(key, folder, names, entry)
        except SamesightError as error:
            self.notes.append(f"{error}; this conversion is not kept for the next")
            self.cache = None

    def made(self, targets: Sequence[Target], title: str) -> tuple[Artifact, ...]:
        """The artifacts in the order of the targets; `title` names the source in errors.

        Raises:
            SamesightError: there is none, or those of one precision are not of one quantized model.
        """
        programs = {
            (result.artifact.precision, result.ranges)
            for result in self.results.values()
            if result.artifact is not None and result.ranges is not None
        }
        if len(programs) > len({precision for precision, _ in programs}):
            raise SamesightError(
                f"{title}: the processes found different activation ranges, so the int8 artifacts "
                "would not be one model; convert again with --no-cache"
            )
        results = [self.results[target.name] for target in targets if target.name in self.results]
        artifacts = tuple(result.artifact for result in results if result.artifact is not None)
        if not artifacts:
            reasons = dict.fromkeys(result.failure for result in self.results.values() if result.failure is not None)
            raise SamesightError(f"{title}: no artifact could be made: {'; '.join(reasons)}")
        return artifacts
