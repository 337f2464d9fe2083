"""`verify FILE --against SOURCE`: a file that somebody else made, judged against the server model of a source.

The file says its shapes and types. Whether it takes pixels 0..255 or the values that the spec describes, and which of
its outputs is which, is found out: what comes nearest to the server model is judged.
"""

import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from samesight.contract.documents import Document
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.files import check_plain
from samesight.contract.gates import GATES, gate_for
from samesight.contract.golden import GoldenCase, read_cases
from samesight.contract.image import Picture
from samesight.contract.preprocess import Geometry
from samesight.contract.spec import ModelSpec, Role
from samesight.contract.verdicts import Verdict
from samesight.conversion.formats import find_format
from samesight.conversion.normalisation import affine_of, network_values
from samesight.conversion.parity.diagnosis import hypotheses, likely_cause
from samesight.conversion.parity.judge import judge
from samesight.conversion.parity.results import SLOW_BUDGET
from samesight.conversion.parity.run import Candidate, Outputs, Progress, TestSplit, run_candidates
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8
from samesight.conversion.runners import runner_of
from samesight.conversion.runners.foreign import ForeignModel
from samesight.conversion.sources.source import ModelSource
from samesight.conversion.workflow.reference import Reference, make_reference

Takes = Literal["pixels", "values"]
# For each of the spec's tensors, the number of an output, and whether that is a map in NHWC.
Order = tuple[tuple[int, bool], ...]
MAP = 4
TRIED = 4
# A fault that explains a file leaves no more of its error than this.
LEFT_BY_FAULT = 0.05
WORDS: dict[Takes, str] = {"pixels": "pixels 0..255", "values": "the values that the spec describes"}


class FileVerdict(Document):
    """The verdict on one file; `takes` and `outputs` are how it was understood. `likely_cause` names a known fault."""

    schema_version: Literal[1] = 1
    file: str
    against: str
    takes: Takes
    outputs: tuple[str, ...]
    verdict: Verdict
    likely_cause: str | None


def judge_file(
    path: Path,
    source: ModelSource,
    precision: str | None = None,
    progress: Progress = lambda done, total: None,
) -> FileVerdict:
    """Run a `.tflite`, `.onnx`, `.pte` or `.mlpackage` over golden cases of a source, and its test split if it has one.

    Args:
        path: the file, or folder.
        source: whose server model decides.
        precision: whose gates count; without it int8 for a file that computes with integers, else fp32.
        progress: of the images.

    Raises:
        UsageError: no such precision.
        SamesightError: the file does not load, or does not fit the spec; or the source has no server model.
    """
    if precision is not None and precision not in GATES:
        raise UsageError(f"unknown precision {precision!r}; choose among {', '.join(GATES)}")
    form = find_format(path.suffix) if path.suffix in (".tflite", ".onnx", ".pte", ".mlpackage") else None
    if form is None:
        raise SamesightError(f"{path}: is not judged by itself; give a .tflite, .onnx, .pte or .mlpackage")
    if not check_plain(path).exists():
        raise SamesightError(f"{path}: no such file; check it")
    runner = runner_of(form.name)
    if missing := runner.missing():
        raise SamesightError(f"{path}: {missing}")
    model = ForeignModel(path)
    check_input(path, model.shape, source.spec)
    with tempfile.TemporaryDirectory(prefix="samesight-") as name:
        reference = make_reference(source, Path(name))
        cases = read_cases(reference.folder)
        split = None
        if reference.answers and source.data:
            split = TestSplit(reference.examples, reference.answers, source.data.source)
        takes, order = understand(path, model, cases, source.spec)
        named, budgets = {"file": candidate(model, takes, order, source.spec)}, {}
        if not runner.timed:
            budgets = {"file": SLOW_BUDGET}
        record = run_candidates(named, source.spec, cases, split, progress, budgets=budgets)["file"]
        chosen = precision or ("int8" if model.quantized else "fp32")
        gate = gate_for(chosen, runner.unit)
        judgement = judge(record, source.spec, gate, cases, split)
        cause = None
        if not judgement.passed and record.error is None:
            server = partial(_as_model, reference)
            cause = input_fault(model, takes, order, cases, source.spec)
            cause = cause or likely_cause(cases, record.golden, [], True, source.spec, server)
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return FileVerdict(
        file=str(path),
        against=source.title,
        takes=takes,
        outputs=tuple(model.names[index] for index, _ in order),
        likely_cause=cause,
        verdict=Verdict(
            name=path.name,
            format=form.name,
            precision=chosen,
            unit=runner.unit,
            runner=runner.title,
            passed=judgement.passed,
            inconclusive=judgement.inconclusive,
            reason=judgement.reason,
            bytes=sum(file.stat().st_size for file in files),
            **{"cases": 0, **judgement.figures},
        ),
    )


