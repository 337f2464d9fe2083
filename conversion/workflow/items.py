"""The items of a worker's job: each function makes one and returns the event of its end; it raises where it cannot."""

import tempfile
from pathlib import Path

from samesight.contract.manifest import CALIBRATION, Artifact
from samesight.conversion.formats import find_row
from samesight.conversion.formats.check import check_file
from samesight.conversion.formats.interface import Lowered, Lowering, OnnxLowering
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.quantization.recipe import FILE as RECIPE_FILE
from samesight.conversion.quantization.schemes import check_held
from samesight.conversion.sources.calibration import few_images_note
from samesight.conversion.sources.source import ONNX, TestData
from samesight.conversion.workflow.mixing import MIXED
from samesight.conversion.workflow.programs import Programs
from samesight.conversion.workflow.search_job import SearchJob
from samesight.conversion.workflow.worker_protocol import CompileJob, Event, GoldenJob, Job, TargetJob


def export_network(programs: Programs) -> Event:
    """Export a function or an ONNX file to the job's `network`."""
    import torch

    job = programs.job
    if job.onnx:
        return _read_onnx(Path(job.onnx), programs)
    from samesight.conversion.sources.build import export_built

    assert job.function is not None
    weights = Path(job.weights) if job.weights else None
    program = export_built(job.function, Path(job.folder), job.spec, weights, job.random_weights)
    torch.export.save(program, job.network)
    return Event(kind="end")


def _read_onnx(path: Path, programs: Programs) -> Event:
    """Export the network; where it cannot be had, write the file for routes in its place, and say why."""
    import torch

    from samesight.conversion.sources.onnx.reader import UnreadNetworkError, read_network
    from samesight.conversion.sources.onnx.without_program import write_without_program

    spec, network = programs.job.spec, Path(programs.job.network)
    try:
        torch.export.save(read_network(path, spec, network.parent), network)
    except UnreadNetworkError as error:
        write_without_program(path, spec, network.with_suffix(ONNX), programs.samples)
        return Event(kind="end", text=error.reason)
    return Event(kind="end")


def write_golden_cases(job: Job, golden: GoldenJob) -> Event:
    """Write golden cases, and the server model's answers to the test data."""
    from samesight.conversion.sources.onnx.server import load_onnx_server
    from samesight.conversion.sources.server_model import load_server
    from samesight.conversion.workflow.golden_cases import write_goldens

    data = TestData(golden.source, golden.seed, golden.skip_damaged) if golden.source is not None else None
    server = load_onnx_server(Path(golden.onnx), job.spec) if golden.onnx else load_server(Path(job.network), job.spec)
    note = write_goldens(Path(golden.output), server, data, [Path(path) for path in job.calibration])
    return Event(kind="end", text=note)


def search_recipe(programs: Programs, job: SearchJob) -> Event:
    """Search a recipe and write it."""
    from samesight.conversion.workflow.recipe_search import find_recipe

    images = [Path(path) for path in programs.job.calibration]
    recipe = find_recipe(job, programs.quantized, images, lambda text: programs.emit(Event(kind="step", text=text)))
    (Path(job.output) / RECIPE_FILE).write_text(recipe.to_json(), encoding="utf-8")
    return Event(kind="end")


def check_network(programs: Programs, output: Path) -> Event:
    """Write `network.json` into a folder."""
    from samesight.conversion.network_checks.document import FILE, facts_of

    facts = facts_of(programs.prepared, programs.samples)
    (output / FILE).write_text(facts.to_json(), encoding="utf-8")
    return Event(kind="end")


def write_onnx(programs: Programs, path: Path) -> Event:
    """Write the ONNX file that other routes start from."""
    from samesight.conversion.formats.interchange import write_interchange

    write_interchange(programs.prepared, path)
    return Event(kind="end", text="; ".join(programs.prepared.notes))


def lower(programs: Programs, target: TargetJob) -> Event:
    """Make an artifact from the job's network, and run its file once."""
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


def compile_artifact(target: TargetJob, job: CompileJob) -> Event:
    """Compile an artifact for the NPU of a chip."""
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
