"""A child process that converts: `python -m samesight.conversion.workflow.worker JOB.json PARENT`.

It makes the job's artifacts one after another, so that they share imports and one prepared program, and writes events
as JSON lines to its standard output (`Event`). All that converters print goes to standard error instead. When it dies,
the items whose end it had reported are complete.
"""

import gc
import importlib
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from samesight.contract.documents import Document, Strict, read_document
from samesight.contract.errors import SamesightError, describe_error
from samesight.contract.manifest import CALIBRATION, Artifact
from samesight.contract.spec import ModelSpec
from samesight.conversion.environments import MAIN
from samesight.conversion.formats import find_row
from samesight.conversion.formats.check import check_file
from samesight.conversion.formats.interface import Lowered, Lowering, OnnxLowering
from samesight.conversion.precisions import PRECISIONS, PrecisionName
from samesight.conversion.qparams import UInt8
from samesight.conversion.quantization.recipe import FILE as RECIPE_FILE
from samesight.conversion.quantization.recipe import Recipe, read_recipe
from samesight.conversion.quantization.schemes import check_held
from samesight.conversion.sources.calibration import calibration_tensors, few_images_note
from samesight.conversion.sources.source import TestData
from samesight.conversion.workflow.mixing import MIXED
from samesight.conversion.workflow.search_job import SearchJob

if TYPE_CHECKING:
    from samesight.conversion.preparation.prepare import Prepared
    from samesight.conversion.quantization.quantize import Quantized

GOLDEN = "golden cases"
CHECKS = "network checks"
EXPORT = "exported network"
INTERCHANGE = "ONNX for other routes"
RECIPE = "recipe"
FULL_BYTES = 1 << 20
SAMPLES = 8


class CompileJob(Strict):
    """Compile the artifact `source`, whose file is at `path`, for the NPU of a chip; `tools` are the compiler's."""

    chip: str
    source: Artifact
    path: str
    tools: dict[str, str]


class TargetJob(Strict):
    """One artifact to make: written to `output`, called `name`, and `file` in the bundle."""

    name: str
    file: str
    format: str
    precision: PrecisionName
    output: str
    compile: CompileJob | None = None


class GoldenJob(Strict):
    """Golden cases (and server.json where there is test data) to be written into the folder `output`.

    `onnx` is the file that answers as the server model, where it is not the job's network.
    """

    output: str
    source: str | None
    seed: int
    skip_damaged: bool = False
    onnx: str | None = None


class Job(Document):
    """What one worker does.

    `function`, where given, is built, with `weights` or `random_weights`, and exported to `network` first; nothing
    else is ever done with a person's code. The file `onnx`, where given, is read and exported likewise.
    `environment` is the row of `ENVIRONMENTS` that it runs in. `checks` is the folder for `network.json`.
    `interchange` is where the ONNX file is written that other routes start from; their jobs have it as `network`.
    `kept_calibration` is a file that the workers of one conversion share, so that one of them calibrates.
    `search` is a search of the recipe, `recipe` the file of the one that `mixed` artifacts are made by.
    """

    schema_version: Literal[1] = 1
    spec: ModelSpec
    environment: str = MAIN
    network: str
    function: str | None = None
    weights: str | None = None
    random_weights: bool = False
    folder: str = "."
    calibration: tuple[str, ...] = ()
    ranges: str | None = None
    kept_calibration: str | None = None
    golden: GoldenJob | None = None
    checks: str | None = None
    interchange: str | None = None
    search: SearchJob | None = None
    recipe: str | None = None
    targets: tuple[TargetJob, ...] = ()
    onnx: str | None = None

    @property
    def items(self) -> tuple[str, ...]:
        """The names of all that is to be made, in order."""
        return (
            *((EXPORT,) if self.function or self.onnx else ()),
            *((RECIPE,) if self.search else ()),
            *((GOLDEN,) if self.golden else ()),
            *((CHECKS,) if self.checks else ()),
            *((INTERCHANGE,) if self.interchange else ()),
            *(target.name for target in self.targets),
        )


