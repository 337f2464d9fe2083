"""Golden cases: images with the expected input tensors, outputs and answers, in files that need only a JSON parser.

`golden/cases.json` lists the cases. Beside it, per case NNN: `NNN.png` for people (with the orientation as EXIF);
`NNN.rgb` (width and height as unsigned 32-bit little-endian, then RGB bytes, rows from the top) and for some
`NNN.nv12`, `NNN.nv21` or `NNN.i420` for programs; `NNN.input` (uint8, height x width x channels, before packing);
`NNN.<role>` (float32 little-endian).
"""

import io
import math
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field

from samesight.contract.answers import Answer
from samesight.contract.documents import Count, Document, Int32, Strict, read_document
from samesight.contract.errors import SamesightError
from samesight.contract.files import check_plain
from samesight.contract.image import Picture
from samesight.contract.limits import GOLDEN_CASES, GOLDEN_FILE_BYTES
from samesight.contract.manifest import BundlePath
from samesight.contract.orientation import Orientation
from samesight.contract.spec import Role
from samesight.contract.yuv import Matrix, Range

FOLDER = "golden"
CASES = "golden/cases.json"
ORIENTATION_TAG = 0x0112
RGB_HEADER = struct.Struct("<II")

YuvLayout = Literal["i420", "nv12", "nv21"]


@dataclass(frozen=True)
class Yuv:
    """Camera bytes that contract arithmetic turns into exactly the case's RGB image (tight rows)."""

    layout: YuvLayout
    matrix: Matrix
    range: Range
    data: bytes


@dataclass(frozen=True)
class GoldenCase:
    """One image with the server model's outputs and answers.

    Attributes:
        id: three digits.
        picture: the image as stored, and how it is turned upright.
        yuv: the same image as camera bytes, for some cases.
        tensor: uint8 [height, width, channels], the network's input before packing.
        outputs: per role the server model's raw output, float32, with the batch of 1.
        answers: the server model's answers; boxes in pixels of the stored image.
    """

    id: str
    picture: Picture
    yuv: Yuv | None
    tensor: npt.NDArray[np.uint8]
    outputs: dict[Role, npt.NDArray[np.float32]]
    answers: tuple[Answer, ...]


class _Array(Strict):
    path: BundlePath
    shape: Annotated[tuple[Count, ...], Field(max_length=8)]


class _Yuv(Strict):
    path: BundlePath
    layout: YuvLayout
    matrix: Matrix
    range: Range


class StoredAnswer(Strict):
    """An answer in a file; the box in pixels of the stored image."""

    label: str
    index: Int32
    score: float
    box: tuple[float, float, float, float] | None

    @classmethod
    def of(cls, answer: Answer) -> "StoredAnswer":
        """The stored form of an answer."""
        return cls(label=answer.label, index=answer.index, score=answer.score, box=answer.box)

    def answer(self) -> Answer:
        """The answer that was stored."""
        return Answer(self.label, self.index, self.score, self.box)


class _Case(Strict):
    id: str
    picture: BundlePath
    image: BundlePath
    width: Count
    height: Count
    quarter_turns: Annotated[int, Field(ge=0, le=3)]
    mirrored: bool
    yuv: _Yuv | None
    input: _Array
    outputs: dict[Role, _Array]
    answers: tuple[StoredAnswer, ...]


class _Cases(Document):
    schema_version: Literal[1] = 1
    cases: Annotated[tuple[_Case, ...], Field(max_length=GOLDEN_CASES)]


def write_cases(bundle: Path, cases: Sequence[GoldenCase]) -> None:
    """Write all cases below `bundle`/golden, which must not exist yet."""
    (bundle / FOLDER).mkdir()
    document = _Cases(cases=tuple(_write_case(bundle, case) for case in cases))
    (bundle / CASES).write_text(document.to_json(), encoding="utf-8")


