"""Which artifacts one `convert` makes, and which of them share a process."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from samesight.contract.errors import UsageError
from samesight.conversion.formats import FORMATS, ROUTES, Format, find_format
from samesight.conversion.npu.chips import MAKERS, Chip
from samesight.conversion.precisions import PRECISIONS, PrecisionName
from samesight.conversion.runners import runner_of

ON_NPU: dict[PrecisionName, PrecisionName] = {"fp32": "fp16", "int8": "int8", "w8a16": "w8a16"}
"""The precisions of files that are compiled for an NPU, and in which it computes them."""


@dataclass(frozen=True)
class Target:
    """One artifact to be made.

    `name` is its name in commands and tables (`digits.int8.tflite`), `file` its path in the bundle. `chip` is a chip
    whose NPU it is compiled for, from the artifact `source`; both are None for all that is lowered from the network.
    """

    name: str
    file: str
    format: Format
    precision: PrecisionName
    chip: Chip | None = None
    source: str | None = None

    @property
    def environment(self) -> str:
        """The row of `ENVIRONMENTS` that makes it."""
        return MAKERS[self.chip.maker].environment if self.chip else self.format.environment


OWN = "own"
"""What `--via` calls the converter of the table `FORMATS`."""


def choose(
    model: str, formats: Sequence[str] = (), precisions: Sequence[str] = (), via: Sequence[str] = ()
) -> tuple[Target, ...]:
    """The artifacts of model `model` in `formats` at `precisions`, made `via` other routes where that is given.

    Formats are names or suffixes (`tflite`, `.pte`). Without any, every format is made at its standard precisions, or
    at `precisions` where these are given; `all` in either list means all but those that are made by name alone. A
    format that holds none of the precisions, or whose packages are not installed, is left out unless it was asked for
    by name.

    Raises:
        UsageError: an unknown format or precision, or a format by name that holds none of the precisions or is not
            installed.
    """
    format_names, requested = ([text for text in texts if text != "all"] for texts in (formats, precisions))
    for text in requested:
        if text not in PRECISIONS:
            raise UsageError(f"unknown precision {text!r}; choose among {', '.join(PRECISIONS)}")
    if "all" in formats:
        format_names = []
    rows = list(dict.fromkeys(find_format(text) for text in format_names))
    if via:
        rows = _rows_via(via, rows)
        format_names = [row.name for row in rows]
    rows = rows or list(FORMATS.values())
    targets = []
    for row in rows:
        if not formats and "all" not in precisions and runner_of(row.written).absent:
            continue  # what nothing here can judge is made by name alone
        usual = row.usual if formats or precisions else row.standard
        everything = not requested or "all" in precisions
        chosen = [name for name in row.precisions if name in requested or (everything and name in usual)]
        missing = row.missing() if row.extra or row.via else None
        if format_names and not chosen:
            raise UsageError(
                f"{row.title} ({row.suffix}) holds no {' or '.join(requested)}, only {', '.join(row.precisions)}"
            )
        if format_names and missing:
            raise UsageError(f"--via {row.name}: {missing}" if row.via else missing)
        if not missing:
            targets += [_target(model, row, precision) for precision in chosen]
    return tuple(targets)


def _rows_via(via: Sequence[str], formats: Sequence[Format]) -> list[Format]:
    """The rows of these routes, in the order of the table.

    Raises:
        UsageError: no such route, or it does not make one of the formats.
    """
    for name in via:
        if name not in (OWN, *ROUTES):
            near = difflib.get_close_matches(name, ROUTES, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; choose among {', '.join((OWN, *ROUTES))}"
            raise UsageError(f"--via: no route {name!r}{hint}")
    routes = [row for row in ROUTES.values() if row.name in via]
    makeable = [FORMATS[name] for name in dict.fromkeys(str(row.via) for row in ROUTES.values())]
    for row in formats:
        if row not in makeable:
            raise UsageError(
                f"--via {','.join(via)} makes {', '.join(each.suffix for each in makeable)} alone, not {row.suffix}; "
                "leave --via out, or convert that format by itself"
            )
    return [*(makeable if OWN in via else ()), *routes]


def for_chips(targets: Sequence[Target], model: str, chips: Sequence[Chip]) -> tuple[Target, ...]:
    """The artifacts to compile ahead of time for the NPUs of these chips, from those of `targets` that can be.

    Raises:
        UsageError: there is none of these.
    """
    sources = [target for target in targets if target.format.name == "litert" and target.precision in ON_NPU]
    if not sources:
        raise UsageError(
            "--unit npu compiles .tflite files of fp32, int8 and w8a16 from the own converter, and neither is made; "
            "ask for one (--to, --precision, --via own)"
        )
    return tuple(
        replace(
            _target(model, source.format, ON_NPU[source.precision], chip.in_file_names), chip=chip, source=source.name
        )
        for source in sources
        for chip in chips
    )


def left_out(formats: Sequence[str] = ()) -> list[str]:
    """A sentence about each format that `choose` leaves out because its packages are not installed."""
    if any(text != "all" for text in formats):
        return []
    sentences = (row.missing() for row in FORMATS.values() if row.extra)
    return [f"left out: {sentence}" for sentence in sentences if sentence]


def group(targets: Sequence[Target]) -> tuple[tuple[Target, ...], ...]:
    """The same targets, one group per environment and `Format.group`, in the order in which each process makes them."""
    groups: dict[tuple[str, int], list[Target]] = {}
    for target in sorted(targets, key=lambda target: (target.environment, target.format.group)):
        groups.setdefault((target.environment, target.format.group), []).append(target)
    return tuple(
        tuple(sorted(members, key=lambda target: (_calibrates_at(target, number), target.format.order)))
        for number, members in enumerate(groups.values())
    )


def _calibrates_at(target: Target, group: int) -> bool:
    """Whether a target comes in its group's second half: the first group calibrates, and the others wait for it."""
    return PRECISIONS[target.precision].calibrated == (group > 0)


def _target(model: str, row: Format, precision: PrecisionName, chip: str = "") -> Target:
    name = f"{model}.{precision}{f'.{chip}' if chip else ''}{row.suffix}"
    return Target(name, f"artifacts/{name}", row, precision)