class Event(Strict):
    """A change of state of one item; one JSON line of a worker's output.

    Attributes:
        kind: `waiting` and `cached` come from the command itself, the others from a worker. `step` is a step of the
            item begun last.
        name: the item: an artifact, the golden cases, the network checks, the exported network, the recipe or the ONNX
            file for other routes.
        text: failed: the reason; end: a note for the user, if any; step: what is done now.
        seconds: end: what the item took.
        artifact: end: the artifact's entry in the manifest.
        ranges: end: hash of the activation ranges and weights of an int8 artifact.
        peak_bytes: end: peak memory of the worker so far.
        fatal: failed: all other items would fail for the same reason (the disk is full).
    """

    kind: Literal["waiting", "cached", "begin", "step", "end", "failed"]
    name: str = ""
    text: str = ""
    seconds: float = 0.0
    artifact: Artifact | None = None
    ranges: str | None = None
    peak_bytes: int = 0
    fatal: bool = False


Emit = Callable[[Event], None]


@dataclass
class Programs:
    """The programs that the items of one job are made from, each prepared when it is first needed."""

    job: Job
    emit: Emit

    @cached_property
    def prepared(self) -> "Prepared":
        """The prepared program, proven equal to the original."""
        from samesight.conversion.preparation.prepare import prepare
        from samesight.conversion.sources.server_model import load_program

        self.emit(Event(kind="step", text="preparing"))
        return prepare(load_program(Path(self.job.network)), self.job.spec, self.samples)

    @cached_property
    def quantized(self) -> "Quantized":
        """The one quantized program."""
        from samesight.conversion.quantization.quantize import quantize, read_ranges

        prepared = self.prepared
        self.emit(Event(kind="step", text="calibrating"))
        ranges = read_ranges(Path(self.job.ranges)) if self.job.ranges else None
        kept = Path(self.job.kept_calibration) if self.job.kept_calibration else None
        return quantize(prepared, None if ranges else self.inputs(), ranges, kept)

    @cached_property
    def mixed(self) -> "Quantized":
        """The quantized program of the recipe."""
        from samesight.conversion.quantization.layers import node_schemes
        from samesight.conversion.quantization.mixed import quantize_mixed

        schemes = node_schemes(self.recipe, self.prepared.module, RECIPE_FILE)
        images = self.inputs() if self.job.calibration else None
        return quantize_mixed(self.quantized, schemes, images)

    @cached_property
    def wide(self) -> "Quantized":
        """The quantized program with int16 activations."""
        from samesight.conversion.quantization.mixed import quantize_wide

        return quantize_wide(self.quantized, self.inputs() if self.job.calibration else None)

    @cached_property
    def recipe(self) -> Recipe:
        """That of mixed artifacts."""
        assert self.job.recipe is not None
        return read_recipe(Path(self.job.recipe))

    def quantized_at(self, precision: PrecisionName) -> "Quantized | None":
        """The quantized program of a precision; None for one that is lowered from the float program."""
        if not PRECISIONS[precision].calibrated:
            return None
        programs = {MIXED: lambda: self.mixed, "w8a16": lambda: self.wide}
        return programs[precision]() if precision in programs else self.quantized

    @cached_property
    def samples(self) -> UInt8 | None:
        """Some calibration inputs, to prove the prepared program and to run files on that were just made."""
        return self.inputs(SAMPLES) if self.job.calibration else None

    def inputs(self, count: int | None = None) -> UInt8:
        """The input tensors of the first `count` calibration images, or of all: uint8 [n, H, W, C]."""
        spec = self.job.spec.input
        return calibration_tensors([Path(path) for path in self.job.calibration[:count]], spec)


