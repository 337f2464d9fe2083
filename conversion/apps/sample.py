"""Writes a sample app out of this package: its sources, with a name, an identifier and a bundle of one's own."""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import samesight
from samesight.contract.bundle import Bundle
from samesight.contract.errors import SamesightError, UsageError
from samesight.conversion.apps.install import install

# Where `setup.py` puts both apps into the wheel, inside of the package.
PACKAGED = "sample_apps"
# What builds, tools and people leave in the folders; never part of a copy. `setup.py` reads this too.
LEFT_OUT = (
    "target",
    "build",
    ".build",
    ".gradle",
    ".kotlin",
    ".swiftpm",
    "*.xcodeproj",
    "local.properties",
    "gradlew",
    "gradlew.bat",
    "gradle-wrapper.jar",
    "jniLibs",
    "ai_packs",
    "CLiteRT.xcframework",
    "bundles.replaced",
    "bundles",
    "pack-key.der",
    "Info.plist",
    "__pycache__",
    "*.pyc",
)
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*)+")


@dataclass(frozen=True)
class Change:
    """In `file`, every `before` becomes `after` (a format of `id` and `name`); one at least has to be there."""

    file: str
    before: str
    after: str


FOLDERS = {"android": "android_app", "ios": "ios_app"}
# Sources keep their package names: an app is told from others by its identifier alone.
CHANGES = {
    "android": (
        Change("app/build.gradle.kts", 'applicationId = "samesight.app"', 'applicationId = "{id}"'),
        Change("app/src/main/res/values/strings.xml", ">Samesight<", ">{name}<"),
    ),
    "ios": (
        Change("project.yml", "PRODUCT_BUNDLE_IDENTIFIER: samesight.app", "PRODUCT_BUNDLE_IDENTIFIER: {id}"),
        Change("project.yml", "CFBundleDisplayName: Samesight", 'CFBundleDisplayName: "{name}"'),
    ),
}


def write_app(platform: str, folder: Path, identifier: str, name: str, bundle: Bundle | None, force: bool) -> Path:
    """Write the sample app of this platform to `folder`, which must not exist or be empty.

    Raises:
        UsageError: an identifier or a name that an app cannot have.
        SamesightError: the folder is not empty, or what `install` refuses; then nothing is left there.
    """
    if not IDENTIFIER.fullmatch(identifier):
        raise UsageError(f"--id {identifier}: an app's identifier has words with dots between them: com.example.app")
    if not name.strip() or any(character in name for character in "<>&\"'\\\n"):
        raise UsageError(f"--name {name!r}: give a name without quotes, <, > and &")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SamesightError(f"{folder}: exists and is not empty, so it is left alone; choose another folder")
    existed = folder.exists()
    try:
        shutil.copytree(find_sample(platform), folder, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)
        for change in CHANGES[platform]:
            _apply(folder, change, identifier, name)
        if bundle:
            install(bundle, folder, force)
    except BaseException:
        _remove(folder.iterdir() if existed else [folder])
        raise
    return folder


def find_sample(platform: str) -> Path:
    """The folder of the platform's app: in the installed package, or in the checkout that it is installed from.

    Raises:
        SamesightError: neither is there.
    """
    package = Path(samesight.__file__).resolve().parent
    for place in (package / PACKAGED, package.parents[1]):
        if (place / FOLDERS[platform]).is_dir():
            return place / FOLDERS[platform]
    raise SamesightError(f"the {platform} app is not in this installation; install samesight's wheel anew")


def _apply(folder: Path, change: Change, identifier: str, name: str) -> None:
    path = folder / change.file
    text = path.read_text(encoding="utf-8")
    if change.before not in text:
        raise SamesightError(f"{path}: has no {change.before!r}; this is a bug in samesight")
    path.write_text(text.replace(change.before, change.after.format(id=identifier, name=name)), encoding="utf-8")


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
