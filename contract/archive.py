"""One file of a bundle for a phone to open: a deterministic zip with only the artifacts that a platform uses."""

import difflib
import io
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, get_args

from samesight.contract.bundle import MANIFEST, SIGNATURE, VERDICTS, Bundle, belongs, check_declared, replacing_bundle
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.files import check_plain, sha256, write_atomically
from samesight.contract.limits import BUNDLE_BYTES, DOCUMENT_BYTES
from samesight.contract.manifest import Artifact, Manifest, Platform, check_relative, parse_manifest
from samesight.contract.signature import Signer
from samesight.contract.verdicts import failures
from samesight.contract.zip import ZipEntry, ZipProblem, read_entry, zip_entries

# For which platform a bundle can be packed; `all` packs every artifact.
PLATFORMS = (*get_args(Platform), "all")
# Stands for a chip of which no artifact knows: what runs on any is left.
OTHER_CHIPS = "other"
ONLY_HERE = ("server.json", "network.json", "recipe.json")
# Documents of a pack whose lengths its manifest does not know.
UNSIZED = (MANIFEST, VERDICTS, SIGNATURE)
MOMENT = (1980, 1, 1, 0, 0, 0)


def choose(
    bundle: Bundle,
    platform: str,
    formats: Sequence[str] = (),
    soc: str | None = None,
    *,
    more: Sequence[str] = (),
) -> tuple[Artifact, ...]:
    """The artifacts of a bundle that a platform uses, and those of the formats `more`, which some of its apps load.

    `formats` are named in the error message.

    `soc` leaves out what was compiled for other chips than this, or, with `OTHER_CHIPS`, for any chip.

    Raises:
        UsageError: no such platform, or nothing was compiled for this chip.
        SamesightError: the bundle has nothing for it, or nothing of a format of `more`.
    """
    if platform not in PLATFORMS:
        raise UsageError(f"no platform {platform!r}; choose among {', '.join(PLATFORMS)}")
    if soc is not None:
        _check_chip(bundle, soc)
    chosen = _used_by(bundle, platform, soc, more=more)
    if missing := next((name for name in more if all(artifact.format != name for artifact in chosen)), None):
        raise SamesightError(f"{bundle.folder}: has no artifact of {missing}; convert with {missing}, or leave it out")
    if not chosen:
        format_names = " or ".join(formats) or "a format that it uses"
        raise SamesightError(f"{bundle.folder}: has no artifact for {platform}; convert with {format_names}")
    return chosen


def _used_by(
    bundle: Bundle, platform: str, soc: str | None = None, *, more: Sequence[str] = ()
) -> tuple[Artifact, ...]:
    used = (a for a in bundle.manifest.artifacts if platform == "all" or platform in a.platforms or a.format in more)
    return tuple(a for a in used if soc is None or not a.soc or soc.lower() in (chip.lower() for chip in a.soc))


def _chips(bundle: Bundle) -> list[str]:
    return list(dict.fromkeys(chip for artifact in bundle.manifest.artifacts for chip in artifact.soc or ()))


def _check_chip(bundle: Bundle, soc: str) -> None:
    chips = {chip.lower(): chip for chip in _chips(bundle)}
    if soc.lower() in (*chips, OTHER_CHIPS):
        return
    has = f"it has {', '.join(chips.values())}" if chips else "samesight convert --unit npu compiles for chips"
    near = [chips[text] for text in difflib.get_close_matches(soc.lower(), chips, 1)]
    hint = f"; did you mean {near[0]}?" if near else f", and --soc {OTHER_CHIPS} takes what runs on any"
    raise UsageError(f"--soc {soc}: {bundle.folder} has nothing compiled for this chip ({has}){hint}")


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
    formats = {artifact.format for artifact in bundle.manifest.artifacts}
    for platform in PLATFORMS:
        for soc in (None, OTHER_CHIPS, *_chips(bundle)):
            for more in ((), *((name,) for name in sorted(formats))):
                used = _used_by(bundle, platform, soc, more=more)
                hashes.add(sha256(reduced_manifest(bundle, used).to_json().encode()))
    return hashes