def run(job: Job, emit: Emit) -> None:
    """Make every item of the job; a failure is emitted as an event, not raised, and the next item is begun."""
    programs = Programs(job, emit)
    if job.function or job.onnx:
        _make_item(EXPORT, Path(job.network), emit, lambda: _export(job))
    if job.search:
        wanted = job.search
        _make_item(RECIPE, Path(wanted.output), emit, lambda: _search(programs, wanted))
    if job.golden:
        golden = job.golden
        _make_item(GOLDEN, Path(golden.output), emit, lambda: _goldens(job, golden))
    if job.checks:
        output = Path(job.checks)
        _make_item(CHECKS, output, emit, lambda: _check_network(programs, output))
    if job.interchange:
        interchange = Path(job.interchange)
        _make_item(INTERCHANGE, interchange, emit, lambda: _interchange(programs, interchange))
    for target in job.targets:
        make = partial(_compile, target, target.compile) if target.compile else partial(_lower, programs, target)
        _make_item(target.name, Path(target.output), emit, make)


def _make_item(name: str, output: Path, emit: Emit, make: Callable[[], Event]) -> None:
    emit(Event(kind="begin", name=name))
    started = time.perf_counter()
    try:
        end = make()
    except SamesightError as error:
        emit(Event(kind="failed", name=name, text=str(error)))
    except Exception as error:  # converters raise anything; it costs this item alone
        traceback.print_exc()
        emit(_failure(name, output, error))
    else:
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        emit(end.model_copy(update={"kind": "end", "name": name, "seconds": seconds, "peak_bytes": peak}))
    gc.collect(0)


def _failure(name: str, output: Path, error: Exception) -> Event:
    # Several writers turn "no space left" into errors of their own, so the disk itself is asked.
    if shutil.disk_usage(output.parent).free < FULL_BYTES:
        text = f"{output}: cannot be written (no space left on device); make room or choose another --out"
        return Event(kind="failed", name=name, text=text, fatal=True)
    return Event(kind="failed", name=name, text=f"unexpected {describe_error(error)}")


def _export(job: Job) -> Event:
    import torch

    if job.onnx:
        from samesight.conversion.sources.onnx.reader import read_network

        network = Path(job.network)
        torch.export.save(read_network(Path(job.onnx), job.spec, network.parent), network)
        return Event(kind="end")
    from samesight.conversion.sources.build import export_built

    assert job.function is not None
    weights = Path(job.weights) if job.weights else None
    program = export_built(job.function, Path(job.folder), job.spec, weights, job.random_weights)
    torch.export.save(program, job.network)
    return Event(kind="end")


def _goldens(job: Job, golden: GoldenJob) -> Event:
    from samesight.conversion.sources.onnx.server import load_onnx_server
    from samesight.conversion.sources.server_model import load_server
    from samesight.conversion.workflow.golden_cases import write_goldens

    data = TestData(golden.source, golden.seed, golden.skip_damaged) if golden.source is not None else None
    server = load_onnx_server(Path(golden.onnx), job.spec) if golden.onnx else load_server(Path(job.network), job.spec)
    note = write_goldens(Path(golden.output), server, data, [Path(path) for path in job.calibration])
    return Event(kind="end", text=note)


def _search(programs: Programs, job: SearchJob) -> Event:
    from samesight.conversion.workflow.recipe_search import find_recipe

    images = [Path(path) for path in programs.job.calibration]
    recipe = find_recipe(job, programs.quantized, images, lambda text: programs.emit(Event(kind="step", text=text)))
    (Path(job.output) / RECIPE_FILE).write_text(recipe.to_json(), encoding="utf-8")
    return Event(kind="end")


def _check_network(programs: Programs, output: Path) -> Event:
    from samesight.conversion.network_checks.document import FILE, facts_of

    facts = facts_of(programs.prepared, programs.samples)
    (output / FILE).write_text(facts.to_json(), encoding="utf-8")
    return Event(kind="end")


