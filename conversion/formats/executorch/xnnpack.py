"""ExecuTorch (`.pte`), lowered to XNNPACK; run by ExecuTorch's own runtime.

Input and outputs are float32 at both precisions (image [1,C,H,W], values 0..255, contiguous: a program remembers the
strides of its example). In an int8 file XNNPACK quantizes the input exactly and every output value lies on its grid.

The file's constant methods are `model_json` (the spec) and, for int8, `quanta_json` (scale and zero point per output);
each returns one string.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import Storage, pack
from samesight.conversion.errors import refusal
from samesight.conversion.formats.interface import Lowered, Lowering, Tensors
from samesight.conversion.qparams import Float32, Integers, Quantum, UInt8, in_quanta, read_grids, write_grids
from samesight.conversion.quiet import mute, quiet
from samesight.conversion.runners.torch import describe_input, describe_outputs

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from samesight.conversion.preparation.prepare import Prepared

TITLE = "ExecuTorch"
SPEC = "model_json"
QUANTA = "quanta_json"
BOOKKEEPING = ("getitem", "quantize_per", "quantize_affine", "alloc", "executorch_call_delegate")
"""Nodes that compute nothing of the network: moving values in and out of integers and of delegates."""


def convert(job: Lowering) -> Lowered:
    """Write `job.output`."""
    buffer, share = lower(job.program, job.prepared, constants_of(job), xnnpack)
    job.output.write_bytes(buffer)
    return describe(job, share, ("executorch", "torch", *(("torchao",) if job.integer else ())))


def constants_of(job: Lowering) -> dict[str, str]:
    """The constant methods of a file: their names, and the string that each returns."""
    grids = {QUANTA: write_grids(job.integer.outputs)} if job.integer else {}
    return {SPEC: job.spec.to_json(), **grids}


def describe(job: Lowering, share: float, tools: Sequence[str], minimum: Mapping[str, str] | None = None) -> Lowered:
    """The description of a file that was made; `tools` are distributions, `minimum` the systems that it needs."""
    from importlib.metadata import version

    shapes = [tuple(node.meta["val"].shape) for node in outputs_of(job.program.graph_module)]
    return Lowered(
        path=job.output,
        storage="float32_nchw",
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

    `partitioner` is called under `quiet`, for what its imports say. `title` is how a refusal calls the format.
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
        if node.op == "call_function" and not any(word in str(node.target) for word in BOOKKEEPING):
            yield str(node.target)


def delegated_share(module: Any) -> float:
    """How many of all compute nodes stand inside the delegate, 0..1."""
    inside = sum(
        len(list(compute_nodes(part.original_module.graph_module)))
        for _, part in module.named_children()
        if hasattr(part, "original_module")
    )
    outside = len(list(compute_nodes(module)))
    return inside / (inside + outside) if inside + outside else 0.0


@dataclass(frozen=True)
class ExecuTorchRunner:
    """A loaded `.pte`."""

    module: Any
    storage: Storage
    roles: Sequence[Role]
    quanta: Mapping[Role, Quantum]

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        import torch

        made = self.module.forward((torch.from_numpy(pack(tensor, self.storage)),))
        return {role: np.array(value.numpy()) for role, value in zip(self.roles, made, strict=True)}

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The outputs that lie on a grid, counted in its quanta."""
        return in_quanta(self(tensor), self.quanta)


def load(path: Path, tensors: Tensors) -> ExecuTorchRunner:
    """Load a file for the CPU.

    Of ExecuTorch only its native runtime is imported (milliseconds on top of torch); `executorch.runtime` would import
    the whole exporter (6 s).

    Raises:
        SamesightError: damaged, of another version, or it needs a backend that is not here.
    """
    import torch

    with mute():
        import executorch.extension.pybindings._C as native

        native._unsafe_reset_threadpool(1)
        try:
            module = native._load_for_executorch(str(path))
            grids = read_grids(_constant(module, QUANTA))
            # The first call makes XNNPACK's kernels and says so on standard error.
            module.forward((torch.zeros(tensors.input.shape),))
        except RuntimeError as error:
            line = str(error).strip().splitlines()[0]
            raise SamesightError(f"{path}: ExecuTorch cannot load it ({line}); convert again") from None
    roles = [info.role for info in tensors.outputs if info.role != "image"]
    return ExecuTorchRunner(module, tensors.storage, roles, grids)


def read_constant(path: Path, name: str) -> str | None:
    """The text of a file's constant method; None where it has no such method. Needs no backend.

    Raises:
        SamesightError: damaged, or of another version.
    """
    with mute():
        import executorch.extension.pybindings._C as native

        try:
            return _constant(native._load_for_executorch(str(path)), name)
        except RuntimeError as error:
            line = str(error).strip().splitlines()[0]
            raise SamesightError(f"{path}: ExecuTorch cannot load it ({line}); convert again") from None


def read_quanta(path: Path) -> dict[Role, Quantum]:
    """The grids of an int8 file's outputs; empty for a float file (errors as in `read_constant`)."""
    return read_grids(read_constant(path, QUANTA))


def _constant(module: Any, name: str) -> str | None:
    return str(module.run_method(name, [])[0]) if name in module.method_names() else None
