"""The protocol of every format's module, and the types of its argument and result.

    convert(job: Lowering) -> Lowered     write one file and describe it (imports the converter: slow)

The modules of `ROUTES` take an `OnnxLowering`. `runners` runs such files. This module imports no converter and no
torch.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from samesight.contract.manifest import TensorInfo, Unit
from samesight.contract.spec import ModelSpec
from samesight.contract.tensor_layout import TensorLayout
from samesight.conversion.precisions import PRECISIONS, PrecisionName
from samesight.conversion.qparams import UInt8

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from samesight.conversion.preparation.prepare import Prepared
    from samesight.conversion.quantization.quantize import Quantized


@dataclass(frozen=True)
class Lowering:
    """One file to be made: `prepared` at `precision`, written to `output`.

    `quantized` is the one PT2E program of this model; calibrated precisions need it, the others ignore it.
    `labels` and all else that the file embeds come from `spec`.
    """

    spec: ModelSpec
    precision: PrecisionName
    prepared: "Prepared"
    quantized: "Quantized | None"
    output: Path

    @property
    def integer(self) -> "Quantized | None":
        """The quantized program where the precision is calibrated, None for the others.

        Raises:
            ValueError: it is, and there is no such program.
        """
        if not PRECISIONS[self.precision].calibrated:
            return None
        if self.quantized is None:
            raise ValueError(f"{self.precision} is lowered from the quantized program")
        return self.quantized

    @property
    def program(self) -> "ExportedProgram":
        """The program to lower: the quantized program for a calibrated precision, else the prepared one."""
        return self.integer.exported if self.integer else self.prepared.exported


@dataclass(frozen=True)
class OnnxLowering:
    """One file to be made at `precision` from an ONNX file, written to `output`.

    `network` takes `image`, float32 [1, C, H, W] in 0..255, and returns one tensor per role in the order of
    `spec.roles` (`interchange.py`). `images` are calibration inputs, uint8 [n, H, W, C]; calibrated precisions need
    them.
    """

    spec: ModelSpec
    precision: PrecisionName
    network: Path
    images: UInt8 | None
    output: Path


@dataclass(frozen=True)
class Lowered:
    """A written file, described as in the manifest but for its size and hash.

    `outputs` has one tensor per role in the order of `spec.roles`. `tools` are names and versions of its converters.
    `delegated` is the share of compute nodes that a delegate runs (ExecuTorch), None where the format has no delegates.
    """

    path: Path
    input_layout: TensorLayout
    input: TensorInfo
    outputs: tuple[TensorInfo, ...]
    runtime: str
    runtime_version: str
    tools: dict[str, str]
    unit: Unit = "cpu"
    os_minimum: dict[str, str] = field(default_factory=dict)
    delegated: float | None = None


class FormatModule(Protocol):
    """The protocol of a module of the table."""

    def convert(self, job: Lowering) -> Lowered:
        """Write `job.output` and describe it."""
        ...


class RouteModule(Protocol):
    """The protocol of a module of `ROUTES`."""

    def convert(self, job: OnnxLowering) -> Lowered:
        """Write `job.output` and describe it."""
        ...
