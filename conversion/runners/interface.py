"""The row type of the table `RUNNERS`, and the protocols of a runner's module and of a loaded model."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol, cast

from samesight.contract.manifest import Artifact, TensorInfo, Unit
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout
from samesight.conversion.environments import ENVIRONMENTS, MAIN
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8
from samesight.conversion.runners.traced import TracedValue


class Tensors(Protocol):
    """The tensors of a file, as `contract.manifest.Artifact` and `formats.interface.Lowered` describe them."""

    @property
    def input_layout(self) -> TensorLayout:
        """How `contract.tensor_layout.pack` lays out the input."""
        ...

    @property
    def input(self) -> TensorInfo:
        """The one input."""
        ...

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """One output per role, in the order of `spec.roles`."""
        ...


class LoadedModel(Protocol):
    """A loaded artifact: a function from an input tensor (uint8 [H,W,C], before packing) to real outputs.

    `qparams` has scale and zero point of every output that is quantized inside the file, whatever dtype the file
    returns; it is empty for float precisions.
    """

    @property
    def qparams(self) -> Mapping[Role, QuantParams]:
        """Scale and zero point of each quantized output."""
        ...

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Real values: float32, dequantized, shapes as the manifest says."""
        ...

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The same outputs counted in steps (the stored integers q); only the roles in `qparams`."""
        ...


class Trace(Protocol):
    """The function `trace` of a runner's module, where its runtime shows what is inside of a file."""

    def __call__(self, path: Path, tensors: Tensors) -> Callable[[UInt8], list[TracedValue]] | None:
        """Load a file once more, without what fuses or hides values; a function from an input tensor to all values, in
        the order of execution. None for a file of which nothing can be shown.
        """
        ...


class Load(Protocol):
    """The function of a runner's module."""

    def __call__(self, path: Path, tensors: Tensors) -> LoadedModel:
        """Load a file of one of the runner's formats.

        Raises:
            SamesightError: damaged, of another version, or it needs what this runner lacks.
        """
        ...


@dataclass(frozen=True)
class Runner:
    """One row of `RUNNERS`.

    Attributes:
        name: in options and files.
        title: its name for people, as in verdicts: "LiteRT".
        formats: names of the formats that it runs.
        module: imported when it is needed; has `load`, or the function after a colon.
        unit: the unit that computes on this machine.
        packages: distributions that `load` needs.
        timed: whether its times mean anything; an emulator's or interpreter's do not.
        extra: the distribution's extra that installs the packages.
        environment: the row of `ENVIRONMENTS` whose interpreter it runs in.
        absent: why no computer runs it yet, for a format that is only made here.
        target: for a runner that plays another device than this computer: what `--runner` calls it. Such a row is
            nobody's default.
        processes: how many share the test images; more than one where a runtime takes a tenth of a second for each.
        compiled: it runs what was compiled ahead of time for an NPU, and nothing else; of that it is the default.
    """

    name: str
    title: str
    formats: tuple[str, ...]
    module: str
    unit: Unit
    packages: tuple[str, ...]
    timed: bool = True
    extra: str | None = None
    environment: str = MAIN
    target: str | None = None
    processes: int = 1
    compiled: bool = False
    absent: str | None = None

    @property
    def words(self) -> str:
        """Where artifacts ran, for people: "LiteRT on this CPU"."""
        return f"{self.title} on this {self.unit.upper()}"

    def runs(self, artifact: Artifact) -> bool:
        """Whether it is for files of this kind."""
        return artifact.format in self.formats and self.compiled == (artifact.unit == "npu")

    def missing(self) -> str | None:
        """A sentence about the first missing package and how to install it; None if nothing is missing."""
        if self.absent:
            return self.absent
        if package := self._missing_package():
            return f"{self.title} needs {package}, which is not installed; pip install '{self.requirement()}'"
        return ENVIRONMENTS[self.environment].missing()

    def requirement(self) -> str | None:
        """What pip has to install for the first missing package; None if no package is missing."""
        package = self._missing_package()
        return f"samesight[{self.extra}]" if package and self.extra else package

    def trace(self, path: Path, tensors: Tensors) -> Callable[[UInt8], list[TracedValue]] | None:
        """The values inside of a file (see `Trace`); None where this runtime shows none."""
        trace = getattr(importlib.import_module(self.module.partition(":")[0]), "trace", None)
        return None if trace is None else cast("Trace", trace)(path, tensors)

    def prepare_trace(self, scratch: Path) -> None:
        """Write into a folder what `trace` needs and cannot make with a child process's rights; often nothing.

        `trace` finds it in the folder for temporary files.
        """
        if prepare := getattr(importlib.import_module(self.module.partition(":")[0]), "prepare_trace", None):
            prepare(scratch)

    def _missing_package(self) -> str | None:
        for package in self.packages:
            try:
                metadata.version(package)
            except metadata.PackageNotFoundError:
                return package
        return None

    def load(self, path: Path, tensors: Tensors) -> LoadedModel:
        """Import the module and load a file (see `Load`)."""
        module, _, function = self.module.partition(":")
        load = cast("Load", getattr(importlib.import_module(module), function or "load"))
        return load(path, tensors)
