"""Golden cases, and the server model's answers on the whole test split: made once per conversion, in a worker."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from samesight.contract.answers import Answer, answers
from samesight.contract.errors import SamesightError
from samesight.contract.golden import GoldenCase, Yuv, write_cases
from samesight.contract.image import Picture, load_picture
from samesight.contract.orientation import UPRIGHT, Orientation
from samesight.contract.preprocess import preprocess
from samesight.contract.random_images import Generator
from samesight.contract.spec import ModelSpec
from samesight.contract.yuv import Layout, Matrix, Range, rgb_to_yuv420, yuv420_from_bytes, yuv420_to_rgb
from samesight.conversion.qparams import UInt8
from samesight.conversion.sources.calibration import calibration_tensors, other_kind_note
from samesight.conversion.sources.server_model import ServerModel
from samesight.conversion.sources.source import TestData
from samesight.conversion.tasks import TASKS
from samesight.conversion.tasks.bootstrap import metric_value
from samesight.conversion.workflow.server_answers import FILE, ServerAnswers, fingerprint_of, server_answers
from samesight.datasets import Example, open_data
from samesight.datasets.damaged import readable

CASES = 32
COMPARED_IMAGES = 32
"""Of the calibration and of the test images, to say where they are of different kinds."""
BUDGET_BYTES = 18_000_000
# Longer sides, in turn, so that images are enlarged, reduced and left alone; odd ones for the halves of YUV frames.
LONGER_SIDES = (None, 320, 97, 200, 161)
LARGEST = 320
TINTS = ((255, 235, 205), (205, 235, 255), (230, 255, 210), (255, 215, 240))
# Every fourth case is stored turned or mirrored, every fourth is a camera frame, and some are both.
ORIENTATIONS = tuple(Orientation(turns, mirrored) for mirrored in (False, True) for turns in (0, 1, 2, 3))[1:]
FRAMES = tuple(
    (layout, matrix, range_) for range_ in get_args(Range) for matrix in get_args(Matrix) for layout in get_args(Layout)
)


def make_cases(server: ServerModel, images: Sequence[Callable[[], UInt8]]) -> list[GoldenCase]:
    """Golden cases from images spread evenly over `images`, as many as `BUDGET_BYTES` allows, at most `CASES`.

    Args:
        server: computes the expected outputs.
        images: each returns uint8 [H, W, 3], RGB, upright.
    """
    count = min(CASES, len(images))
    cases: list[GoldenCase] = []
    total = 0
    for number in range(count):
        case = _make_case(server, images[number * len(images) // count](), number)
        total += _size(case)
        if cases and total > BUDGET_BYTES:
            break
        cases.append(case)
    return cases


def answer_split(server: ServerModel, examples: Sequence[Example]) -> ServerAnswers:
    """The server model's answers on labelled images, and its metric there."""
    spec = TASKS[server.spec.task].ranking_spec(server.spec)
    predictions = [answer_upright(server, spec, example.pixels) for example in examples]
    return server_answers(spec, metric_value(predictions, examples, spec), predictions, fingerprint_of(examples))


def answer_upright(server: ServerModel, spec: ModelSpec, pixels: UInt8) -> list[Answer]:
    """Answers to an upright image under a spec that may have other thresholds than the server's own."""
    tensor, geometry = preprocess(Picture(pixels, UPRIGHT), spec.input)
    return answers(server.outputs(tensor), spec, geometry)


def write_goldens(folder: Path, server: ServerModel, data: TestData | None, calibration: Sequence[Path]) -> str:
    """Write golden cases, and server.json where there is test data, into an empty folder.

    The cases show test images; without test data, or where it cannot be had here, they show the calibration images.

    Returns:
        Why the test data was left out, or that calibration images are unlike it, or nothing.

    Raises:
        SamesightError: an image is damaged.
    """
    test, note = _test_split(data, server.spec)
    background = server.spec.input.background
    if test is None:
        pictures = [partial(_load_upright, path, background) for path in calibration]
    else:
        pictures = [partial(_pixels, test, index) for index in range(len(test))]
        (folder / FILE).write_text(answer_split(server, test).to_json(), encoding="utf-8")
        note = _kind_note(test, calibration, server.spec)
    write_cases(folder, make_cases(server, pictures))
    return note


