"""One architecture of the zoo in a process of its own: built, converted to every format, judged, and set beside what
the plain converters give.

    python -m samesight.conversion.zoo.judge timm:resnet18 FOLDER KEY WISHES
"""

import sys
import tempfile
import time
from pathlib import Path

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.verdicts import Verdict
from samesight.conversion.formats import FORMATS
from samesight.conversion.sources.in_memory import open_in_memory
from samesight.conversion.workflow.convert import Outcome, convert_source
from samesight.conversion.workflow.plan import Target, choose
from samesight.conversion.zoo.images import photo_crops
from samesight.conversion.zoo.plain import plain_results
from samesight.conversion.zoo.result import Cell, Result, Wishes, write_result
from samesight.conversion.zoo.table import ARCHITECTURES, Architecture

IMAGES = 48
COMPARED = 4


def judge(row: Architecture, key: str, wishes: Wishes) -> Result:
    """Convert and judge one architecture; what fails stands in the result."""
    from samesight.conversion.zoo.networks import build, normalised

    started = time.monotonic()
    images = photo_crops(IMAGES, row.size)
    try:
        built = build(row, images, wishes.pretrained)
    except SamesightError as error:
        return Result(title=row.title, key=key, error=first_line(error), seconds=time.monotonic() - started)
    parameters = sum(parameter.numel() for parameter in built.network.parameters())
    refusal, cells = None, tuple[Cell, ...]()
    with tempfile.TemporaryDirectory(prefix="samesight-") as name:
        folder = Path(name)
        compared = normalised(images[:COMPARED], built.spec)
        targets = choose(built.spec.name, wishes.formats, wishes.precisions)
        suffixes = {target.format.suffix[1:] for target in targets} if wishes.plain else ()
        plain = plain_results(built.network, compared, built.spec, folder, suffixes)
        try:
            (folder / "source").mkdir()
            source = open_in_memory(built.network, built.spec, images, folder / "source")
            outcome = convert_source(source, folder / "bundle", wishes.formats, wishes.precisions)
            cells = _cells(outcome, targets)
        except SamesightError as refused:
            refusal = first_line(refused)
    return Result(
        title=row.title,
        key=key,
        parameters=parameters,
        published=built.published,
        seconds=round(time.monotonic() - started, 1),
        error=refusal,
        cells=cells,
        plain=plain,
    )


def _cells(outcome: Outcome, targets: tuple[Target, ...]) -> tuple[Cell, ...]:
    """A cell per artifact that was asked for, in the order of the targets."""
    from samesight.conversion.parity.verify import verify_bundle

    verdicts = {verdict.name: verdict for verdict in verify_bundle(outcome.bundle).artifacts}
    cells = []
    for target in targets:
        if target.name in verdicts:
            cells.append(_judged(verdicts[target.name], target, outcome.seconds.get(target.name)))
        else:
            reason = outcome.failures.get(target.name, "was not made")
            cells.append(
                Cell(suffix=target.format.suffix[1:], precision=target.precision, state="failed", reason=reason)
            )
    return tuple(cells)


def _judged(verdict: Verdict, target: Target, seconds: float | None) -> Cell:
    ran = verdict.passed is not None and bool(verdict.roles)
    return Cell(
        suffix=target.format.suffix[1:],
        precision=target.precision,
        state="pass" if verdict.passed else "fail" if ran else "failed",
        reason="" if verdict.passed else verdict.reason.partition(";")[0],
        snr_db=verdict.snr_db,
        agreement=verdict.agreement,
        bytes=verdict.bytes,
        seconds=None if seconds is None else round(seconds, 1),
    )


def formats() -> tuple[tuple[str, str], ...]:
    """(suffix, precision) of each column, in the table's order."""
    return tuple((row.suffix[1:], precision) for row in FORMATS.values() for precision in row.standard)


def main(arguments: list[str]) -> None:
    """Judge one architecture and write its result."""
    title, folder, key, wishes = arguments
    write_result(Path(folder), judge(ARCHITECTURES[title], key, Wishes.model_validate_json(wishes)))


if __name__ == "__main__":
    main(sys.argv[1:])
