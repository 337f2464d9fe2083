"""Images with the answers of the server model and of every artifact side by side, as numbers to be drawn."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from samesight.contract.answers import Answer, answers
from samesight.contract.detection import iou_matrix
from samesight.contract.gates import GATES
from samesight.contract.golden import GoldenCase
from samesight.contract.orientation import UPRIGHT, Orientation
from samesight.contract.preprocess import geometry
from samesight.contract.spec import ModelSpec
from samesight.conversion.parity.run import Record
from samesight.conversion.parity.snr import boxes_of
from samesight.conversion.report.text import TIMES, plural

LOSSLESS_BYTES = 16_000
LARGEST_SIDE = 360
PIXELATED_SIDE = 48
LABELS = 3
MOST_BOXES = 40
DIFFERENCES = 6


@dataclass(frozen=True)
class Box:
    """One box in pixels of the upright image, with the place of its label.

    kind: `same` as one of the server model's; `extra` has no counterpart there; `missing` is the server model's alone.
    """

    x: float
    y: float
    width: float
    height: float
    label: str
    score: str
    kind: Literal["same", "extra", "missing", "truth"]
    text_x: float
    text_y: float
    anchor: Literal["start", "end"]


@dataclass(frozen=True)
class Line:
    """One ranked label."""

    label: str
    score: str
    share: float


@dataclass(frozen=True)
class Panel:
    """What one model answers on one image.

    Attributes:
        number: the artifact's row; -1 is the server model.
        same: whether it answers as the server model does; None where it gave no answer, and `note` says why.
    """

    number: int
    name: str
    same: bool | None
    note: str
    lines: tuple[Line, ...] = ()
    boxes: tuple[Box, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class Shot:
    """One image with all panels; `artifacts` in the order of the artifacts' rows."""

    id: str
    title: str
    notes: tuple[str, ...]
    uri: str
    width: int
    height: int
    pixelated: bool
    server: Panel
    artifacts: tuple[Panel, ...]
    truth: str = ""
    true_boxes: tuple[Box, ...] = ()

    @property
    def unit(self) -> float:
        """A hundredth of the longer side: line widths and letters are multiples of it."""
        return max(self.width, self.height) / 100

    @property
    def differing(self) -> int:
        """How many artifacts answer otherwise than the server model."""
        return sum(panel.same is False for panel in self.artifacts)


@dataclass(frozen=True)
class Shown:
    """One artifact of the gallery: its outputs and answers, or why it has none."""

    number: int
    name: str
    precision: str
    record: Record | None
    why_not: str

    @property
    def ran(self) -> bool:
        """Whether it ran to the end."""
        return self.record is not None and self.record.broke is None


SERVER = Shown(-1, "server model", "fp32", None, "")


def golden_shots(cases: Sequence[GoldenCase], shown: Sequence[Shown], spec: ModelSpec) -> list[Shot]:
    """One shot per golden case; those on which artifacts differ most come first, then by their number."""
    shots = [_golden_shot(number, case, shown, spec) for number, case in enumerate(cases)]
    return sorted(shots, key=lambda shot: (-shot.differing, shot.id))


def _golden_shot(number: int, case: GoldenCase, shown: Sequence[Shown], spec: ModelSpec) -> Shot:
    picture = case.picture
    mapping = geometry(picture.width, picture.height, picture.orientation, spec.input)
    upright = picture.upright()
    height, width = upright.shape[:2]
    served = answers(case.outputs, spec, mapping, upright=True)
    panels = []
    for artifact in shown:
        outputs = artifact.record.outputs if artifact.record and artifact.ran else []
        if number >= len(outputs):
            panels.append(Panel(artifact.number, artifact.name, None, artifact.why_not))
            continue
        given = answers(outputs[number], spec, mapping, upright=True)
        panels.append(_panel(artifact, served, given, (width, height)))
    notes = [f"{picture.width} {TIMES} {picture.height}"]
    notes += [_turned(picture.orientation)] if picture.orientation != UPRIGHT else []
    notes += [f"{case.yuv.layout.upper()} frame, {case.yuv.matrix}, {case.yuv.range}"] if case.yuv else []
    return Shot(
        id=f"golden-{case.id}",
        title=f"Golden case {case.id}",
        notes=tuple(notes),
        uri=data_uri(upright),
        width=width,
        height=height,
        pixelated=max(width, height) <= PIXELATED_SIDE,
        server=_panel(SERVER, served, served, (width, height)),
        artifacts=tuple(panels),
    )


def difference_shots(
    examples: Sequence[Any], served: Sequence[Sequence[Answer]], shown: Shown, spec: ModelSpec
) -> tuple[list[Shot], int]:
    """Test images on which one artifact answers otherwise than the server model: the first few, and how many in all."""
    if shown.record is None or not shown.ran:
        return [], 0
    iou = GATES[shown.precision].iou
    pairs = [(confident(a, spec), confident(b, spec)) for a, b in zip(served, shown.record.test, strict=True)]
    differing = [i for i, (a, b) in enumerate(pairs) if not all(_matched(a, b, iou, spec))]
    shots = [_test_shot(index, examples[index], *pairs[index], shown, spec) for index in differing[:DIFFERENCES]]
    return shots, len(differing)


