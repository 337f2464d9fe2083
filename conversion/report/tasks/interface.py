"""The parts of a report that depend on the task: the row type of the table `DRAWINGS`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from samesight.contract.answers import Answer
from samesight.contract.spec import ModelSpec
from samesight.contract.verdicts import Verdict
from samesight.conversion.report.charts import Plot
from samesight.conversion.report.panels import Box, Panel, Shown
from samesight.conversion.report.text import Fact
from samesight.datasets.example import LabelledImage

Size = tuple[int, int]
Answers = Sequence[Sequence[Answer]]


@dataclass(frozen=True)
class Cell:
    """One count of a confusion matrix; `weight` 0..1 of the largest in its row."""

    count: int
    weight: float
    right: bool


@dataclass(frozen=True)
class Confusion:
    """One model's answers per true class; `cells` is empty where there are too many classes to show."""

    title: str
    right: int
    images: int
    cells: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Mistake:
    """One confusion and how often each model makes it."""

    truth: str
    answer: str
    server: int
    artifact: int


@dataclass(frozen=True)
class Curve:
    """Precision over recall of one model: an SVG path, and the metric, which is its mean."""

    title: str
    kind: str
    path: str
    mean: str


@dataclass(frozen=True)
class SplitDrawings:
    """A task's drawings of the test split; empty parts do not apply."""

    confusions: tuple[Confusion, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    plot: Plot | None = None
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class SplitData:
    """The test split: its examples, the server model's answers, and the results of every artifact.

    `focus` is the artifact that is compared with the server model.
    """

    examples: Sequence[LabelledImage]
    server_answers: Answers
    shown: Sequence[Shown]
    focus: Shown
    verdicts: Sequence[Verdict]
    spec: ModelSpec


@dataclass(frozen=True)
class TaskDrawing:
    """One row of `DRAWINGS`.

    Attributes:
        facts: the facts in the model's spec that belong to this task.
        first_shots: how many golden cases are shown unfolded.
        panel: one model's answers on one image of a size, compared with the server model's.
        truth: the truth of a labelled image, in words and as boxes.
        split: figures of the test split.
        legend: whether boxes are drawn, which a legend explains.
        answering: ends the explanation of SNR; may be empty.
        agreement: what agreement means.
    """

    facts: Callable[[ModelSpec], list[Fact]]
    first_shots: int
    panel: Callable[[Shown, Sequence[Answer], Sequence[Answer], Size], Panel]
    truth: Callable[[LabelledImage, ModelSpec, Size], tuple[str, tuple[Box, ...]]]
    split: Callable[[SplitData], SplitDrawings]
    legend: bool
    answering: str
    agreement: str