def _interchange(programs: Programs, path: Path) -> Event:
    from samesight.conversion.formats.interchange import write_interchange

    write_interchange(programs.prepared, path)
    return Event(kind="end", text="; ".join(programs.prepared.notes))


def _lower(programs: Programs, target: TargetJob) -> Event:
    row = find_row(target.format)
    if row.via:
        images = programs.inputs() if PRECISIONS[target.precision].calibrated else None
        network, output = Path(programs.job.network), Path(target.output)
        lowered = row.load_route().convert(OnnxLowering(programs.job.spec, target.precision, network, images, output))
        return _made(target, lowered)
    if target.precision == MIXED:
        check_held(row.name, row.title, programs.recipe.layers)
    quantized = programs.quantized_at(target.precision)
    job = Lowering(programs.job.spec, target.precision, programs.prepared, quantized, Path(target.output))
    lowered = row.load_module().convert(job)
    check_file(row, lowered, job, programs.samples)
    made, notes = _made(target, lowered), programs.prepared.notes
    if quantized is None:
        return made.model_copy(update={"text": "; ".join(notes)})
    artifact = made.artifact
    if artifact is not None and quantized.told:
        artifact = artifact.model_copy(update={"tools": artifact.tools | {CALIBRATION: quantized.told}})
        notes = (*notes, *filter(None, [few_images_note(len(programs.job.calibration))]))
    return made.model_copy(update={"text": "; ".join(notes), "ranges": quantized.sha256, "artifact": artifact})


def _made(target: TargetJob, lowered: Lowered) -> Event:
    row = find_row(target.format)
    return Event(
        kind="end",
        artifact=Artifact(
            name=target.name,
            file=target.file,
            format=row.written,
            precision=target.precision,
            unit=lowered.unit,
            platforms=row.platforms,
            runtime=lowered.runtime,
            runtime_version=lowered.runtime_version,
            os_minimum=lowered.os_minimum,
            input_layout=lowered.input_layout,
            input=lowered.input,
            outputs=lowered.outputs,
            tools=lowered.tools,
            delegated=lowered.delegated,
            bytes=0,
        ),
    )


def _compile(target: TargetJob, job: CompileJob) -> Event:
    from samesight.conversion.npu.compiler import compile_for

    with tempfile.TemporaryDirectory(prefix="samesight-") as folder:
        compiled = compile_for(job.chip, Path(job.path), Path(folder))
    Path(target.output).write_bytes(compiled.model)
    left = sum(operator.count for operator in compiled.plan.left)
    artifact = job.source.model_copy(
        update={
            "name": target.name,
            "file": target.file,
            "precision": target.precision,
            "unit": "npu",
            "runtime_version": job.tools["ai-edge-litert"],
            "soc": (job.chip,),
            "tools": {**job.source.tools, **job.tools},
            "delegated": 1.0 - left / compiled.plan.operators,
            "plan": compiled.plan,
        }
    )
    return Event(kind="end", artifact=artifact)


def main(path: str, parent: int) -> None:
    """Run a job file; events go to the original standard output, everything else to standard error.

    Args:
        path: of the job.
        parent: the process whose end ends this one.
    """
    # Converters make millions of small objects: collecting once after each item takes a seventh off their time.
    gc.disable()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = read_document(Job, Path(path))
    for target in job.targets:
        if library := find_row(target.format).first:
            with suppress(ImportError):
                importlib.import_module(library)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()

    def emit(event: Event) -> None:
        events.write(event.model_dump_json(exclude_defaults=True) + "\n")
        events.flush()

    if job.environment == MAIN and not (job.targets and all(target.compile for target in job.targets)):
        import torch

        torch.set_num_threads(1)
    run(job, emit)
    # All files and events are written; an orderly shutdown of the converters would cost 2 s.
    sys.stderr.flush()
    os._exit(0)


def _end_with_parent(parent: int) -> None:
    """A killed command must not leave its workers behind."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
