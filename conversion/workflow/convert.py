"""The workflow: converts a source to a bundle, in child processes; results that are in the cache are not made again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.bundle import MANIFEST, Bundle, open_bundle, replacing_bundle
from samesight.contract.errors import SamesightError
from samesight.contract.files import file_sha256
from samesight.conversion.npu.chips import Chip, require_compilers
from samesight.conversion.sources.source import ModelSource, open_source
from samesight.conversion.workflow.bundle_items import BundleItems, OnEvent
from samesight.conversion.workflow.cache import Cache
from samesight.conversion.workflow.conversion import Conversion
from samesight.conversion.workflow.mixing import Mixing
from samesight.conversion.workflow.plan import choose, for_chips, left_out


@dataclass
class Outcome:
    """The result of one conversion.

    Attributes:
        bundle: as it is on disk now.
        unchanged: the bundle that was there is the same, byte for byte, and was left alone.
        failures: name of each artifact that could not be made, and why.
        cached: names of what was made by an earlier conversion.
        seconds: per item that was made now, the time that it took in its worker.
        peak_bytes: memory: the sum of the workers' peaks.
        notes: what else a person should know.
    """

    bundle: Bundle
    unchanged: bool
    failures: dict[str, str]
    cached: list[str]
    seconds: dict[str, float]
    peak_bytes: int
    notes: list[str]


def convert_source(
    source: str | Path | ModelSource,
    out: str | Path,
    formats: Sequence[str] = (),
    precisions: Sequence[str] = (),
    spec: Path | None = None,
    calibration: Path | None = None,
    cache: Cache | None = None,
    on_event: OnEvent = lambda event: None,
    chips: Sequence[Chip] = (),
    weights: Path | None = None,
    random_weights: bool = False,
    via: Sequence[str] = (),
    mixing: Mixing | None = None,
) -> Outcome:
    """Convert to a bundle at `out`; an artifact that cannot be made is left out and named in the outcome.

    Args:
        source: as `open_source` takes it, or its result.
        out: the bundle's folder; a bundle there is replaced when the new one is whole, anything else is left alone.
        formats: names or suffixes; empty for all.
        precisions: empty for all that a format can hold.
        spec: the `model.json` of what has none of its own.
        calibration: a folder of images for anything but a run.
        cache: used for results of earlier conversions, and to store the new ones; None for neither.
        on_event: called with every event of every artifact: waiting, cached, begin, step, end, failed.
        chips: compile `.tflite` artifacts ahead of time for the NPUs of these too.
        weights: a file of weights for a function or a named network.
        random_weights: convert a named network with weights that mean nothing.
        via: names of `formats.ROUTES`, or `own`: other ways to the formats that they make.
        mixing: how `mixed` artifacts are made; the precisions name `mixed` (`mixing.read_wish`).

    Raises:
        UsageError: the request contradicts itself.
        SamesightError: nothing could be made; a bundle that was there before is unchanged.
    """
    require_compilers(chips)
    opened = (
        source
        if isinstance(source, ModelSource)
        else open_source(str(source), spec, calibration, weights, random_weights)
    )
    targets = choose(opened.spec.name, formats, precisions, via)
    if chips:
        targets += for_chips(targets, opened.spec.name, chips)
    notes = [*opened.notes, *([] if via else left_out(formats))]
    folder = Path(out)
    unchanged = False
    try:
        with replacing_bundle(folder) as new:
            items = BundleItems(new, cache, on_event, notes)
            peak_bytes = Conversion(opened, targets, items, mixing).fill()
            if _is_same(folder, new):
                raise _UnchangedError
    except _UnchangedError:
        unchanged = True
    results = items.results
    return Outcome(
        bundle=open_bundle(folder),
        unchanged=unchanged,
        failures={name: result.failure for name, result in results.items() if result.failure is not None},
        cached=[name for name, result in results.items() if result.cached],
        seconds={name: result.seconds for name, result in results.items() if result.seconds is not None},
        peak_bytes=peak_bytes,
        notes=notes,
    )


def failure_sentences(failures: Mapping[str, str]) -> list[str]:
    """One for each reason, with the names of all that could not be made for it."""
    names: dict[str, list[str]] = {}
    for name, reason in failures.items():
        names.setdefault(reason, []).append(name)
    return [f"{', '.join(each)} could not be made: {reason}" for reason, each in names.items()]


class _UnchangedError(Exception):
    """Ends `replacing_bundle` without replacing the bundle, so that its verdicts and report stay."""


def _is_same(folder: Path, new: Path) -> bool:
    try:
        return file_sha256(folder / MANIFEST) == file_sha256(new / MANIFEST) and bool(open_bundle(folder))
    except (OSError, SamesightError):
        return False
