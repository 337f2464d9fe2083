"""A bundle put into an app's source folder, with only the artifacts that its platform uses; and taken out again."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.archive import choose, reduced, require_verdicts
from samesight.contract.bundle import Bundle, open_bundle, replacing_bundle
from samesight.contract.errors import SamesightError, UsageError
from samesight.conversion.formats import formats_for

# By platform: what an app's folder has, and where its bundles stand, which the app lists when it starts.
APPS = {"android": ("settings.gradle.kts", "app/src/main/assets/bundles")}
# In the app's folder, outside of what goes into the app: what the last installations replaced.
REPLACED = "bundles.replaced"


@dataclass(frozen=True)
class Installed:
    """Where a bundle stands in an app, and which artifacts it has there; none after it was taken out."""

    folder: Path
    artifacts: tuple[str, ...]


def find_platform(app: Path) -> str:
    """Of which platform the app in this folder is.

    Raises:
        UsageError: it is no app of ours.
    """
    for platform, (sign, _) in APPS.items():
        if (app / sign).is_file() and (app / "app").is_dir():
            return platform
    signs = " or ".join(sign for sign, _ in APPS.values())
    raise UsageError(f"{app}: is no folder of an app (it has no {signs} beside a folder app); give android_app")


def install(bundle: Bundle, app: Path, force: bool = False) -> Installed:
    """Copy the bundle into the app; what was there under the model's name can be brought back by `undo`.

    Raises:
        UsageError: `app` is no app.
        SamesightError: an artifact without a passing verdict (unless `force`), or nothing for this platform.
    """
    platform = find_platform(app)
    chosen = choose(bundle, platform, formats_for(platform))
    if not force:
        require_verdicts(bundle, chosen)
    files = reduced(bundle, chosen)
    target, kept = _places(app, platform, bundle.spec.name)
    shutil.rmtree(kept, ignore_errors=True)
    if target.is_dir():
        with replacing_bundle(kept) as new:
            shutil.copytree(open_bundle(target).folder, new, dirs_exist_ok=True)
    with replacing_bundle(target) as new:
        for path, data in files.items():
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            (new / path).write_bytes(data)
    return Installed(target, tuple(artifact.name for artifact in chosen))


def undo(model: str, app: Path) -> Installed:
    """Take out what was installed last under this name, and put back what it replaced, if anything.

    Raises:
        UsageError: `app` is no app.
        SamesightError: nothing is installed under this name.
    """
    target, kept = _places(app, find_platform(app), model)
    if not target.is_dir():
        raise SamesightError(f"{target}: no such bundle is installed, so there is nothing to undo")
    if not kept.is_dir():
        shutil.rmtree(target)
        return Installed(target, ())
    with replacing_bundle(target) as new:
        shutil.copytree(open_bundle(kept).folder, new, dirs_exist_ok=True)
    shutil.rmtree(kept)
    return Installed(target, tuple(artifact.name for artifact in open_bundle(target).manifest.artifacts))


def _places(app: Path, platform: str, model: str) -> tuple[Path, Path]:
    bundles = app / APPS[platform][1]
    return bundles / model, app / REPLACED / model
