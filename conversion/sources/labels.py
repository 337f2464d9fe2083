"""Labels of a proposed spec: those of a library or a file made distinct, or numbers."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.contract.files import read_plain
from samesight.contract.limits import DOCUMENT_BYTES
from samesight.contract.text import label_problem


def numbered_labels(count: int) -> tuple[str, ...]:
    """`class 0`, `class 1` and so on."""
    return tuple(f"class {number}" for number in range(count))


def distinct_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels, with their index behind those that are there twice (ImageNet has two called "crane")."""
    counts = Counter(labels)
    return tuple(f"{label} ({index})" if counts[label] > 1 else label for index, label in enumerate(labels))


def read_labels(path: Path) -> tuple[str, ...]:
    """The lines of a UTF-8 text file.

    Raises:
        SamesightError: it cannot be read, or a label is blank or there twice.
    """
    try:
        lines = read_plain(path, DOCUMENT_BYTES).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SamesightError(f"{path}: cannot be read as text ({error}); give a file with one label a line") from None
    while lines and not lines[-1].strip():
        lines.pop()
    labels = tuple(line.strip() for line in lines)
    if not labels or (problem := label_problem(labels)):
        raise SamesightError(f"{path}: {problem if labels else 'holds no label'}; give one label a line")
    return labels
