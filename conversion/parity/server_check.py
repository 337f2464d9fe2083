"""`verify --server`: compares a person's own server code with the contract, on the golden images.

The function runs in a process of its own (`server_process.py`), which reads image files (PNG, with the orientation as
EXIF) and writes the answers and, if the function returns it, the network's input.
"""

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from samesight.contract.answers import Answer
from samesight.contract.bundle import Bundle
from samesight.contract.documents import Document
from samesight.contract.errors import SamesightError
from samesight.contract.gates import gate_for
from samesight.contract.golden import GoldenCase
from samesight.contract.spec import Input, ModelSpec
from samesight.contract.tasks import TASKS
from samesight.conversion.normalisation import network_values
from samesight.conversion.parity.diagnosis import SAME_DB, SAME_SCORE, likely_cause, tensor_db
from samesight.conversion.parity.server_process import CURRENT, REFUSAL, RESULTS, TENSORS
from samesight.conversion.runners import runner_of
from samesight.conversion.runners.interface import LoadedModel
from samesight.conversion.runners.isolated import Runtimes
from samesight.conversion.runners.model import reference_artifact
from samesight.conversion.tasks.agreement import Agreement

Array = npt.NDArray[Any]
Kind = Literal["uint8", "float"]
PROCESS = "samesight.conversion.parity.server_process"


class Comparison(Document):
    """The result; `likely_cause` is set when `passed` is false and a known fault explains it.

    `tensor_kind`: uint8 is compared before normalisation, float after it.
    """

    schema_version: Literal[1] = 1
    server: str
    images: int
    tensor_kind: Kind | None
    tensor_db: float | None
    largest_difference: float | None
    agreement: float | None
    score_difference: float | None
    passed: bool
    likely_cause: str | None


def compare_server(bundle: Bundle, function: str) -> Comparison:
    """Run `module:function` on every golden image and compare with the server model behind the contract.

    Raises:
        SamesightError: it cannot be loaded, fails on an image, or returns something else than answers.
    """
    cases = bundle.golden_cases()
    return compare(bundle, cases, function, *_run(function, cases, bundle.spec))


def compare(
    bundle: Bundle, cases: Sequence[GoldenCase], function: str, predictions: list[list[Answer]], tensors: list[Array]
) -> Comparison:
    """Judge what `function` returned for the bundle's golden images: answers and, unless empty, the network's input."""
    spec = bundle.spec
    gate = gate_for("fp32", "cpu")
    agreement = Agreement(spec.task, gate.iou)
    for case, predicted in zip(cases, predictions, strict=True):
        agreement.add(case.answers, predicted)
    kind = _kind(tensors, function)
    input_db = largest = None
    if kind:
        input_tensors = [case.tensor for case in cases]
        expected = [t.astype(np.float32) if kind == "uint8" else network_values(t, spec.input) for t in input_tensors]
        floats = [np.asarray(tensor, np.float32) for tensor in tensors]
        input_db = tensor_db(expected, floats)
        largest = max(float(np.max(np.abs(a - b))) for a, b in zip(expected, floats, strict=True))
    same_tensor = input_db is None or input_db >= SAME_DB
    passed = (
        same_tensor
        and (agreement.share is None or agreement.share >= gate.agreement)
        and (agreement.score_difference or 0.0) <= SAME_SCORE
    )
    return Comparison(
        server=function,
        images=len(cases),
        tensor_kind=kind,
        tensor_db=input_db,
        largest_difference=largest,
        agreement=agreement.share,
        score_difference=agreement.score_difference,
        passed=passed,
        likely_cause=None
        if passed
        else likely_cause(cases, predictions, tensors, same_tensor, spec, lambda: reference_runner(bundle)),
    )


def print_comparison(comparison: Comparison) -> str:
    """The comparison in a few lines."""
    lines = [f"{comparison.server} on {comparison.images} golden images, compared with the contract:"]
    if comparison.tensor_db is not None:
        stage = "before normalisation, 0..255" if comparison.tensor_kind == "uint8" else "after normalisation"
        if comparison.largest_difference == 0:
            lines.append(f"  input tensor      exact ({stage})")
        else:
            lines.append(
                f"  input tensor     {comparison.tensor_db:6.1f} dB ({stage}; same from {SAME_DB:g} dB on), "
                f"largest difference {comparison.largest_difference:.4g}"
            )
    if comparison.agreement is not None:
        lines.append(f"  answers agree on {comparison.agreement:6.1%}")
    if comparison.score_difference is not None:
        lines.append(
            f"  their scores     {comparison.score_difference:6.4f} apart on average (same up to {SAME_SCORE:g})"
        )
    if not comparison.passed:
        lines.append(f"  different; {_reason(comparison)}")
    elif comparison.tensor_db is None:
        lines.append(
            "  the same answers; return the network's input beside them too: it shows faults that answers hide"
        )
    else:
        lines.append("  the same: your server and the phone see alike")
    return "\n".join(lines)


