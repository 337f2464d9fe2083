"""The one place where what is printed loses control characters: names in files could rename or clear a terminal."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from samesight.contract.text import printable


class CleanStream:
    """A text stream whose text is printed as `contract.text.printable` gives it; all else is the stream's own.

    Libraries' progress bars go back to the start of their line first; that alone stays.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def rich_proxied_file(self) -> TextIO:
        """Where rich writes, whose colours are control characters; what it shows is cleaned by `cell`."""
        return self._stream

    def write(self, text: str) -> int:
        """Writes the clean text."""
        start = "\r" if text.startswith("\r") else ""
        self._stream.write(start + printable(text[len(start) :]))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes each line."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def cleaned() -> Iterator[None]:
    """Inside, standard output and standard error are clean streams."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, CleanStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def raw_stderr() -> TextIO:
    """Standard error for a rich console that redraws what it has written."""
    return cast(TextIO, getattr(sys.stderr, "rich_proxied_file", sys.stderr))


def cell(text: str) -> str:
    """Text from a file for a rich table: clean, and no markup."""
    from rich.markup import escape  # takes a twentieth of a second, which a usage error need not wait for

    return escape(printable(text))
