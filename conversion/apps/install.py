"""Installs a bundle into an app's source folder, with only the artifacts that its platform uses; also removes it."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.archive import choose, reduced, require_verdicts
from samesight.contract.bundle import MANIFEST, Bundle, open_bundle, replacing_bundle
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.files import beside, locked, unwritable, write_atomically
from samesight.contract.signature import PublicKey
from samesight.conversion.formats import formats_for

# By platform: what marks an app's folder, and the folder of its bundles, which the app lists when it starts.
APPS = {
    "android": (("settings.gradle.kts", "app"), "app/src/main/assets/bundles"),
    "ios": (("project.yml", "App"), "App/Resources/bundles"),
}
# Formats that an app loads by an engine that it is built with on request alone (docs/on-a-phone.md).
ON_REQUEST = {"android": (), "ios": ("litert",)}
# In the app's folder, outside of its assets: the bundles that the last installations replaced.
REPLACED = "bundles.replaced"
# Beside the folder of bundles: the DER form of the key that signs packs; Bundles.kt and Bundles.swift read it.
APP_KEY = "pack-key.der"


@dataclass(frozen=True)
class Installed:
    """The folder of a bundle in an app, and its artifacts there; none after it was removed."""

    folder: Path
    artifacts: tuple[str, ...]


def find_platform(app: Path) -> str:
    """The platform of the app in this folder.

    Raises:
        UsageError: it is no app of ours.
    """
    for platform, (markers, _) in APPS.items():
        if all((app / marker).exists() for marker in markers):
            return platform
    wanted = " or ".join(f"{file} beside a folder {folder}" for (file, folder), _ in APPS.values())
    raise UsageError(f"{app}: is no folder of an app (it has no {wanted}); give android_app or ios_app")


def check_on_request(platform: str, more: Sequence[str]) -> None:
    """See that apps of this platform have an engine for these formats.

    Raises:
        UsageError: one has none, or is taken without being asked for.
    """
    for name in more:
        offered = ON_REQUEST.get(platform, ())
        if name not in offered:
            choice = f"choose {' or '.join(offered)}" if offered else "leave it out"
            raise UsageError(f"--with {name}: apps for {platform} have no such engine on request; {choice}")


def install(
    bundle: Bundle,
    app: Path,
    force: bool = False,
    key: PublicKey | None = None,
    soc: str | None = None,
    *,
    more: Sequence[str] = (),
) -> Installed:
    """Copy the bundle into the app; what was there under the model's name can be brought back by `undo`.

    With `key` the app takes only packs that were signed with its private key, from when it is built next. `soc` leaves
    out what was compiled for other chips, as in `contract.archive.choose`; `more` are formats of `ON_REQUEST` whose
    artifacts go with it.

    Raises:
        UsageError: `app` is no app, or has no engine for a format of `more`; or nothing was compiled for this chip.
        SamesightError: an artifact without a passing verdict (unless `force`), or nothing for this platform.
    """
    platform = find_platform(app)
    check_on_request(platform, more)
    chosen = choose(bundle, platform, formats_for(platform), soc, more=more)
    if not force:
        require_verdicts(bundle, chosen)
    files = reduced(bundle, chosen)
    with _exclusively(app, platform, bundle.spec.name) as places:
        if places.target.exists() and not (places.target / MANIFEST).is_file():
            raise SamesightError(f"{places.target}: exists and is not a bundle, so it is left alone; take it away")
        with replacing_bundle(places.incoming) as new:
            for path, data in files.items():
                (new / path).parent.mkdir(parents=True, exist_ok=True)
                (new / path).write_bytes(data)
        places.target.parent.mkdir(parents=True, exist_ok=True)
        if places.target.exists():
            places.target.rename(places.outgoing)
        else:
            shutil.rmtree(places.backup, ignore_errors=True)
        places.incoming.rename(places.target)
        if key:
            write_atomically(places.target.parent.parent / APP_KEY, bytes.fromhex(key.text))
    return Installed(places.target, tuple(artifact.name for artifact in chosen))


def undo(model: str, app: Path) -> Installed:
    """Remove the bundle installed last under this name, and restore the one it replaced, if any.

    Raises:
        UsageError: `app` is no app.
        SamesightError: nothing is installed under this name.
    """
    with _exclusively(app, find_platform(app), model) as places:
        if not places.target.is_dir():
            raise SamesightError(f"{places.target}: no such bundle is installed, so there is nothing to undo")
        before = open_bundle(places.backup) if places.backup.is_dir() else None
        places.target.rename(places.removed)
    names = tuple(artifact.name for artifact in before.manifest.artifacts) if before else ()
    return Installed(places.target, names)


@dataclass(frozen=True)
class _Places:
    """Where an app's bundles of one name are. All but `target` lie outside of what is built into the app.

    Attributes:
        target: the bundle that the app shows.
        backup: the one that the last installation replaced.
        incoming: the new one, until it is whole.
        outgoing: the old one while an installation exchanges them; it becomes the backup.
        removed: the bundle that `undo` takes out.
    """

    target: Path
    backup: Path
    incoming: Path
    outgoing: Path
    removed: Path

    def settle(self) -> None:
        """Finish what began: an installation whose bundle is in place, or an undo; take back any other."""
        if self.outgoing.is_dir():
            if self.target.exists():
                shutil.rmtree(self.backup, ignore_errors=True)
                self.outgoing.rename(self.backup)
            else:
                self.outgoing.rename(self.target)
        if self.removed.is_dir():
            if self.backup.is_dir() and not self.target.exists():
                self.backup.rename(self.target)
            shutil.rmtree(self.removed)
        for leftover in (self.incoming, beside(self.incoming, ".new"), beside(self.incoming, ".old")):
            shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _exclusively(app: Path, platform: str, model: str) -> Iterator[_Places]:
    """The places of a model's bundles, settled before and after: an installation may have been killed."""
    aside = app / REPLACED
    places = _Places(
        app / APPS[platform][1] / model,
        aside / model,
        *(aside / f"{model}.{word}" for word in ("incoming", "outgoing", "removed")),
    )
    try:
        aside.mkdir(exist_ok=True)
        with locked(aside, wait=True):
            places.settle()
            try:
                yield places
            finally:
                places.settle()
    except OSError as error:
        raise unwritable(Path(error.filename or app), error) from None
    finally:
        with suppress(OSError):
            aside.rmdir()  # unless it keeps a bundle