def _reason(comparison: Comparison) -> str:
    if comparison.likely_cause:
        return f"likely cause: {comparison.likely_cause}"
    if comparison.tensor_db is None:
        return "no known fault explains it; return the network's input beside the answers, then it is compared too"
    if comparison.tensor_db < SAME_DB:
        return "no known fault explains it; compare the input tensors step by step"
    if comparison.tensor_kind == "uint8":
        return (
            "the pixels before normalisation are right, so the fault lies in the normalisation, the network or after it"
        )
    return "the input tensor is right, so the fault lies after it: other weights, or the way from outputs to answers"


def reference_runner(bundle: Bundle) -> LoadedModel | None:
    """The fp32 artifact that loads fastest here, loaded."""
    artifact = reference_artifact(bundle)
    return Runtimes().load(runner_of(artifact.format), bundle.path(artifact), artifact) if artifact else None


def _run(function: str, cases: Sequence[GoldenCase], spec: ModelSpec) -> tuple[list[list[Answer]], list[Array]]:
    with tempfile.TemporaryDirectory(prefix="samesight-") as name:
        folder = Path(name)
        for case in cases:
            exif = Image.Exif()
            exif[0x0112] = case.picture.orientation.exif
            Image.fromarray(case.picture.pixels).save(folder / f"{case.id}.png", exif=exif)
        command = [sys.executable, "-P", "-m", PROCESS, function, str(Path.cwd()), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if (folder / REFUSAL).exists():
            raise SamesightError((folder / REFUSAL).read_text())
        if done.returncode or not (folder / RESULTS).exists():
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            message = lines[-1] if lines else f"exit code {done.returncode}"
            where = f" on golden/{(folder / CURRENT).read_text()}" if (folder / CURRENT).exists() else ""
            raise SamesightError(f"{function}: its process died{where}: {message}; mend it")
        results = json.loads((folder / RESULTS).read_text())
        arrays = np.load(io.BytesIO((folder / TENSORS).read_bytes()))
        tensors = [as_input(arrays[case.id], spec.input, function, case.id) for case in cases if case.id in arrays]
    if tensors and len(tensors) != len(cases):
        raise SamesightError(f"{function}: returned the input tensor for some images only; return it always or never")
    return [as_answers(results[case.id], spec, function, case.id) for case in cases], tensors


def _kind(tensors: list[Array], function: str) -> Kind | None:
    kinds: set[Kind] = {"uint8" if tensor.dtype == np.uint8 else "float" for tensor in tensors}
    if len(kinds) > 1:
        raise SamesightError(f"{function}: returned uint8 and float input tensors; return the same kind for each image")
    return next(iter(kinds), None)


def as_input(array: Array, spec: Input, function: str, case: str) -> Array:
    """The input tensor returned for a golden image, as [H, W, C]: uint8 stays uint8, other types become float32.

    Raises:
        SamesightError: its shape is not that of the network's input, or it holds values that are not finite.
    """
    problem = f"{function}: returned an input tensor {list(array.shape)} for golden/{case}.png"
    height, width, channels = shape = (spec.height, spec.width, spec.channel_count)
    squeezed = array[0] if array.ndim == 4 and len(array) == 1 else array
    if squeezed.ndim == 2 and channels == 1:
        squeezed = squeezed[:, :, None]
    if squeezed.shape == (channels, height, width) != shape:
        squeezed = squeezed.transpose(1, 2, 0)
    if squeezed.shape != shape:
        raise SamesightError(
            f"{problem}; the network takes [1, {channels}, {height}, {width}] or [1, {height}, {width}, {channels}]"
        )
    if squeezed.dtype == np.uint8:
        return np.ascontiguousarray(squeezed)
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(squeezed, np.float32)
    if not np.isfinite(values).all():
        raise SamesightError(f"{problem} that holds values that are not finite (NaN or infinity); mend it")
    return values


def as_answers(returned: Any, spec: ModelSpec, function: str, case: str) -> list[Answer]:
    """The value returned for a golden image, as answers.

    Raises:
        SamesightError: it is no list of answers, lacks a box where the task has boxes, or a number is not finite.
    """
    parsed, boxed = [], TASKS[spec.task].has_boxes
    try:
        for answer in returned:
            box = _box(answer["box"]) if boxed else None
            label, score = str(answer["label"]), float(answer["score"])
            if not np.isfinite([score, *(box or ())]).all():
                raise ValueError("not finite")
            parsed.append(Answer(label, spec.labels.index(label) if label in spec.labels else -1, score, box))
    except (KeyError, TypeError, ValueError, AttributeError):
        form = '"label": …, "score": …' + (', "box": [x1, y1, x2, y2]' if boxed else "")
        raise SamesightError(
            f"{function}: returned {str(returned)[:160]!r} for golden/{case}.png; return a list of "
            f"{{{form}}} with finite numbers (best first), or (that list, input tensor)"
        ) from None
    return parsed


def _box(coordinates: Any) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = map(float, coordinates)
    return x1, y1, x2, y2
