"""Results of conversions, stored under a hash of everything that they depend on.

An entry is a folder `<root>/<key>` with `entry.json` (a note, and the SHA-256 of every file) and `files/`. It is
written under a temporary name that begins with a dot and then renamed, so that readers, other processes and kills see
complete entries only. Files are copied out, never linked, and their hashes checked: a damaged entry counts as none.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import samesight
from samesight.contract.errors import SamesightError
from samesight.contract.files import sha256, unwritable

ABSENT = "absent"
NOTE = "entry.json"
FILES = "files"
LIMIT = 4 << 30
ABANDONED_SECONDS = 24 * 3600
CODE_FOLDERS = ("contract", "datasets", "conversion")


def make_key(parts: object) -> str:
    """The SHA-256 of any JSON value (keys of dictionaries sorted)."""
    return sha256(json.dumps(parts, sort_keys=True).encode())


def tool_versions(packages: Iterable[str]) -> dict[str, str]:
    """Installed versions of distributions; `ABSENT` for one that is not installed."""
    versions = {}
    for package in sorted(set(packages)):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = ABSENT
    return versions


def code_version() -> str:
    """A hash over our own source: after a change of the code, cached results are not used."""
    root = Path(samesight.__file__).parent
    digest = hashlib.sha256()
    for folder in CODE_FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(root)}\0".encode() + sha256(path.read_bytes()).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Cache:
    """The entries below `root`, of which the least recently used are dropped above `limit` bytes."""

    root: Path
    limit: int = LIMIT

    def fetch(self, key: str, folder: Path) -> Any:
        """Copy an entry's files below `folder` and return its note; None where there is no complete entry.

        Raises:
            SamesightError: `folder` cannot be written.
        """
        entry = self.root / key
        try:
            document = json.loads((entry / NOTE).read_bytes())
            files = {path: (entry / FILES / path).read_bytes() for path in document["files"]}
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if any(sha256(data) != document["files"][path] for path, data in files.items()):
            shutil.rmtree(entry, ignore_errors=True)
            return None
        for path, data in files.items():
            try:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
            except OSError as error:
                raise unwritable(folder / path, error) from None
        with contextlib.suppress(OSError):
            os.utime(entry)
        return document["note"]

    def store(self, key: str, folder: Path, paths: Iterable[str], note: object) -> None:
        """Keep the files and folders `paths` of `folder` with a note (any JSON value but null).

        Raises:
            SamesightError: the cache cannot be written.
        """
        try:
            with self._new_entry() as new:
                hashes = {}
                for path in _files_below(folder, paths):
                    data = (folder / path).read_bytes()
                    (new / FILES / path).parent.mkdir(parents=True, exist_ok=True)
                    (new / FILES / path).write_bytes(data)
                    hashes[path] = sha256(data)
                (new / NOTE).write_text(json.dumps({"note": note, "files": hashes}), encoding="utf-8")
                _install(new, self.root / key)
            self.prune()
        except OSError as error:
            raise unwritable(self.root, error) from None

    def prune(self) -> None:
        """Drop the least recently used entries above `limit` bytes, and unfinished entries of killed processes."""
        entries = []
        for path in self.root.iterdir():
            with contextlib.suppress(OSError):
                used = path.stat().st_mtime
                if not path.name.startswith("."):
                    entries.append((used, _bytes_below(path), path))
                elif used < time.time() - ABANDONED_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit:
                break
            shutil.rmtree(path, ignore_errors=True)
            total -= size

    @contextlib.contextmanager
    def _new_entry(self) -> Iterator[Path]:
        self.root.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=self.root))
        try:
            yield new
        finally:
            shutil.rmtree(new, ignore_errors=True)


def _install(new: Path, entry: Path) -> None:
    try:
        new.rename(entry)
    except OSError:
        # Another process made the same entry, or a damaged one is here: ours is as good as the first, and better than
        # the second.
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        with contextlib.suppress(OSError):
            new.rename(entry)


def _files_below(folder: Path, paths: Iterable[str]) -> list[str]:
    relative_paths = []
    for path in paths:
        full_path = folder / path
        if not full_path.exists():
            raise SamesightError(f"{full_path}: was to be kept in the cache, but is missing; run the command again")
        files = sorted(file for file in full_path.rglob("*") if file.is_file()) if full_path.is_dir() else [full_path]
        relative_paths += [file.relative_to(folder).as_posix() for file in files]
    return relative_paths


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
