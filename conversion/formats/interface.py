"""What every format's module offers, and what goes in and out of it.

    convert(job: Lowering) -> Lowered     write one file and describe it (imports the converter: slow)
    load(path: Path, tensors: Tensors) -> Runner    run such a file here (imports the runtime alone)

This module imports no converter and no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from samesight.contract.manifest import TensorInfo, Unit
from samesight.contract.spec import ModelSpec, Role
from samesight.contract.tensor_layout import Storage
from samesight.conversion.formats import Precision
from samesight.conversion.qparams import Float32, Integers, Quantum, UInt8

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from samesight.conversion.preparation.prepare import Prepared
    from samesight.conversion.quantization.quantize import Quantized


@dataclass(frozen=True)
class Lowering:
    """One file to be made: `prepared` at `precision`, written to `output`.

    `quantized` is the one PT2E program of this model; int8 needs it, the other precisions ignore it.
    `labels` and all else that the file embeds come from `spec`.
    """

    spec: ModelSpec
    precision: Precision
    prepared: "Prepared"
    quantized: "Quantized | None"
    output: Path

    @property
    def integer(self) -> "Quantized | None":
        """The quantized program where the precision is int8, None for the others.

        Raises:
            ValueError: int8, and there is no such program.
        """
        if self.precision != "int8":
            return None
        if self.quantized is None:
            raise ValueError("int8 is lowered from the quantized program")
        return self.quantized

    @property
    def program(self) -> "ExportedProgram":
        """What is lowered: the quantized program for int8, else the prepared one."""
        return self.integer.exported if self.integer else self.prepared.exported


@dataclass(frozen=True)
class Lowered:
    """One file that was made, with all that the manifest says about it but its bytes and hash.

    `outputs` has one tensor per role in the order of `spec.roles`. `tools` are names and versions of what made it.
    `delegated` is the share of compute nodes that a delegate runs (ExecuTorch), None where the format has no delegates.
    """

    path: Path
    storage: Storage
    input: TensorInfo
    outputs: tuple[TensorInfo, ...]
    runtime: str
    runtime_version: str
    tools: dict[str, str]
    unit: Unit = "cpu"
    os_minimum: dict[str, str] = field(default_factory=dict)
    delegated: float | None = None


class Tensors(Protocol):
    """What `load` must know about a file: `samesight.contract.manifest.Artifact` and `Lowered` both say it."""

    @property
    def storage(self) -> Storage:
        """How `samesight.contract.tensor_layout.pack` lays out the input."""
        ...

    @property
    def input(self) -> TensorInfo:
        """The one input."""
        ...

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """One output per role, in the order of `spec.roles`."""
        ...


class Runner(Protocol):
    """A loaded artifact: an input tensor (uint8 [H,W,C], the contract's tensor before packing) becomes real outputs.

    `quanta` has the grid of every output that is quantized inside the file, whatever the dtype at its border; it is
    empty for float precisions.
    """

    @property
    def quanta(self) -> Mapping[Role, Quantum]:
        """The grid of each quantized output."""
        ...

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Real values: float32, dequantized, shapes as the manifest says."""
        ...

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The same outputs counted in quanta (the stored integers q); only the roles in `quanta`."""
        ...


class FormatModule(Protocol):
    """What a module of the table offers."""

    def convert(self, job: Lowering) -> Lowered:
        """Write `job.output` and describe it."""
        ...

    def load(self, path: Path, tensors: Tensors) -> Runner:
        """Make a runner of a file that `convert` wrote."""
        ...
