"""What became of one architecture: a small JSON file, so that an interrupted zoo goes on where it stopped."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from samesight.contract.documents import Document, Strict, read_document
from samesight.contract.errors import SamesightError
from samesight.contract.files import write_atomically


class Wishes(Strict):
    """What is made of each architecture, as `samesight convert` has it; all formats at their precisions by default.

    `plain`: whether the plain converters run beside ours.
    """

    pretrained: bool = False
    formats: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    plain: bool = True


class Cell(Strict):
    """One artifact. `state` is `failed` where it could not be made or does not run; `reason` says why.

    `snr_db` is the lowest of its outputs; None for an exact copy and for what failed.
    """

    suffix: str
    precision: str
    state: Literal["pass", "fail", "failed"]
    reason: str = ""
    snr_db: float | None = None
    agreement: float | None = None
    bytes: int = 0
    seconds: float | None = None


class Result(Document):
    """One architecture. `key` names what the figures depend on: code, tools and options.

    `plain` has, by suffix, what the plain converter gives: decibels of the worst output, or its error.
    """

    schema_version: Literal[1] = 1
    title: str
    key: str
    parameters: int = 0
    published: bool = False
    seconds: float = 0.0
    error: str | None = None
    cells: tuple[Cell, ...] = ()
    plain: dict[str, float | str] = Field(default_factory=dict)


def path_of(folder: Path, title: str) -> Path:
    """The file of one architecture."""
    return folder / f"{title.replace(':', '-')}.json"


def read_result(folder: Path, title: str, key: str | None = None) -> Result | None:
    """An earlier result; None where there is none, it is damaged, or (with `key`) it was made otherwise."""
    try:
        result = read_document(Result, path_of(folder, title))
    except SamesightError:
        return None
    return result if key in (None, result.key) else None


def write_result(folder: Path, result: Result) -> None:
    """Write atomically, in place of an earlier one."""
    write_atomically(path_of(folder, result.title), result.to_json().encode())