def read_cases(bundle: Path) -> list[GoldenCase]:
    """Read all cases of a bundle whose files were checked against its manifest.

    Raises:
        SamesightError: cases.json contradicts itself or the files it names.
    """
    return [_read_case(bundle, case) for case in read_document(_Cases, bundle / CASES).cases]


def _write_case(bundle: Path, case: GoldenCase) -> _Case:
    def write(suffix: str, data: bytes) -> str:
        path = f"{FOLDER}/{case.id}.{suffix}"
        (bundle / path).write_bytes(data)
        return path

    pixels = case.picture.pixels
    height, width = pixels.shape[:2]
    png = io.BytesIO()
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = case.picture.orientation.exif
    Image.fromarray(pixels).save(png, format="PNG", exif=exif)
    yuv = case.yuv
    return _Case(
        id=case.id,
        picture=write("png", png.getvalue()),
        image=write("rgb", RGB_HEADER.pack(width, height) + pixels.tobytes()),
        width=width,
        height=height,
        quarter_turns=case.picture.orientation.quarter_turns,
        mirrored=case.picture.orientation.mirrored,
        yuv=None
        if yuv is None
        else _Yuv(path=write(yuv.layout, yuv.data), layout=yuv.layout, matrix=yuv.matrix, range=yuv.range),
        input=_Array(path=write("input", case.tensor.tobytes()), shape=case.tensor.shape),
        outputs={
            role: _Array(path=write(role, array.astype("<f4").tobytes()), shape=array.shape)
            for role, array in case.outputs.items()
        },
        answers=tuple(StoredAnswer.of(answer) for answer in case.answers),
    )


def _read_case(bundle: Path, case: _Case) -> GoldenCase:
    yuv, width, height = case.yuv, case.width, case.height
    return GoldenCase(
        id=case.id,
        picture=Picture(_read_pixels(bundle, case), Orientation(case.quarter_turns, case.mirrored)),
        yuv=None if yuv is None else Yuv(yuv.layout, yuv.matrix, yuv.range, _read_yuv(bundle, yuv, width, height)),
        tensor=_read_array(bundle, case.input, "u1"),
        outputs={role: _read_array(bundle, array, "<f4") for role, array in case.outputs.items()},
        answers=tuple(stored.answer() for stored in case.answers),
    )


def _read_pixels(bundle: Path, case: _Case) -> npt.NDArray[np.uint8]:
    path, shape = bundle / case.image, (case.height, case.width, 3)
    with _opened(path) as file:
        header = file.read(RGB_HEADER.size)
        if len(header) < RGB_HEADER.size or RGB_HEADER.unpack(header) != (case.width, case.height):
            raise SamesightError(f"{path}: its size is not that of {CASES}; make the bundle anew")
        return _read_values(path, file, "u1", shape, RGB_HEADER.size)


def _read_yuv(bundle: Path, yuv: _Yuv, width: int, height: int) -> bytes:
    samples = width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
    path = bundle / yuv.path
    with _opened(path) as file:
        return _read_values(path, file, "u1", (samples,)).tobytes()


def _read_array(bundle: Path, array: _Array, dtype: str) -> npt.NDArray[Any]:
    path = bundle / array.path
    with _opened(path) as file:
        return _read_values(path, file, dtype, array.shape)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with check_plain(path).open("rb") as file:
            yield file
    except OSError as error:
        raise SamesightError(f"{path}: {error.strerror or error}, but {CASES} names it; make the bundle anew") from None


def _read_values(path: Path, file: BinaryIO, dtype: str, shape: tuple[int, ...], before: int = 0) -> npt.NDArray[Any]:
    """An array after `before` bytes of a file, which ends with it; of a file of another length nothing is read."""
    item, present = np.dtype(dtype).itemsize, os.fstat(file.fileno()).st_size - before
    expected = math.prod(shape) * item
    if expected != present or present + before > GOLDEN_FILE_BYTES:
        raise SamesightError(f"{path}: has {present // item} values, {CASES} says {shape}; make the bundle anew")
    return np.frombuffer(file.read(expected), dtype).reshape(shape)
