"""The report's figures of the test split: those of the task, and images on which answers differ."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from samesight.contract.spec import ModelSpec
from samesight.contract.verdicts import Verdict
from samesight.conversion.parity.run import TestSplit
from samesight.conversion.report.gallery import Shot, difference_shots
from samesight.conversion.report.panels import Shown
from samesight.conversion.report.tasks import DRAWINGS
from samesight.conversion.report.tasks.interface import SplitData, SplitDrawings


@dataclass(frozen=True)
class SplitFigures:
    """Figures of the test split for the server model and the artifact in focus; empty parts do not apply."""

    name: str
    images: int
    drawings: SplitDrawings = field(default_factory=SplitDrawings)
    differences: tuple[Shot, ...] = ()
    differing: int = 0


def split_figures(
    split: TestSplit, shown: Sequence[Shown], focus: int | None, verdicts: Sequence[Verdict], spec: ModelSpec
) -> SplitFigures:
    """The figures of the server model and of artifact number `focus`; only the number of images if it is None."""
    examples, server_answers = list(split.examples), split.server.answers(spec.labels)
    record = shown[focus].record if focus is not None else None
    if focus is None or record is None or not examples:
        return SplitFigures(split.name, len(examples))
    artifact = shown[focus]
    differences, differing = difference_shots(examples, server_answers, artifact, spec)
    data = SplitData(examples, server_answers, shown, artifact, verdicts, spec)
    return SplitFigures(
        name=split.name,
        images=len(examples),
        drawings=DRAWINGS[spec.task].split(data),
        differences=tuple(differences),
        differing=differing,
    )
