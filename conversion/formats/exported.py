"""The exported program (`.pt2`): the prepared network as torch.export saves it, with the spec beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from samesight.conversion.formats.float_tensors import SPEC_FILE, describe_input, describe_outputs
from samesight.conversion.formats.interface import Lowered, Lowering

if TYPE_CHECKING:
    from torch.export import ExportedProgram

TRACE = "stack_trace"


def convert(job: Lowering) -> Lowered:
    """Save the prepared program."""
    import torch

    program = job.prepared.exported
    with without_traces(program):
        torch.export.save(program, str(job.output), extra_files={SPEC_FILE: job.spec.to_json()})
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    return Lowered(
        path=job.output,
        input_layout="float32_nchw",
        input=describe_input(job.spec),
        outputs=describe_outputs(job.spec, [values[name].shape for name in program.graph_signature.user_outputs]),
        runtime="PyTorch",
        runtime_version=torch.__version__.partition("+")[0],
        tools={"torch": torch.__version__},
    )


@contextmanager
def without_traces(program: "ExportedProgram") -> Iterator[None]:
    """Leave out where in which source file each operator stood: the paths of one person's computer."""
    traces = [(node, node.meta.pop(TRACE)) for node in program.graph.nodes if TRACE in node.meta]
    try:
        yield
    finally:
        for node, trace in traces:
            node.meta[TRACE] = trace
