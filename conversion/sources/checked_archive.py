"""torch's archives (`.pt2`, `.pt`, `.ptl`) checked before torch sees them: they could run code while they load.

An archive is read here once, its parts are checked (`checked_program.py`, `checked_torchscript.py`), and torch gets
a new archive of exactly the bytes that were checked: where two readers of zip files differ, a file could show each of
them another content.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.contract.files import check_plain
from samesight.contract.limits import NETWORK_BYTES, NETWORK_FILES
from samesight.conversion.sources.checked_program import check_program
from samesight.conversion.sources.checked_torchscript import check_torchscript
from samesight.conversion.sources.hazard import Hazard

# By path inside of the archive's one folder.
Parts = Mapping[str, bytes]


def checked_program(path: Path) -> io.BytesIO:
    """The bytes of an exported program (`.pt2`) that runs nothing while torch loads it.

    Raises:
        SamesightError: missing, damaged, too large, or it holds what could run code; one sentence.
    """
    return _checked(path, check_program, "an exported program")


def checked_torchscript(path: Path) -> io.BytesIO:
    """The bytes of a TorchScript file (`.pt`, `.ptl`) that neither reads nor writes files (errors as above)."""
    return _checked(path, check_torchscript, "a TorchScript file")


def _checked(path: Path, check: Callable[[Parts], None], kind: str) -> io.BytesIO:
    try:
        root, parts = _read(check_plain(path))
        check(parts)
    except Hazard as hazard:
        raise SamesightError(f"{path}: {hazard}, so it could run code; it is refused (docs/trust.md)") from None
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
        # RuntimeError: it asks for a password. ValueError covers text that is no UTF-8 and JSON that is none.
        raise SamesightError(f"{path}: damaged or not {kind} ({error}); export it again") from None
    except OSError as error:
        raise SamesightError(f"{path}: cannot be read ({error.strerror or error}); check it and its rights") from None
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as written:
        for name, data in parts.items():
            written.writestr(f"{root}/{name}", data)
    archive.seek(0)
    return archive


def _read(path: Path) -> tuple[str, dict[str, bytes]]:
    """The name of the archive's one folder, and everything in it."""
    if path.stat().st_size > NETWORK_BYTES:
        raise ValueError(f"more than {NETWORK_BYTES:,} bytes")
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > NETWORK_FILES or sum(entry.file_size for entry in entries) > NETWORK_BYTES:
            raise ValueError(f"more than {NETWORK_FILES:,} files or {NETWORK_BYTES:,} bytes inside")
        roots = {entry.filename.partition("/")[0] for entry in entries}
        if len(roots) != 1:
            raise ValueError("not one folder inside")
        parts: dict[str, bytes] = {}
        for entry in entries:
            name = entry.filename.partition("/")[2]
            if not name or name.endswith("/"):
                raise ValueError(f"{entry.filename} is no file")
            if name in parts:
                raise ValueError(f"{name} is there twice")
            with archive.open(entry) as source:
                parts[name] = source.read(entry.file_size + 1)
            if len(parts[name]) != entry.file_size:
                raise ValueError(f"{name} has another length than it declares")
    return roots.pop(), parts