def _test_shot(
    index: int, example: Any, served: Sequence[Answer], given: Sequence[Answer], shown: Shown, spec: ModelSpec
) -> Shot:
    pixels = example.pixels
    height, width = pixels.shape[:2]
    size = (width, height)
    true_boxes: tuple[Box, ...] = ()
    truth = ""
    if spec.task == "classification":
        truth = spec.labels[example.label]
    else:
        labels = [spec.labels[label] for label in example.labels.tolist()]
        pairs = zip(example.boxes.tolist(), labels, strict=True)
        true_boxes = tuple(_box(tuple(box), label, "", "truth", size) for box, label in pairs)
    return Shot(
        id=f"test-{index:05d}",
        title=f"Test image {example.name}",
        notes=(f"{width} {TIMES} {height}",),
        uri=data_uri(pixels),
        width=width,
        height=height,
        pixelated=max(size) <= PIXELATED_SIDE,
        server=_panel(SERVER, served, served, size),
        artifacts=(_panel(shown, served, given, size),),
        truth=truth,
        true_boxes=true_boxes,
    )


def confident(given: Sequence[Answer], spec: ModelSpec) -> list[Answer]:
    """The answers that reach the model's own threshold: metrics are measured with weaker ones too."""
    least = spec.detection.score_threshold if spec.detection else 0.0
    return [answer for answer in given if answer.box is None or answer.score >= least]


def _panel(shown: Shown, served: Sequence[Answer], given: Sequence[Answer], size: tuple[int, int]) -> Panel:
    if not any(answer.box for answer in (*served, *given)):
        same = [answer.index for answer in served[:1]] == [answer.index for answer in given[:1]]
        lines = tuple(Line(a.label, f"{a.score:.3f}", min(max(a.score, 0.0), 1.0)) for a in given[:LABELS])
        note = "nothing found" if not served and not given else "same answer" if same else "another answer"
        return Panel(shown.number, shown.name, same, note, lines)
    here, there = match_boxes(served, given, GATES[shown.precision].iou)
    boxes = [_answer_box(a, "same" if there[i] else "extra", size) for i, a in enumerate(given[:MOST_BOXES])]
    boxes += [_answer_box(a, "missing", size) for i, a in enumerate(served[:MOST_BOXES]) if not here[i]]
    extra, missing = there.count(False), here.count(False)
    found = [f"{missing} missing"] if missing else []
    found += [f"{extra} extra"] if extra else []
    note = ", ".join(found) or ("same " + plural(len(given), "box", "boxes"))
    return Panel(shown.number, shown.name, not found, note, boxes=tuple(boxes), more=max(0, len(given) - MOST_BOXES))


def _matched(served: Sequence[Answer], given: Sequence[Answer], iou: float, spec: ModelSpec) -> list[bool]:
    if spec.task == "classification":
        return [[a.index for a in served[:1]] == [a.index for a in given[:1]]]
    here, there = match_boxes(served, given, iou)
    return here + there


def match_boxes(served: Sequence[Answer], given: Sequence[Answer], iou: float) -> tuple[list[bool], list[bool]]:
    """Which boxes have a counterpart, by the rule of `comparison.Agreement`: one to one, same label, IoU >= `iou`."""
    overlap = iou_matrix(boxes_of(served), boxes_of(given))
    here, there = [False] * len(served), [False] * len(given)
    for row, answer in enumerate(served):
        values = [
            overlap[row, column] if not there[column] and other.label == answer.label else -1.0
            for column, other in enumerate(given)
        ]
        best = int(np.argmax(values)) if values else -1
        if best >= 0 and values[best] >= iou:
            here[row], there[best] = True, True
    return here, there


def _answer_box(answer: Answer, kind: Literal["same", "extra", "missing"], size: tuple[int, int]) -> Box:
    assert answer.box is not None
    return _box(answer.box, answer.label, f"{answer.score:.2f}", kind, size)


def _box(
    corners: tuple[float, ...],
    label: str,
    score: str,
    kind: Literal["same", "extra", "missing", "truth"],
    size: tuple[int, int],
) -> Box:
    """The label stands above the box, or inside it at the image's upper edge, and does not leave the right edge."""
    x1, y1, x2, y2 = corners
    unit = max(size) / 100
    at_right = x1 > 0.6 * size[0]
    if kind == "missing":  # Below, because the box that came instead often lies over it.
        text_y = y2 + 5.6 * unit if y2 < size[1] - 7 * unit else y2 - 1.4 * unit
    else:
        text_y = y1 - 1.2 * unit if y1 > 8 * unit else y1 + 5.6 * unit
    return Box(
        *(round(x1, 2), round(y1, 2), round(x2 - x1, 2), round(y2 - y1, 2)),
        *(label, score, kind),
        text_x=round(min(x2, size[0] - unit) if at_right else max(x1, unit), 2),
        text_y=round(text_y, 2),
        anchor="end" if at_right else "start",
    )


def _turned(orientation: Orientation) -> str:
    turns = f"turned {90 * orientation.quarter_turns}°" if orientation.quarter_turns else ""
    return "stored " + " and ".join(filter(None, (turns, "mirrored" if orientation.mirrored else "")))


def data_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """An upright image [H, W, 3] for the page: a PNG where that is small, otherwise a JPEG of high quality.

    Larger images are reduced; boxes keep their places, because drawings count in pixels of the whole image.
    """
    image = Image.fromarray(pixels)
    if max(image.size) > LARGEST_SIDE:
        image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
    for kind, options in (("png", {"optimize": True}), ("jpeg", {"quality": 88, "subsampling": 0})):
        file = io.BytesIO()
        image.save(file, format=kind, **options)
        if kind == "jpeg" or file.tell() <= LOSSLESS_BYTES:
            break
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
