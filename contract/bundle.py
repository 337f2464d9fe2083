"""A bundle on disk: read, verify, write."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.documents import read_document
from samesight.contract.errors import SamesightError
from samesight.contract.files import file_sha256, recover, replacing, write_atomically
from samesight.contract.golden import GoldenCase, read_cases
from samesight.contract.limits import BUNDLE_BYTES, BUNDLE_FILES, FOLDER_BYTES
from samesight.contract.manifest import Artifact, DataSource, FileEntry, Manifest, check_relative
from samesight.contract.spec import ModelSpec, read_spec
from samesight.contract.verdicts import Verdicts

MANIFEST = "manifest.json"
VERDICTS = "parity.json"
REPORT = "report.html"
SIGNATURE = "signature.json"
UNLISTED = (MANIFEST, VERDICTS, REPORT, SIGNATURE)


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: every file that the manifest lists was there, with its length and hash."""

    folder: Path
    spec: ModelSpec
    manifest: Manifest

    def find(self, name: str) -> Artifact:
        """The artifact of that name.

        Raises:
            SamesightError: there is none; the sentence lists those that there are.
        """
        for artifact in self.manifest.artifacts:
            if artifact.name == name:
                return artifact
        names = ", ".join(artifact.name for artifact in self.manifest.artifacts)
        raise SamesightError(f"{self.folder}: no artifact {name!r}; it has {names}")

    def path(self, artifact: Artifact) -> Path:
        """Path of the artifact's file (or folder)."""
        return self.folder / artifact.file

    def golden_cases(self) -> list[GoldenCase]:
        """All golden cases, with images, input tensors, raw outputs and answers."""
        return read_cases(self.folder)

    def manifest_sha256(self) -> str:
        """Hash of the manifest, by which `parity.json` names the bundle that it judged."""
        return file_sha256(self.folder / MANIFEST)

    def verdicts(self) -> Verdicts | None:
        """The verdicts on this very bundle; None where there are none or they judged another manifest."""
        path = self.folder / VERDICTS
        if not path.exists():
            return None
        verdicts = read_document(Verdicts, path)
        return verdicts if verdicts.manifest_sha256 == self.manifest_sha256() else None

    def write_verdicts(self, verdicts: Verdicts) -> None:
        """Put `parity.json` into the bundle, atomically."""
        write_atomically(self.folder / VERDICTS, verdicts.to_json().encode())


def is_run(folder: Path) -> bool:
    """Whether a folder was written by `samesight train` and is not a bundle."""
    return (folder / "run.json").is_file() and not (folder / MANIFEST).is_file()


def open_bundle(folder: Path) -> Bundle:
    """Open and check a bundle; an exchange that was interrupted is finished or rolled back first.

    Raises:
        SamesightError: not a bundle, of a newer schema, or a file is missing, changed, too many or a link.
    """
    recover(folder, _is_complete)
    if folder.is_file():
        raise SamesightError(f"{folder}: is a file; if it is a packed bundle, `samesight pack --unpack` opens it")
    if not folder.is_dir():
        raise SamesightError(f"{folder}: no such bundle; `samesight convert RUN --out {folder}` makes one")
    if is_run(folder):
        raise SamesightError(f"{folder}: is a run; `samesight convert {folder} --out BUNDLE` makes a bundle of it")
    if not (folder / MANIFEST).is_file():
        raise SamesightError(f"{folder}: not a bundle (it has no {MANIFEST}); `samesight convert` makes one")
    manifest = read_document(Manifest, folder / MANIFEST)
    check_declared(manifest, str(folder), FOLDER_BYTES)
    _check_files(folder, manifest)
    spec = read_spec(folder / "model.json")
    if spec.name != manifest.model:
        raise SamesightError(
            f"{folder}: model.json is of {spec.name!r}, the manifest of {manifest.model!r}; make it anew"
        )
    return Bundle(folder, spec, manifest)


