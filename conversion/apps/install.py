"""Installs a bundle into an app's source folder, with only the artifacts that its platform uses; also removes it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.archive import choose, reduced, require_verdicts
from samesight.contract.bundle import Bundle, open_bundle, replacing_bundle
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.files import write_atomically
from samesight.contract.signature import PublicKey
from samesight.conversion.formats import formats_for

# By platform: a file that marks an app's folder, and the folder of its bundles, which the app lists when it starts.
APPS = {"android": ("settings.gradle.kts", "app/src/main/assets/bundles")}
# In the app's folder, outside of its assets: the bundles that the last installations replaced.
REPLACED = "bundles.replaced"
# Beside the folder of bundles: the DER form of the key that signs packs; Bundles.kt reads it.
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
    for platform, (marker, _) in APPS.items():
        if (app / marker).is_file() and (app / "app").is_dir():
            return platform
    markers = " or ".join(marker for marker, _ in APPS.values())
    raise UsageError(f"{app}: is no folder of an app (it has no {markers} beside a folder app); give android_app")


def install(bundle: Bundle, app: Path, force: bool = False, key: PublicKey | None = None) -> Installed:
    """Copy the bundle into the app; what was there under the model's name can be brought back by `undo`.

    With `key` the app takes only packs that were signed with its private key, from when it is built next.

    Raises:
        UsageError: `app` is no app.
        SamesightError: an artifact without a passing verdict (unless `force`), or nothing for this platform.
    """
    platform = find_platform(app)
    chosen = choose(bundle, platform, formats_for(platform))
    if not force:
        require_verdicts(bundle, chosen)
    files = reduced(bundle, chosen)
    target, backup = _bundle_paths(app, platform, bundle.spec.name)
    shutil.rmtree(backup, ignore_errors=True)
    if target.is_dir():
        with replacing_bundle(backup) as new:
            shutil.copytree(open_bundle(target).folder, new, dirs_exist_ok=True)
    with replacing_bundle(target) as new:
        for path, data in files.items():
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            (new / path).write_bytes(data)
    if key:
        write_atomically(target.parent.parent / APP_KEY, bytes.fromhex(key.text))
    return Installed(target, tuple(artifact.name for artifact in chosen))


def undo(model: str, app: Path) -> Installed:
    """Remove the bundle installed last under this name, and restore the one it replaced, if any.

    Raises:
        UsageError: `app` is no app.
        SamesightError: nothing is installed under this name.
    """
    target, backup = _bundle_paths(app, find_platform(app), model)
    if not target.is_dir():
        raise SamesightError(f"{target}: no such bundle is installed, so there is nothing to undo")
    if not backup.is_dir():
        shutil.rmtree(target)
        return Installed(target, ())
    with replacing_bundle(target) as new:
        shutil.copytree(open_bundle(backup).folder, new, dirs_exist_ok=True)
    shutil.rmtree(backup)
    return Installed(target, tuple(artifact.name for artifact in open_bundle(target).manifest.artifacts))


def _bundle_paths(app: Path, platform: str, model: str) -> tuple[Path, Path]:
    bundles = app / APPS[platform][1]
    return bundles / model, app / REPLACED / model