def _kind_note(test: Sequence[Example], calibration: Sequence[Path], spec: ModelSpec) -> str:
    if not calibration:
        return ""
    every = max(1, len(test) // COMPARED_IMAGES)
    tensors = [preprocess(Picture(test[index].pixels, UPRIGHT), spec.input)[0] for index in range(0, len(test), every)]
    return other_kind_note(calibration_tensors(calibration[:COMPARED_IMAGES], spec.input), np.stack(tensors))


def _test_split(data: TestData | None, spec: ModelSpec) -> tuple[Sequence[Example] | None, str]:
    """The test images, or why there are none: a run may be converted where its data is not."""
    without = "so the golden cases show calibration images and there is no metric"
    if data is None:
        return None, ""
    try:
        opened = open_data(data.source, spec.task, data.seed)
    except SamesightError as error:
        return None, f"{error}; until then there is no test data, {without}"
    if opened.labels != spec.labels:
        return (
            None,
            f"{data.source}: its classes are {_some(opened.labels)}, the model's {_some(spec.labels)}, {without}",
        )
    return readable(opened.test) if data.skip_damaged else opened.test, ""


def _make_case(server: ServerModel, pixels: UInt8, number: int) -> GoldenCase:
    upright = _textured(_resized(_widened(pixels, number), LONGER_SIDES[number % len(LONGER_SIDES)]), number)
    turned = number % 4 == 3 or number % 12 == 5
    orientation = ORIENTATIONS[number // 4 % len(ORIENTATIONS)] if turned else UPRIGHT
    stored, yuv = stored_as(upright, orientation), None
    if number % 4 == 1:
        layout, matrix, range_ = FRAMES[number // 4 % len(FRAMES)]
        height, width = stored.shape[:2]
        data = rgb_to_yuv420(stored, layout, matrix, range_)
        stored = yuv420_to_rgb(yuv420_from_bytes(data, width, height, layout), matrix, range_)
        yuv = Yuv(layout, matrix, range_, data)
    picture = Picture(stored, orientation)
    tensor, geometry = preprocess(picture, server.spec.input)
    outputs = server.outputs(tensor)
    expected = tuple(answers(outputs, server.spec, geometry))
    return GoldenCase(f"{number:03d}", picture, yuv, tensor, outputs, expected)


def _widened(pixels: UInt8, number: int) -> UInt8:
    """Every third image with borders left and right, or above and below: square ones would hide a wrong framing."""
    if number % 3 != 1:
        return pixels
    height, width = pixels.shape[:2]
    down, across = (0, width // 5) if number % 2 else (height // 5, 0)
    return np.pad(pixels, ((down, down), (across, across), (0, 0)), mode="edge")


def _textured(pixels: UInt8, number: int) -> UInt8:
    """Every second image tinted, two of five with fine noise.

    Grey images would hide exchanged channels, smooth ones a resize without antialias.
    """
    levels = pixels.astype(np.int32)
    if number % 2:
        levels = levels * np.array(TINTS[number // 2 % len(TINTS)], np.int32) // 255
    if number % 5 in (1, 3):
        levels = levels + Generator(number).bytes(levels.size).reshape(levels.shape) // 5 - 25
    clipped: npt.NDArray[np.int32] = np.clip(levels, 0, 255)
    return clipped.astype(np.uint8)


def stored_as(upright: UInt8, orientation: Orientation) -> UInt8:
    """The stored image [H, W, 3] that `orientation` turns into `upright`."""
    mirrored = upright[:, ::-1] if orientation.mirrored else upright
    return np.ascontiguousarray(np.rot90(mirrored, orientation.quarter_turns))


def _resized(pixels: UInt8, longer: int | None) -> UInt8:
    """The image with `longer` pixels on its longer side; None leaves it, unless it is larger than any of ours."""
    current = max(pixels.shape[:2])
    target = longer or min(current, LARGEST)
    if target == current:
        return pixels
    height, width = (max(1, round(side * target / current)) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def _size(case: GoldenCase) -> int:
    """An upper bound of the bytes of the case's files: a PNG is hardly larger than its pixels."""
    outputs = sum(array.nbytes for array in case.outputs.values())
    frame = len(case.yuv.data) if case.yuv else 0
    return 2 * case.picture.pixels.nbytes + case.tensor.nbytes + outputs + frame


def _load_upright(path: Path, background: tuple[int, int, int]) -> UInt8:
    return load_picture(path, background).upright()


def _pixels(examples: Sequence[Example], index: int) -> UInt8:
    return examples[index].pixels


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
