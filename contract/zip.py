"""Reads zip files (PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.4) as the apps do, byte for byte alike.

Python's `zipfile` takes more than a packed bundle needs: bytes before the archive, entries that share bytes, names in
old encodings. What two readers take differently could show each of them another bundle.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from samesight.contract.limits import ZIP_DIRECTORY_BYTES
from samesight.contract.text import is_unprintable

END, ENTRY, LOCAL = b"PK\5\6", b"PK\1\2", b"PK\3\4"
END_LENGTH, ENTRY_LENGTH, LOCAL_LENGTH = 22, 46, 30
LONGEST_COMMENT = 65_535
LONGEST = (1 << 31) - 1
ENCRYPTED = 1
PIECE = 1 << 16


class ZipProblem(Exception):
    """Why a file cannot be read, in words for brackets."""


@dataclass(frozen=True)
class ZipEntry:
    """One entry of a zip file's directory; `mode` is the Unix file mode, 0 where the writer gave none."""

    name: str
    mode: int
    size: int
    method: int
    crc: int
    packed_size: int
    offset: int


def zip_entries(file: BinaryIO) -> list[ZipEntry]:
    """The directory of a zip file, in its order.

    Raises:
        ZipProblem: not a zip file, damaged, of more than 2 GiB, or two entries have a name or bytes in common.
    """
    length = file.seek(0, 2)
    tail = min(length, END_LENGTH + LONGEST_COMMENT)
    end = _part(file, length - tail, tail)
    at = end.rfind(END, 0, tail - END_LENGTH + len(END)) if tail >= END_LENGTH else -1
    if at < 0:
        raise ZipProblem("File is not a zip file")
    count, size, start = struct.unpack_from("<HII", end, at + 10)
    if size > ZIP_DIRECTORY_BYTES or start + size > length:
        raise ZipProblem("its directory is cut off")
    directory = _part(file, start, size)
    entries, position = [], 0
    for _ in range(count):
        if position + ENTRY_LENGTH > size or directory[position : position + 4] != ENTRY:
            raise ZipProblem("its directory is damaged")
        entries.append(_entry(directory, position))
        position += ENTRY_LENGTH + sum(struct.unpack_from("<HHH", directory, position + 28))
    _check_apart(entries, start)
    return entries


def read_entry(file: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    """An entry's content, piece by piece.

    Raises:
        ZipProblem: damaged, or longer than it declares.
    """
    local = _part(file, entry.offset, LOCAL_LENGTH)
    if local[:4] != LOCAL:
        raise ZipProblem(f"no entry where the directory says {entry.name}")
    at = entry.offset + LOCAL_LENGTH + sum(struct.unpack_from("<HH", local, 26))
    packed = _pieces(file, at, entry.packed_size)
    if entry.method not in (0, 8):
        raise ZipProblem(f"{entry.name} is packed with method {entry.method}")
    count, crc = 0, 0
    for piece in packed if entry.method == 0 else _inflated(packed):
        count += len(piece)
        if count > entry.size:
            break
        crc = zlib.crc32(piece, crc)
        yield piece
    if count != entry.size or crc != entry.crc:
        raise ZipProblem(f"Bad CRC-32 for file {entry.name!r}")


def _entry(directory: bytes, at: int) -> ZipEntry:
    flags, method = struct.unpack_from("<HH", directory, at + 8)
    crc, packed_size, size, length = struct.unpack_from("<IIIH", directory, at + 16)
    if at + ENTRY_LENGTH + length > len(directory):
        raise ZipProblem("its directory is damaged")
    if max(packed_size, size) > LONGEST:
        raise ZipProblem("an entry of more than 2 GiB")
    if flags & ENCRYPTED:
        raise ZipProblem("an entry is encrypted")
    try:
        name = directory[at + ENTRY_LENGTH : at + ENTRY_LENGTH + length].decode()
    except UnicodeDecodeError:
        raise ZipProblem("a name is not UTF-8") from None
    if any(is_unprintable(character) for character in name):
        raise ZipProblem("a name holds control characters")
    (mode,) = struct.unpack_from("<H", directory, at + 40)
    (offset,) = struct.unpack_from("<I", directory, at + 42)
    return ZipEntry(name, mode, size, method, crc, packed_size, offset)


def _check_apart(entries: list[ZipEntry], directory: int) -> None:
    names = set()
    for entry in entries:
        if entry.name in names:
            raise ZipProblem(f"{entry.name} is there twice")
        names.add(entry.name)
    ordered = sorted(entries, key=lambda entry: entry.offset)
    starts = [*(entry.offset for entry in ordered[1:]), directory]
    for entry, following in zip(ordered, starts, strict=True) if ordered else ():
        if entry.offset + LOCAL_LENGTH + entry.packed_size > following:
            raise ZipProblem(f"{entry.name} shares bytes with what follows")


def _part(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    data = file.read(length)
    if len(data) < length:
        raise ZipProblem("File is cut off")
    return data


def _pieces(file: BinaryIO, at: int, left: int) -> Iterator[bytes]:
    while left:
        piece = _part(file, at, min(left, PIECE))
        yield piece
        at += len(piece)
        left -= len(piece)


def _inflated(packed: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in packed:
            while piece and not inflater.eof:
                yield inflater.decompress(piece, PIECE)
                piece = inflater.unconsumed_tail
        while not inflater.eof and (rest := inflater.decompress(b"", PIECE)):
            yield rest
    except zlib.error:
        raise ZipProblem("its packed content is damaged") from None
    if not inflater.eof:
        raise ZipProblem("its packed content is cut off")