@dataclass(frozen=True)
class _Server:
    """The server model as the diagnosis calls it."""

    run: Callable[[UInt8], dict[Role, Float32]]
    qparams: Mapping[Role, QuantParams] = field(default_factory=dict)

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs."""
        return self.run(tensor)

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """It quantizes nothing."""
        return {}


def _as_model(reference: Reference) -> _Server:
    return _Server(reference.server.outputs)


def check_input(path: Path, shape: Sequence[int], spec: ModelSpec) -> None:
    """Whether a file's input can be the spec's image; free sides (0 or less) fit.

    Raises:
        SamesightError: it cannot.
    """
    size = spec.input
    layouts = (
        (1, size.channel_count, size.height, size.width),
        (1, size.height, size.width, size.channel_count),
    )
    fits = any(
        len(shape) == len(layout)
        and all(side <= 0 or side == wanted for side, wanted in zip(shape, layout, strict=True))
        for layout in layouts
    )
    if not fits:
        raise SamesightError(
            f"{path}: takes {list(shape)}, but the spec says {list(layouts[0])} or {list(layouts[1])}; "
            "correct --spec, or give the file of that model"
        )


def understand(path: Path, model: ForeignModel, cases: Sequence[GoldenCase], spec: ModelSpec) -> tuple[Takes, Order]:
    """What the file takes and which outputs the spec's tensors are: the reading that is nearest to the server model.

    Raises:
        SamesightError: no choice of its outputs has the shapes that the spec describes.
    """
    best: tuple[float, Takes, Order] | None = None
    for takes in ("values", "pixels"):
        returned = [model(_as_taken(network_values(case.tensor, spec.input), takes, spec)) for case in cases[:TRIED]]
        for order in _orders(returned[0], spec):
            outputs = [_roles(arrays, order, spec) for arrays in returned]
            if _fits(outputs[0], cases[0]) and (best is None or noise_of(outputs, cases) < best[0]):
                best = noise_of(outputs, cases), takes, order
    if best is None:
        given = ", ".join(str(list(array.shape)) for array in returned[0])
        wanted = ", ".join(f"{role} {list(cases[0].outputs[role].shape)}" for role in spec.roles)
        raise SamesightError(
            f"{path}: gives {given}, of which the spec cannot take {wanted}; correct outputs in --spec"
        )
    return best[1], best[2]


def candidate(model: ForeignModel, takes: Takes, order: Order, spec: ModelSpec) -> Candidate:
    """The file behind the contract's preprocessing, as it was understood."""

    def run(picture: Picture, tensor: UInt8, geometry: Geometry) -> tuple[Outputs, Geometry]:
        values = network_values(tensor, spec.input)
        return _roles(model(_as_taken(values, takes, spec)), order, spec), geometry

    return run


