"""ExecuTorch (`.pte`), lowered to XNNPACK.

Input and outputs are float32 at both precisions (image [1,C,H,W], values 0..255, contiguous: a program remembers the
strides of its example). In an int8 file XNNPACK quantizes the input exactly and every output value is
(q - zero_point) * scale for an integer q.

The file's constant methods are `model_json` (the spec) and, for int8, `quanta_json` (scale and zero point per output);
each returns one string.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from samesight.conversion.formats.float_tensors import describe_input, describe_outputs
from samesight.conversion.formats.interface import Lowered, Lowering
from samesight.conversion.formats.refusal import refusal
from samesight.conversion.qparams import write_qparams
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.executorch import QPARAMS_KEY, SPEC_KEY

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from samesight.conversion.preparation.prepare import Prepared

TITLE = "ExecuTorch"
BOOKKEEPING = ("getitem", "quantize_per", "quantize_affine", "alloc", "executorch_call_delegate")
"""Parts of the names of nodes that compute nothing of the network: quantization and calls of delegates."""


def convert(job: Lowering) -> Lowered:
    """Write `job.output`."""
    buffer, share = lower(job.program, job.prepared, constants_of(job), xnnpack)
    job.output.write_bytes(buffer)
    return describe(job, share, ("executorch", "torch", *(("torchao",) if job.integer else ())))


def constants_of(job: Lowering) -> dict[str, str]:
    """The constant methods of a file: their names, and the string that each returns."""
    qparams = {QPARAMS_KEY: write_qparams(job.integer.outputs)} if job.integer else {}
    return {SPEC_KEY: job.spec.to_json(), **qparams}


def describe(job: Lowering, share: float, tools: Sequence[str], minimum: Mapping[str, str] | None = None) -> Lowered:
    """The description of a file that was made; `tools` are distributions, `minimum` the systems that it needs."""
    from importlib.metadata import version

    shapes = [tuple(node.meta["val"].shape) for node in outputs_of(job.program.graph_module)]
    return Lowered(
        path=job.output,
        input_layout="float32_nchw",
        input=describe_input(job.spec),
        outputs=describe_outputs(job.spec, shapes),
        runtime="ExecuTorch",
        runtime_version=version("executorch"),
        os_minimum=dict(minimum or {}),
        tools={name: version(name) for name in tools},
        delegated=share,
    )


def lower(
    program: "ExportedProgram",
    prepared: "Prepared",
    constants: Mapping[str, str],
    partitioner: Callable[[], Any],
    title: str = TITLE,
) -> tuple[bytes, float]:
    """Run ExecuTorch's exporter with one delegate. Returns the file's bytes and the delegated share.

    `partitioner` is called under `quiet`, because its imports print. `title` names the format in a refusal.
    """
    try:
        with quiet():
            from executorch.exir import to_edge_transform_and_lower

            edge = to_edge_transform_and_lower(program, partitioner=[partitioner()], constant_methods=dict(constants))
            share = delegated_share(edge.exported_program().graph_module)
            return bytes(edge.to_executorch().buffer), share
    except Exception as error:
        raise refusal(title, prepared.exported, error) from error


def xnnpack() -> Any:
    """ExecuTorch's partitioner for XNNPACK."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    return XnnpackPartitioner()


def outputs_of(module: Any) -> list[Any]:
    """The output nodes of a graph."""
    return list(next(iter(reversed(module.graph.nodes))).args[0])


def compute_nodes(module: Any) -> Iterator[str]:
    """The operators of a graph that compute something."""
    for node in module.graph.nodes:
        if node.op == "call_function" and not any(name_part in str(node.target) for name_part in BOOKKEEPING):
            yield str(node.target)


def delegated_share(module: Any) -> float:
    """The share of compute nodes inside the delegate, 0..1."""
    inside = sum(
        len(list(compute_nodes(part.original_module.graph_module)))
        for _, part in module.named_children()
        if hasattr(part, "original_module")
    )
    outside = len(list(compute_nodes(module)))
    return inside / (inside + outside) if inside + outside else 0.0
