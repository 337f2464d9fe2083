"""Which artifacts one `convert` makes, and which of them share a process."""

from collections.abc import Sequence
from dataclasses import dataclass

from contract.errors import UsageError
from conversion.formats import FORMATS, PRECISIONS, Format, Precision, find_format

# Formats whose converters run in one process, one after another; the groups run side by side. Measured on two cores
# with the demo classifier (`samesight bench --conversion`): 24 s of processor time for the first group, where the
# golden cases (2 s) are made as well, and 27 s for the second. coremltools imports ExecuTorch: these belong together.
GROUPS = (("litert", "onnx"), ("executorch", "coreml", "torchscript", "lite", "exported"))


@dataclass(frozen=True)
class Target:
    """One artifact to be made.

    `name` is how people call it (`digits.int8.tflite`), `file` where it stands in the bundle.
    """

    name: str
    file: str
    format: Format
    precision: Precision


def choose(model: str, formats: Sequence[str] = (), precisions: Sequence[str] = ()) -> tuple[Target, ...]:
    """The artifacts of model `model` in `formats` at `precisions`; an empty sequence, or `all` in it, means all.

    Formats are names or suffixes (`tflite`, `.pte`). A format that holds none of the precisions is left out, unless it
    was asked for by name.

    Raises:
        UsageError: an unknown format or precision, or a format that holds none of the precisions.
    """
    formats, precisions = ([] if "all" in texts else texts for texts in (formats, precisions))
    for text in precisions:
        if text not in PRECISIONS:
            raise UsageError(f"unknown precision {text!r}; choose among {', '.join(PRECISIONS)}")
    rows = [find_format(text) for text in formats] or list(FORMATS.values())
    targets = []
    for row in dict.fromkeys(rows):
        chosen = [precision for precision in row.precisions if not precisions or precision in precisions]
        if formats and not chosen:
            raise UsageError(
                f"{row.title} ({row.suffix}) holds no {' or '.join(precisions)}, only {', '.join(row.precisions)}"
            )
        targets += [_target(model, row, precision) for precision in chosen]
    return tuple(targets)


def group(targets: Sequence[Target]) -> tuple[tuple[Target, ...], ...]:
    """The same targets in their groups of `GROUPS`, in the order in which each process makes them; none is empty."""
    groups = (tuple(target for name in names for target in targets if target.format.name == name) for names in GROUPS)
    return tuple(targets for targets in groups if targets)


def _target(model: str, row: Format, precision: Precision) -> Target:
    name = f"{model}.{precision}{row.suffix}"
    return Target(name, f"artifacts/{name}", row, precision)
