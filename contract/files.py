"""Atomic writes of files, content hashes, and replacement of whole folders."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from samesight.contract.errors import SamesightError


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader finds the old content or the new, even after a kill at any moment.

    Raises:
        SamesightError: the folder is not writable or the disk is full; nothing is left behind.
    """
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise unwritable(path, error) from None
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def unwritable(path: Path, error: OSError) -> SamesightError:
    """The sentence for a file that cannot be written."""
    return SamesightError(f"{path}: cannot be written ({error.strerror or error}); choose another place or make room")


_SPECIAL = {stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}


def check_plain(path: Path) -> Path:
    """The path, unless it is a pipe, a device or a socket: those may never end, or never begin.

    A folder, or a path where nothing is, is left to whoever opens it.

    Raises:
        SamesightError: it is none of plain file, folder and nothing.
    """
    with contextlib.suppress(OSError, ValueError):
        kind = _SPECIAL.get(stat.S_IFMT(path.stat().st_mode))
        if kind:
            raise SamesightError(f"{path}: is {kind}, not a plain file; copy what it gives to a file and give that")
    return path


def read_plain(path: Path, most: int | None = None) -> bytes:
    """The content of a file that a person named, of at most `most` bytes.

    Raises:
        SamesightError: not a plain file, or longer.
        OSError: missing, a folder, or not readable.
    """
    if most is None:
        return check_plain(path).read_bytes()
    with check_plain(path).open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise SamesightError(f"{path}: has more than {most:,} bytes; not a document of ours")
    return data


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def beside(folder: Path, suffix: str) -> Path:
    """`folder` with `.new` or `.old` after its name."""
    return folder.with_name(folder.name + suffix)


@contextlib.contextmanager
def replacing(folder: Path, complete: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield an empty folder beside `folder`; when the block ends without an error, replace `folder` by it.

    The order is: `.new` written, `folder` renamed to `.old`, `.new` renamed to `folder`, `.old` removed. After a kill
    between two steps, `recover` repairs the state. The lock on `.new` ends with its process.

    Raises:
        SamesightError: another process is writing there, or the place is not writable.
    """
    folder = folder.absolute()
    recover(folder, complete)
    new = beside(folder, ".new")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise SamesightError(f"{error.filename}: is a file where a folder has to be; choose another place") from None
    except OSError as error:
        raise unwritable(folder, error) from None
    with locked(new):
        try:
            for entry in new.iterdir():
                _remove(entry)
            yield new
            _flush(new)
            _exchange(folder, new)
        except OSError as error:
            _remove(new)
            raise unwritable(folder, error) from None
        except BaseException:
            _remove(new)
            raise


def recover(folder: Path, complete: Callable[[Path], bool]) -> None:
    """Finish or roll back an exchange that was interrupted; without one, do nothing.

    If `complete` accepts the new folder, an interrupted exchange is finished, otherwise it is undone.
    """
    folder = folder.absolute()
    new, old = beside(folder, ".new"), beside(folder, ".old")
    if not old.is_dir():
        return
    with locked(new, wait=True) if new.is_dir() else contextlib.nullcontext():
        if not folder.exists() and new.is_dir() and complete(new):
            new.rename(folder)
        if not folder.exists() and old.is_dir():
            old.rename(folder)
        _remove(old)


def _exchange(folder: Path, new: Path) -> None:
    old = beside(folder, ".old")
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    _remove(old)


@contextlib.contextmanager
def locked(folder: Path, wait: bool = False, who: str = "another process") -> Iterator[None]:
    """Hold the lock on a folder, which ends with this process at the latest and moves with the folder.

    Raises:
        SamesightError: somebody else holds it, and this is not to wait; `who` says in words who that is.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise SamesightError(f"{folder}: {who} is writing here; wait for it or choose another place") from None
        yield
    finally:
        os.close(descriptor)


def _flush(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