def require_verdicts(bundle: Bundle, chosen: tuple[Artifact, ...]) -> None:
    """Refuse artifacts that failed, here, in an app or on a target, and a bundle without verdicts.

    What was compiled for an NPU is refused too where nothing ran it: no other unit can stand in for it.

    Raises:
        SamesightError: names them and says why.
    """
    verdicts = bundle.verdicts()
    if verdicts is None:
        raise SamesightError(
            f"{bundle.folder}: has no verdicts; run `samesight verify {bundle.folder}`, or give --force"
        )
    failed = failures(verdicts.artifacts, verdicts.apps, verdicts.targets)
    refused = [f"{artifact.name} ({failed[artifact.name]})" for artifact in chosen if artifact.name in failed]
    if refused:
        raise SamesightError(
            f"{bundle.folder}: failed: {', '.join(refused)}; leave it out of the bundle, or give --force"
        )
    proven = {v.name for v in verdicts.artifacts if v.passed} | {v.name for v in verdicts.targets if v.passed}
    proven |= {v.name for v in verdicts.apps if v.passed and v.unit == "npu"}
    reasons = {verdict.name: verdict.reason for verdict in verdicts.artifacts}
    unproven = [
        f"{artifact.name} ({reasons.get(artifact.name, 'it has no verdict')})"
        for artifact in chosen
        if artifact.unit == "npu" and artifact.name not in proven
    ]
    if unproven:
        raise SamesightError(
            f"{bundle.folder}: not judged yet: {', '.join(unproven)}; leave it out by --soc {OTHER_CHIPS}, or give "
            "--force"
        )


def reduced(bundle: Bundle, chosen: tuple[Artifact, ...]) -> dict[str, bytes]:
    """The files of a bundle with these artifacts alone: path to content, with reduced manifest and verdicts.

    The test answers of the server model are left out; golden cases stay, for the phone's self-test.
    """
    manifest = reduced_manifest(bundle, chosen)
    return _contents(bundle, manifest) | _documents(bundle, manifest)


def _contents(bundle: Bundle, manifest: Manifest) -> dict[str, bytes]:
    return {entry.path: (bundle.folder / entry.path).read_bytes() for entry in manifest.files}


def _documents(bundle: Bundle, manifest: Manifest) -> dict[str, bytes]:
    """The reduced manifest, and the reduced verdicts where there are any."""
    files = {MANIFEST: manifest.to_json().encode()}
    verdicts = bundle.verdicts()
    if verdicts is not None:
        names = {artifact.name for artifact in manifest.artifacts}
        artifact_verdicts = tuple(verdict for verdict in verdicts.artifacts if verdict.name in names)
        app_verdicts = tuple(verdict for verdict in verdicts.apps if verdict.name in names)
        target_verdicts = tuple(verdict for verdict in verdicts.targets if verdict.name in names)
        fitting = verdicts.model_copy(
            update={
                "manifest_sha256": sha256(files[MANIFEST]),
                "artifacts": artifact_verdicts,
                "apps": app_verdicts,
                "targets": target_verdicts,
                "passed": not failures(artifact_verdicts, app_verdicts, target_verdicts),
            }
        )
        files[VERDICTS] = fitting.to_json().encode()
    return files


