"""Runs a Core ML file on one image, for `samesight coreml run`."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from samesight.contract.answers import Answer, answers
from samesight.contract.errors import SamesightError
from samesight.contract.image import load_picture
from samesight.contract.preprocess import Geometry, preprocess
from samesight.contract.spec import ModelSpec, parse_spec
from samesight.contract.tasks import TASKS
from samesight.contract.tensor_layout import pack
from samesight.conversion.qparams import Float32
from samesight.conversion.runners.coreml.evaluator import Evaluator
from samesight.conversion.runners.coreml.image_input import ImageInput
from samesight.conversion.runners.coreml.package import SPEC_KEY, feed, outputs_by_role
from samesight.conversion.runners.coreml.pte_package import load_any
from samesight.conversion.runners.executorch import SPEC_KEY as PTE_SPEC_KEY
from samesight.conversion.runners.executorch import read_constant


@dataclass(frozen=True)
class Top:
    """One of the largest values of an output: its flat index, and the label where the file is a classifier."""

    index: int
    value: float
    label: str | None


@dataclass(frozen=True)
class Output:
    """Summary of one output."""

    name: str
    shape: tuple[int, ...]
    smallest: float
    largest: float
    mean: float
    top: tuple[Top, ...]


@dataclass(frozen=True)
class FileResult:
    """The result of one call. `answers` needs the spec that samesight writes into its packages."""

    file: Path
    image: Path
    outputs: Mapping[str, Float32]
    tops: tuple[Output, ...]
    answers: list[Answer] | None
    milliseconds: float

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        answers = (
            None if self.answers is None else [{"label": a.label, "score": a.score, "box": a.box} for a in self.answers]
        )
        outputs = [
            {
                "name": output.name,
                "shape": list(output.shape),
                "min": output.smallest,
                "max": output.largest,
                "mean": output.mean,
                "top": [asdict(top) for top in output.top],
            }
            for output in self.tops
        ]
        return {
            "file": str(self.file),
            "image": str(self.image),
            "outputs": outputs,
            "answers": answers,
            "milliseconds": self.milliseconds,
        }


def run_file(file: Path, image: Path, top: int = 5) -> FileResult:
    """Evaluate a `.mlpackage` or a Core ML `.pte` on an image file or a `.npy` array.

    Raises:
        SamesightError: either file cannot be read, or they do not fit each other.
    """
    evaluator = load_any(file)
    text = evaluator.metadata.get(SPEC_KEY) or (read_constant(file, PTE_SPEC_KEY) if file.suffix == ".pte" else None)
    spec = parse_spec(text, str(file)) if text else None
    geometry: Geometry | None = None
    if image.suffix == ".npy" or spec is None:
        inputs = _inputs(evaluator, image)
    else:
        tensor, geometry = preprocess(load_picture(image, spec.input.background), spec.input)
        inputs = feed(evaluator, tensor)
    started = time.perf_counter()
    outputs = evaluator(inputs)
    milliseconds = (time.perf_counter() - started) * 1000
    tops = tuple(_output(name, value, evaluator, spec, top) for name, value in outputs.items())
    file_answers = None
    if spec is not None and geometry is not None:
        file_answers = answers(outputs_by_role(evaluator, outputs, spec), spec, geometry)
    return FileResult(file, image, outputs, tops, file_answers, milliseconds)


def save_outputs(result: FileResult, target: Path) -> None:
    """Write all outputs as a `.npz` file.

    Raises:
        SamesightError: it cannot be written.
    """
    try:
        with target.open("wb") as stream:
            np.savez(stream, **dict(result.outputs))  # type: ignore[arg-type]  # numpy's stub has a keyword of its own
    except OSError as error:
        raise SamesightError(f"--save {target}: cannot be written ({error.strerror or error})") from None


def _inputs(evaluator: Evaluator, file: Path) -> dict[str, Any]:
    if len(evaluator.inputs) != 1:
        names = ", ".join(input_.declared.name for input_ in evaluator.inputs)
        raise SamesightError(
            f"{evaluator.path}: has several inputs ({names}); call conversion/runners/coreml/evaluator.py instead"
        )
    (input_,) = evaluator.inputs
    if file.suffix == ".npy":
        return {input_.declared.name: _array(file)}
    if input_.image is None:
        shape = list(input_.declared.shape or ())
        raise SamesightError(
            f"{evaluator.path}: input {input_.declared.name!r} is an array {shape}, not an image; "
            "give a .npy file in that shape"
        )
    return {input_.declared.name: stretched(load_picture(file).upright(), input_.image)}


def stretched(pixels: npt.NDArray[np.uint8], image: ImageInput) -> npt.NDArray[np.uint8]:
    """Upright RGB pixels uint8 [H, W, 3] resized (Pillow, bilinear) to an input's size, in its layout."""
    resized = Image.fromarray(pixels).resize((image.width, image.height), Image.Resampling.BILINEAR)
    if image.planes == 1:
        return np.asarray(resized.convert("L"))[None, :, :, None]
    return pack(np.asarray(resized), "bgra8_nhwc")


def _array(file: Path) -> npt.NDArray[Any]:
    try:
        array = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise SamesightError(f"{file}: not an array that numpy.save wrote ({error})") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise SamesightError(f"{file}: not one array of numbers; write it with numpy.save")
    return array


def _output(name: str, value: Float32, evaluator: Evaluator, spec: ModelSpec | None, top: int) -> Output:
    flat = value.reshape(-1)
    order = np.argsort(-flat, kind="stable")[:top]
    labels: tuple[str | int, ...] | None = None
    if evaluator.classifier is not None and name == evaluator.classifier.probabilities:
        labels = evaluator.classifier.classes
    elif spec is not None and not TASKS[spec.task].per_position and len(spec.labels) == flat.size:
        labels = tuple(spec.labels)
    largest = tuple(Top(int(index), float(flat[index]), str(labels[index]) if labels else None) for index in order)
    empty = flat.size == 0
    return Output(
        name,
        tuple(value.shape),
        0.0 if empty else float(flat.min()),
        0.0 if empty else float(flat.max()),
        0.0 if empty else float(flat.mean()),
        largest,
    )
