"""Pictures that are there twice: files with the same bytes, whatever their names."""

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from samesight.contract.files import file_sha256


def same_files(paths: Sequence[Path]) -> list[list[int]]:
    """Positions of files with the same content: a list for each content that is there twice or more, in their order.

    Files are compared by the SHA-256 of their bytes, and read only where another one is as long. The same picture saved
    anew has other bytes and is not found. Files that are empty or cannot be read are not compared: whoever reads their
    pixels says what is wrong.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for position, path in enumerate(paths):
        with contextlib.suppress(OSError):
            by_length[path.stat().st_size].append(position)
    by_content: dict[tuple[int, str], list[int]] = defaultdict(list)
    for length, positions in by_length.items():
        for position in positions if length and len(positions) > 1 else ():
            with contextlib.suppress(OSError):
                by_content[length, file_sha256(paths[position])].append(position)
    return sorted(positions for positions in by_content.values() if len(positions) > 1)