def pack_bundle(
    bundle: Bundle,
    platform: str,
    target: Path,
    signer: Signer | None = None,
    soc: str | None = None,
    *,
    more: Sequence[str] = (),
) -> int:
    """Write `target`, a zip whose bytes depend on the bundle and its signer alone; returns its length.

    Entries are stored, not compressed, so that a phone can map them into memory, and so that the bytes do not depend
    on a compressor's version.

    Raises:
        UsageError, SamesightError: as in `choose`, or the target cannot be written.
    """
    manifest = reduced_manifest(bundle, choose(bundle, platform, soc=soc, more=more))
    documents = _documents(bundle, manifest)
    # As declared: what is too large need not be read.
    if sum(entry.bytes for entry in manifest.files) + sum(map(len, documents.values())) > BUNDLE_BYTES:
        raise SamesightError(
            f"{bundle.folder}: packed for {platform} it has more than {BUNDLE_BYTES:,} bytes, which nothing unpacks; "
            "pack it for one platform, or convert to fewer formats"
        )
    files = _contents(bundle, manifest) | documents
    if signer:
        signature = signer.sign(bundle.spec.name, files[MANIFEST], files.get(VERDICTS))
        files[SIGNATURE] = signature.to_json().encode()
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for path, data in sorted(files.items()):
            entry = zipfile.ZipInfo(path, MOMENT)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    write_atomically(target, memory.getvalue())
    return len(memory.getvalue())


def unpack_bundle(archive: Path, folder: Path) -> None:
    """Unpack a packed bundle; a file that does not match its manifest is refused and nothing is left behind.

    Raises:
        SamesightError: not a zip, damaged, a path that leaves the folder, a link, a file that is unlisted, there twice
            or longer than declared, or a bundle that does not pass its checks.
    """
    with _opened(archive) as file, _damaged(archive):
        entries = zip_entries(file)
        manifest = parse_manifest(_document(file, entries, MANIFEST, archive), f"{archive}: {MANIFEST}")
        check_declared(manifest, str(archive))
        declared = {entry.path: entry.bytes for entry in manifest.files}
        with replacing_bundle(folder) as new:
            for entry in entries:
                path = _checked(entry, archive)
                _check_length(entry, declared.get(path), archive)
                destination = new / path
                destination.parent.mkdir(parents=True, exist_ok=True)
                with destination.open("wb") as unpacked:
                    unpacked.writelines(read_entry(file, entry))


@contextmanager
def _opened(archive: Path) -> Iterator[BinaryIO]:
    try:
        file = check_plain(archive).open("rb")
    except FileNotFoundError:
        raise SamesightError(f"{archive}: no such file; `samesight pack BUNDLE` makes one") from None
    except IsADirectoryError:
        raise SamesightError(f"{archive}: is a folder, not a packed bundle") from None
    with file:
        yield file


@contextmanager
def _damaged(archive: Path) -> Iterator[None]:
    try:
        yield
    except ZipProblem as problem:
        raise SamesightError(f"{archive}: damaged or not a packed bundle ({problem}); get the file again") from None


def _document(file: BinaryIO, entries: Sequence[ZipEntry], name: str, archive: Path) -> bytes:
    entry = next((entry for entry in entries if entry.name == name), None)
    if entry is None:
        raise SamesightError(f"{archive}: has no {name}, so it is no packed bundle")
    if entry.size > DOCUMENT_BYTES:
        raise SamesightError(f"{archive}: its {name} has more than {DOCUMENT_BYTES:,} bytes; not a bundle of ours")
    return b"".join(read_entry(file, entry))


def _checked(entry: ZipEntry, archive: Path) -> str:
    if entry.name.endswith("/") or stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG):
        raise SamesightError(f"{archive}: {entry.name} is a link or a folder entry; a packed bundle has plain files")
    try:
        return check_relative(entry.name)
    except ValueError as error:
        raise SamesightError(f"{archive}: {error}; refused") from None


def _check_length(entry: ZipEntry, declared: int | None, archive: Path) -> None:
    limit = declared if declared is not None else DOCUMENT_BYTES if entry.name in UNSIZED else -1
    if entry.size > limit:
        problem = "is not listed in its manifest" if limit < 0 else "is longer than its manifest declares"
        raise SamesightError(f"{archive}: {entry.name} {problem}; get the file again")