@contextmanager
def replacing_bundle(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill; `seal` it before the block ends, then it replaces the bundle at `folder`.

    Raises:
        SamesightError: `folder` exists and is not a bundle, or what was written does not pass `open_bundle`'s checks.
    """
    if folder.exists() and not (folder.is_dir() and ((folder / MANIFEST).is_file() or not any(folder.iterdir()))):
        raise SamesightError(f"{folder}: exists and is not a bundle, so it is left alone; choose another --out")
    with replacing(folder, _is_complete) as new:
        yield new
        open_bundle(new)


def seal(
    folder: Path, spec: ModelSpec, artifacts: tuple[Artifact, ...], data: DataSource | None, samesight: str
) -> Manifest:
    """Write `manifest.json` about all files in `folder` (artifacts' `bytes` are computed here).

    Raises:
        SamesightError: more bytes than a bundle, or one file of it, has.
    """
    entries = tuple(
        FileEntry(path=path, bytes=(folder / path).stat().st_size, sha256=file_sha256(folder / path))
        for path in _regular_files(folder)
        if path not in UNLISTED
    )
    if (total := sum(entry.bytes for entry in entries)) > FOLDER_BYTES:
        raise SamesightError(
            f"{spec.name}: its artifacts have {total:,} bytes together, and a bundle holds {FOLDER_BYTES:,}; "
            "convert to fewer formats or precisions at once"
        )
    if long := next((entry for entry in entries if entry.bytes > BUNDLE_BYTES), None):
        raise SamesightError(
            f"{spec.name}: {long.path} has {long.bytes:,} bytes, and no app opens more than {BUNDLE_BYTES:,}; "
            "leave its format or precision out"
        )
    counted = tuple(artifact.model_copy(update={"bytes": size_of(artifact, entries)}) for artifact in artifacts)
    manifest = Manifest(model=spec.name, samesight=samesight, data=data, artifacts=counted, files=entries)
    write_atomically(folder / MANIFEST, manifest.to_json().encode())
    return manifest


def size_of(artifact: Artifact, entries: tuple[FileEntry, ...]) -> int:
    """Bytes of an artifact's file, or of all files in its folder."""
    return sum(entry.bytes for entry in entries if belongs(entry.path, artifact))


def belongs(path: str, artifact: Artifact) -> bool:
    """Whether a file of the bundle is the artifact's file or inside its folder."""
    return path == artifact.file or path.startswith(artifact.file + "/")


def check_declared(manifest: Manifest, source: str, most: int = BUNDLE_BYTES) -> None:
    """Compare what a manifest declares with the limits, and with itself, before any file is read.

    `most` is how many bytes all files together may have.

    Raises:
        SamesightError: more files or bytes than a bundle has, or an artifact of another length than its files.
    """
    lengths = [entry.bytes for entry in manifest.files]
    # Each length by itself first: in the apps a sum of many could pass the end of 64 bits.
    if any(length > BUNDLE_BYTES for length in lengths):
        raise SamesightError(f"{source}: declares more than {BUNDLE_BYTES:,} bytes; not a bundle of ours")
    if sum(lengths) > most:
        raise SamesightError(f"{source}: declares more than {most:,} bytes; not a bundle of ours")
    if len(lengths) > BUNDLE_FILES:
        raise SamesightError(f"{source}: declares more than {BUNDLE_FILES:,} files; not a bundle of ours")
    for artifact in manifest.artifacts:
        size = size_of(artifact, manifest.files)
        if artifact.bytes != size:
            raise SamesightError(
                f"{source}: artifact {artifact.name} has {size} bytes, the manifest says {artifact.bytes}; make it anew"
            )


def _is_complete(folder: Path) -> bool:
    try:
        _check_files(folder, read_document(Manifest, folder / MANIFEST))
    except SamesightError:
        return False
    return True


def _regular_files(folder: Path) -> list[str]:
    """Paths of all files below `folder`, sorted; links and special files are refused."""
    paths = []
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise SamesightError(f"{path}: a bundle holds plain files and folders only; take this out")
        paths.append(path.relative_to(folder).as_posix())
    return paths


def _check_files(folder: Path, manifest: Manifest) -> None:
    try:
        present = set(_regular_files(folder))
        listed = {entry.path for entry in manifest.files}
        for path in sorted(present - listed - set(UNLISTED)):
            raise SamesightError(f"{folder / path}: not listed in {MANIFEST}; take it out or make the bundle anew")
        for entry in manifest.files:
            _check_file(folder, entry, present)
    except OSError as error:
        raise SamesightError(f"{folder}: cannot be read ({error.strerror or error}); check its permissions") from None


def _check_file(folder: Path, entry: FileEntry, present: set[str]) -> None:
    path = folder / check_relative(entry.path)
    if entry.path not in present:
        raise SamesightError(f"{path}: missing; copy the whole bundle again or make it anew")
    size = path.stat().st_size
    if size != entry.bytes:
        raise SamesightError(
            f"{path}: has {size} bytes, the manifest says {entry.bytes}; copy it again or make it anew"
        )
    if file_sha256(path) != entry.sha256:
        raise SamesightError(f"{path}: its content was changed (SHA-256 differs); copy it again or make it anew")
