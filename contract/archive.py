"""One file of a bundle for a phone to open: a deterministic zip with only the artifacts that a platform uses."""

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from samesight.contract.bundle import MANIFEST, VERDICTS, Bundle, belongs, replacing_bundle
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.files import sha256, write_atomically
from samesight.contract.manifest import Artifact, Manifest, Platform, check_relative, parse_manifest
from samesight.contract.verdicts import failures

# For which platform a bundle can be packed; `all` packs every artifact.
PLATFORMS = (*get_args(Platform), "all")
ONLY_HERE = ("server.json",)
MOMENT = (1980, 1, 1, 0, 0, 0)
MOST_BYTES = 2**31 - 1


def choose(bundle: Bundle, platform: str, formats: Sequence[str] = ()) -> tuple[Artifact, ...]:
    """The artifacts of a bundle that a platform uses; `formats` are named in the error message.

    Raises:
        UsageError: no such platform.
        SamesightError: the bundle has nothing for it.
    """
    if platform not in PLATFORMS:
        raise UsageError(f"no platform {platform!r}; choose among {', '.join(PLATFORMS)}")
    chosen = _used_by(bundle, platform)
    if not chosen:
        format_names = " or ".join(formats) or "a format that it uses"
        raise SamesightError(f"{bundle.folder}: has no artifact for {platform}; convert with {format_names}")
    return chosen


def _used_by(bundle: Bundle, platform: str) -> tuple[Artifact, ...]:
    return tuple(a for a in bundle.manifest.artifacts if platform == "all" or platform in a.platforms)


def reduced_manifest(bundle: Bundle, chosen: tuple[Artifact, ...]) -> Manifest:
    """The manifest of a bundle with these artifacts alone."""
    dropped = [a for a in bundle.manifest.artifacts if a not in chosen]
    files = tuple(
        entry
        for entry in bundle.manifest.files
        if entry.path not in ONLY_HERE and not any(belongs(entry.path, artifact) for artifact in dropped)
    )
    return bundle.manifest.model_copy(update={"artifacts": chosen, "files": files})


def manifest_hashes(bundle: Bundle) -> set[str]:
    """SHA-256 of the bundle's manifest and of the manifests of its reduced copies on phones."""
    hashes = {bundle.manifest_sha256()}
    for platform in PLATFORMS:
        hashes.add(sha256(reduced_manifest(bundle, _used_by(bundle, platform)).to_json().encode()))
    return hashes


def require_verdicts(bundle: Bundle, chosen: tuple[Artifact, ...]) -> None:
    """Refuse artifacts that failed, here or in an app, and a bundle without verdicts.

    Raises:
        SamesightError: names them and says why.
    """
    verdicts = bundle.verdicts()
    if verdicts is None:
        raise SamesightError(
            f"{bundle.folder}: has no verdicts; run `samesight verify {bundle.folder}`, or give --force"
        )
    failed = failures(verdicts.artifacts, verdicts.apps)
    refused = [f"{artifact.name} ({failed[artifact.name]})" for artifact in chosen if artifact.name in failed]
    if refused:
        raise SamesightError(
            f"{bundle.folder}: failed: {', '.join(refused)}; leave it out of the bundle, or give --force"
        )


def reduced(bundle: Bundle, chosen: tuple[Artifact, ...]) -> dict[str, bytes]:
    """The files of a bundle with these artifacts alone: path to content, with reduced manifest and verdicts.

    The test answers of the server model are left out; golden cases stay, for the phone's self-test.
    """
    manifest = reduced_manifest(bundle, chosen)
    files = {entry.path: (bundle.folder / entry.path).read_bytes() for entry in manifest.files}
    files[MANIFEST] = manifest.to_json().encode()
    verdicts = bundle.verdicts()
    if verdicts is not None:
        names = {artifact.name for artifact in chosen}
        artifact_verdicts = tuple(verdict for verdict in verdicts.artifacts if verdict.name in names)
        app_verdicts = tuple(verdict for verdict in verdicts.apps if verdict.name in names)
        fitting = verdicts.model_copy(
            update={
                "manifest_sha256": sha256(files[MANIFEST]),
                "artifacts": artifact_verdicts,
                "apps": app_verdicts,
                "passed": not failures(artifact_verdicts, app_verdicts),
            }
        )
        files[VERDICTS] = fitting.to_json().encode()
    return files


def pack_bundle(bundle: Bundle, platform: str, target: Path) -> int:
    """Write `target`, a zip whose bytes depend on the bundle alone; returns its length.

    Entries are stored, not compressed, so that a phone can map them into memory, and so that the bytes do not depend
    on a compressor's version.

    Raises:
        UsageError, SamesightError: as in `choose`, or the target cannot be written.
    """
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for path, data in sorted(reduced(bundle, choose(bundle, platform)).items()):
            entry = zipfile.ZipInfo(path, MOMENT)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    write_atomically(target, memory.getvalue())
    return len(memory.getvalue())


def unpack_bundle(archive: Path, folder: Path) -> None:
    """Unpack a packed bundle; a file that does not match its manifest is refused and nothing is left behind.

    Raises:
        SamesightError: not a zip, damaged, a path that leaves the folder, a link, a file that is unlisted or longer
            than declared, or a bundle that does not pass its checks.
    """
    with _opened(archive) as zipped, replacing_bundle(folder) as new:
        manifest = _manifest(zipped, archive)
        declared = {entry.path: entry.bytes for entry in manifest.files}
        if sum(declared.values()) > MOST_BYTES:
            raise SamesightError(f"{archive}: declares more than {MOST_BYTES:,} bytes; not a bundle of ours")
        for info in zipped.infolist():
            path = _checked(info, archive)
            limit = declared.get(path, info.file_size if path in (MANIFEST, VERDICTS) else -1)
            if info.file_size > limit:
                problem = "is not listed in its manifest" if limit < 0 else "is longer than its manifest declares"
                raise SamesightError(f"{archive}: {path} {problem}; get the file again")
            destination = new / path
            destination.parent.mkdir(parents=True, exist_ok=True)
            with zipped.open(info) as source:
                data = source.read(limit + 1)
            if len(data) > limit:
                raise SamesightError(f"{archive}: {path} is longer than its manifest declares; get the file again")
            destination.write_bytes(data)


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as zipped:
            yield zipped
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise SamesightError(f"{archive}: damaged or not a packed bundle ({error}); get the file again") from None
    except FileNotFoundError:
        raise SamesightError(f"{archive}: no such file; `samesight pack BUNDLE` makes one") from None
    except IsADirectoryError:
        raise SamesightError(f"{archive}: is a folder, not a packed bundle") from None


def _manifest(zipped: zipfile.ZipFile, archive: Path) -> Manifest:
    try:
        info = zipped.getinfo(MANIFEST)
    except KeyError:
        raise SamesightError(f"{archive}: has no {MANIFEST}, so it is no packed bundle") from None
    if info.file_size > 16 * 2**20:
        raise SamesightError(f"{archive}: its {MANIFEST} is longer than 16 MiB; not a bundle of ours")
    return parse_manifest(zipped.read(info), f"{archive}: {MANIFEST}")


def _checked(info: zipfile.ZipInfo, archive: Path) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.is_dir() or kind not in (0, stat.S_IFREG):
        raise SamesightError(f"{archive}: {info.filename} is a link or a folder entry; a packed bundle has plain files")
    try:
        return check_relative(info.filename)
    except ValueError as error:
        raise SamesightError(f"{archive}: {error}; refused") from None
