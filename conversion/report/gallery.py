"""Images with the answers of the server model and of every artifact side by side, as values for the template."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from samesight.contract.answers import Answer, answers
from samesight.contract.gates import gate_for
from samesight.contract.golden import GoldenCase
from samesight.contract.orientation import UPRIGHT, Orientation
from samesight.contract.preprocess import geometry
from samesight.contract.spec import ModelSpec
from samesight.conversion.report.panels import Box, Panel, Shown
from samesight.conversion.report.tasks import DRAWINGS
from samesight.conversion.report.text import TIMES
from samesight.conversion.tasks import TASKS
from samesight.datasets.example import LabelledImage

LOSSLESS_BYTES = 16_000
LARGEST_SIDE = 360
PIXELATED_SIDE = 48
DIFFERENCES = 6


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
        """How many artifacts answer differently from the server model."""
        return sum(panel.same is False for panel in self.artifacts)


SERVER = Shown(-1, "server model", "fp32", None, "")


def golden_shots(cases: Sequence[GoldenCase], shown: Sequence[Shown], spec: ModelSpec) -> list[Shot]:
    """One shot per golden case; those on which artifacts differ most come first, then by their number."""
    shots = [_golden_shot(number, case, shown, spec) for number, case in enumerate(cases)]
    return sorted(shots, key=lambda shot: (-shot.differing, shot.id))


def _golden_shot(number: int, case: GoldenCase, shown: Sequence[Shown], spec: ModelSpec) -> Shot:
    picture, drawing = case.picture, DRAWINGS[spec.task]
    mapping = geometry(picture.width, picture.height, picture.orientation, spec.input)
    upright = picture.upright()
    height, width = upright.shape[:2]
    server_answers = answers(case.outputs, spec, mapping, upright=True)
    panels = []
    for artifact in shown:
        outputs = artifact.record.outputs if artifact.record and artifact.ran else []
        if number >= len(outputs):
            panels.append(Panel(artifact.number, artifact.name, None, artifact.why_not))
            continue
        artifact_answers = answers(outputs[number], spec, mapping, upright=True)
        panels.append(drawing.panel(artifact, server_answers, artifact_answers, (width, height)))
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
        server=drawing.panel(SERVER, server_answers, server_answers, (width, height)),
        artifacts=tuple(panels),
    )


def difference_shots(
    examples: Sequence[LabelledImage], server_answers: Sequence[Sequence[Answer]], shown: Shown, spec: ModelSpec
) -> tuple[list[Shot], int]:
    """Test images on which one artifact answers differently from the server model: the first few, and their number."""
    if shown.record is None or not shown.ran:
        return [], 0
    iou = gate_for(shown.precision, "cpu").iou
    task = TASKS[spec.task]
    pairs = [
        (task.shown_answers(a, spec), task.shown_answers(b, spec))
        for a, b in zip(server_answers[:: shown.record.step], shown.record.test, strict=True)
    ]
    counts = [task.agree(a, b, iou) for a, b in pairs]
    differing = [index for index, count in enumerate(counts) if len(count.pairs) < count.all]
    step = shown.record.step
    shots = [
        _test_shot(index * step, examples[index * step], *pairs[index], shown, spec)
        for index in differing[:DIFFERENCES]
    ]
    return shots, len(differing)


def _test_shot(
    index: int,
    example: LabelledImage,
    server_answers: Sequence[Answer],
    artifact_answers: Sequence[Answer],
    shown: Shown,
    spec: ModelSpec,
) -> Shot:
    pixels = example.pixels
    height, width = pixels.shape[:2]
    size = (width, height)
    drawing = DRAWINGS[spec.task]
    truth, true_boxes = drawing.truth(example, spec, size)
    return Shot(
        id=f"test-{index:05d}",
        title=f"Test image {example.name}",
        notes=(f"{width} {TIMES} {height}",),
        uri=data_uri(pixels),
        width=width,
        height=height,
        pixelated=max(size) <= PIXELATED_SIDE,
        server=drawing.panel(SERVER, server_answers, server_answers, size),
        artifacts=(drawing.panel(shown, server_answers, artifact_answers, size),),
        truth=truth,
        true_boxes=true_boxes,
    )


def _turned(orientation: Orientation) -> str:
    turns = f"turned {90 * orientation.quarter_turns}°" if orientation.quarter_turns else ""
    return "stored " + " and ".join(filter(None, (turns, "mirrored" if orientation.mirrored else "")))


def data_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """An upright image [H, W, 3] for the page: a PNG where that is small, otherwise a JPEG of high quality.

    Larger images are reduced; boxes need no change, because drawings use the pixel coordinates of the full image.
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
