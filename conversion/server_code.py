"""`verify --server`: somebody's own server code against the contract, on the golden images.

Their function runs in a process of its own, which gets image files (PNG, with the orientation as EXIF) and gives back
answers and, if they return it, the network's input. `python -m conversion.server_code` is that process.
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

from contract.answers import Answer
from contract.bundle import Bundle
from contract.documents import Document
from contract.errors import SamesightError
from contract.golden import GoldenCase
from contract.spec import Input, ModelSpec
from conversion.comparison import Agreement
from conversion.diagnosis import SAME_DB, explain_answers, explain_tensor, tensor_db
from conversion.faults import network_values
from conversion.formats import FORMATS
from conversion.formats.interface import Runner
from conversion.gates import GATES

Float32 = npt.NDArray[np.float32]
DIAGNOSED = 12
SENTENCE_CODE = 3


class Comparison(Document):
    """What came of comparing; `likely_cause` is named when `passed` is false and a known fault explains it."""

    schema_version: Literal[1] = 1
    server: str
    images: int
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
    cases, spec = bundle.golden_cases(), bundle.spec
    given, tensors = _run(function, cases, spec)
    gate = GATES["fp32"]
    agreement = Agreement(gate.iou)
    for case, found in zip(cases, given, strict=True):
        agreement.add(case.answers, found)
    likeness = largest = None
    if tensors:
        expected = [network_values(case.tensor, spec.input) for case in cases]
        likeness = tensor_db(expected, tensors)
        largest = max(float(np.max(np.abs(a - b))) for a, b in zip(expected, tensors, strict=True))
    same_tensor = likeness is None or likeness >= SAME_DB
    passed = same_tensor and (agreement.share is None or agreement.share >= gate.agreement)
    return Comparison(
        server=function,
        images=len(cases),
        tensor_db=likeness,
        largest_difference=largest,
        agreement=agreement.share,
        score_difference=agreement.score_difference,
        passed=passed,
        likely_cause=None if passed else _cause(bundle, cases, given, tensors if not same_tensor else [], gate.iou),
    )


def print_comparison(comparison: Comparison) -> str:
    """The comparison in a few lines."""
    lines = [f"{comparison.server} on {comparison.images} golden images, compared with the contract:"]
    if comparison.tensor_db is not None:
        lines.append(
            f"  input tensor     {comparison.tensor_db:6.1f} dB (same from {SAME_DB:g} dB on), "
            f"largest difference {comparison.largest_difference:.4g}"
        )
    if comparison.agreement is not None:
        lines.append(f"  answers agree on {comparison.agreement:6.1%}")
    if comparison.passed:
        lines.append("  the same: your server and the phone see alike")
    else:
        cause = comparison.likely_cause or "no known fault explains it; compare the input tensors step by step"
        lines.append(f"  different; likely cause: {cause}")
    return "\n".join(lines)


def _cause(
    bundle: Bundle, cases: Sequence[GoldenCase], given: list[list[Answer]], tensors: list[Float32], iou: float
) -> str | None:
    chosen = slice(0, DIAGNOSED)
    pictures = [case.picture for case in cases[chosen]]
    if tensors:
        return explain_tensor(pictures, tensors[chosen], bundle.spec.input)
    runner = _reference(bundle)
    return explain_answers(pictures, given[chosen], bundle.spec, runner, iou) if runner else None


def _reference(bundle: Bundle) -> Runner | None:
    """The fp32 artifact that loads fastest here."""
    for name in ("onnx", "litert", "exported", "torchscript", "executorch"):
        for artifact in bundle.manifest.artifacts:
            if (artifact.format, artifact.precision) == (name, "fp32"):
                return FORMATS[name].load_module().load(bundle.path(artifact), artifact)
    return None


def _run(function: str, cases: Sequence[GoldenCase], spec: ModelSpec) -> tuple[list[list[Answer]], list[Float32]]:
    with tempfile.TemporaryDirectory(prefix="samesight-") as name:
        folder = Path(name)
        for case in cases:
            exif = Image.Exif()
            exif[0x0112] = case.picture.orientation.exif
            Image.fromarray(case.picture.pixels).save(folder / f"{case.id}.png", exif=exif)
        command = [sys.executable, "-m", "conversion.server_code", function, str(Path.cwd()), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            said = lines[-1] if lines else f"exit code {done.returncode}"
            raise SamesightError(said if done.returncode == SENTENCE_CODE else f"{function}: its process died: {said}")
        results = json.loads((folder / "results.json").read_text())
        arrays = np.load(io.BytesIO((folder / "tensors.npz").read_bytes()))
        tensors = [_as_input(arrays[case.id], spec.input, function) for case in cases if case.id in arrays]
    if tensors and len(tensors) != len(cases):
        raise SamesightError(f"{function}: returned the input tensor for some images only; return it always or never")
    return [_as_answers(results[case.id], spec, function) for case in cases], tensors


def _as_input(array: npt.NDArray[Any], spec: Input, function: str) -> Float32:
    """The network's input as float32 [H, W, C], whatever its layout."""
    shape = (spec.height, spec.width, spec.channel_count)
    squeezed = array[0] if array.ndim == 4 and len(array) == 1 else array
    if squeezed.ndim == 2 and spec.channel_count == 1:
        squeezed = squeezed[:, :, None]
    if squeezed.shape == shape:
        return np.asarray(squeezed, np.float32)
    if squeezed.shape == (shape[2], shape[0], shape[1]):
        return np.ascontiguousarray(squeezed.transpose(1, 2, 0), np.float32)
    raise SamesightError(
        f"{function}: returned an input tensor {list(array.shape)}; the network takes "
        f"[1, {shape[2]}, {shape[0]}, {shape[1]}] or [1, {shape[0]}, {shape[1]}, {shape[2]}]"
    )


def _as_answers(found: Any, spec: ModelSpec, function: str) -> list[Answer]:
    try:
        return [
            Answer(
                str(answer["label"]),
                spec.labels.index(str(answer["label"])) if str(answer["label"]) in spec.labels else -1,
                float(answer.get("score", 0.0)),
                _box(answer.get("box")),
            )
            for answer in found
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SamesightError(
            f"{function}: returned {str(found)[:80]!r}; return a list of "
            '{"label": …, "score": …, "box": [x1, y1, x2, y2]} (best first), or (that list, input tensor)'
        ) from None


def _box(given: Any) -> tuple[float, float, float, float] | None:
    if given is None:
        return None
    x1, y1, x2, y2 = map(float, given)
    return x1, y1, x2, y2


def serve(function: str, folder: Path, images: Path) -> None:
    """Call the function on every image; write `results.json` and `tensors.npz` beside them."""
    from conversion.function import load_function

    called = load_function(function, folder)
    results: dict[str, Any] = {}
    tensors: dict[str, npt.NDArray[Any]] = {}
    for path in sorted(images.glob("*.png")):
        try:
            returned = called(str(path))
        except Exception as error:
            raise SamesightError(f"{function}: failed on a golden image: {type(error).__name__}: {error}") from error
        found, tensor = returned if isinstance(returned, tuple) and len(returned) == 2 else (returned, None)
        results[path.stem] = found
        if tensor is not None:
            tensors[path.stem] = np.asarray(tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else tensor)
    (images / "results.json").write_text(json.dumps(results, default=_plain))
    np.savez(images / "tensors.npz", allow_pickle=False, **tensors)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


if __name__ == "__main__":
    try:
        serve(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except SamesightError as error:
        print(error, file=sys.stderr)
        sys.exit(SENTENCE_CODE)