def input_fault(
    model: ForeignModel, takes: Takes, order: Order, cases: Sequence[GoldenCase], spec: ModelSpec
) -> str | None:
    """The known fault before the network with which the file gives what the server model gives without it."""
    some = cases[:TRIED]
    rows = [
        _roles(model(_as_taken(network_values(case.tensor, spec.input), takes, spec)), order, spec) for case in some
    ]
    least, cause = noise_of(rows, some) * LEFT_BY_FAULT, None
    for name, inputs in hypotheses([case.picture for case in some], spec.input):
        noise = noise_of([_roles(model(_as_taken(values, takes, spec)), order, spec) for values in inputs], some)
        if noise < least:
            least, cause = noise, f"it gives the server model's outputs when {name}"
    return cause


def noise_of(outputs: Sequence[Outputs], cases: Sequence[GoldenCase]) -> float:
    """The energy of the error over that of the server model's outputs, summed over cases and roles."""
    return sum(
        float(np.square(case.outputs[role].astype(np.float64) - output[role]).sum())
        / (float(np.square(case.outputs[role].astype(np.float64)).sum()) or 1.0)
        for case, output in zip(cases, outputs, strict=False)
        for role in case.outputs
    )


def _as_taken(values: Float32, takes: Takes, spec: ModelSpec) -> Float32:
    """The network's values [H, W, C], or the pixels 0..255 that give them."""
    if takes == "values":
        return values
    affine = affine_of(spec.input)
    pixels = (values.astype(np.float64) - np.array(affine.offset)) / np.array(affine.factor)
    return np.clip(pixels, 0.0, 255.0).astype(np.float32)


def _orders(arrays: Sequence[Float32], spec: ModelSpec) -> Iterator[Order]:
    """Every choice of outputs for the spec's tensors; maps also as a file in NHWC has them."""
    for chosen in itertools.permutations(range(len(arrays)), len(spec.outputs.tensors)):
        turned = [(False, True) if arrays[index].ndim == MAP else (False,) for index in chosen]
        for turns in itertools.product(*turned):
            yield tuple(zip(chosen, turns, strict=True))


def _roles(arrays: Sequence[Float32], order: Order, spec: ModelSpec) -> Outputs:
    """The spec's roles, cut out of the outputs as `ServerModel` cuts them; empty where an output cannot be cut so."""
    import torch

    from samesight.conversion.preparation.equivalence import slice_roles

    tensors = [arrays[index].transpose(0, 3, 1, 2) if turned else arrays[index] for index, turned in order]
    try:
        parts = slice_roles([torch.from_numpy(np.ascontiguousarray(tensor)) for tensor in tensors], spec)
    except IndexError:  # an output of too few axes
        return {}
    return {role: part.contiguous().numpy() for role, part in parts.items()}


def _fits(outputs: Outputs, case: GoldenCase) -> bool:
    return {role: array.shape for role, array in outputs.items()} == {
        role: array.shape for role, array in case.outputs.items()
    }


def print_file_verdict(judged: FileVerdict) -> str:
    """The verdict in a few lines."""
    verdict = judged.verdict
    word = "fail" if not verdict.passed else "inconclusive" if verdict.inconclusive else "pass"
    lines = [
        f"{judged.file} against {judged.against}: {word} ({verdict.precision}, by {verdict.runner})",
        f"  takes {WORDS[judged.takes]}; its outputs: {', '.join(judged.outputs)}",
    ]
    for role in verdict.roles:
        lines.append(f"  {role.role}: " + ("exact" if role.snr_db is None else f"{role.snr_db:.1f} dB"))
    if verdict.agreement is not None:
        lines.append(f"  answers agree on {verdict.agreement:.1%}")
    if verdict.metric:
        metric = verdict.metric
        lines.append(
            f"  {metric.name} {metric.artifact:.4f}, the server's {metric.server:.4f} on {metric.images} images"
        )
    lines.append(f"  {verdict.reason}")
    if judged.likely_cause:
        lines.append(f"  likely cause: {judged.likely_cause}")
    return "\n".join(lines)
