"""The formats that a model can be converted to: one table, and another of other ways to them.

Each row names a module that is imported only when it is needed; `interface.py` has its protocol. `runners` runs the
files on this machine. This module imports no converter, so that a wrong request is answered at once.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, cast

from samesight.contract.errors import UsageError
from samesight.contract.manifest import Platform
from samesight.conversion.environments import ENVIRONMENTS, MAIN
from samesight.conversion.precisions import PRECISIONS, PrecisionName

if TYPE_CHECKING:
    from samesight.conversion.formats.interface import FormatModule, RouteModule


@dataclass(frozen=True)
class Format:
    """One row: a format's names, suffix and precisions. One module may serve two suffixes.

    Attributes:
        name: in manifests and tables.
        title: its name in sentences for people.
        module: imported when it is needed; has `convert`.
        suffix: of its files.
        precisions: all that it supports.
        standard: those that are made by default.
        named: those that are made only when they are asked for by name, besides those of which that is always so.
        packages: distributions that `convert` needs.
        group: formats of one group are converted in one process, one after another; groups run side by side. Measured
            on two cores with the demo classifier (`samesight bench --conversion`): 24 s of processor time for the first
            group, where the golden cases (2 s) are made as well, and 27 s for the second. coremltools imports
            ExecuTorch: these belong together.
        order: within the group.
        platforms: whose apps load it.
        environment: the row of `ENVIRONMENTS` whose interpreter converts.
        extra: the distribution's extra that installs the packages.
        via: for another way to a format of the table: the name of that format. The row's own name is what `--via`
            takes, and its environment has the packages. Such rows stand in `ROUTES`.
        first: a module that is imported before all others, so that its addresses in memory are always the same: the
            names in the written file depend on them.
    """

    name: str
    title: str
    module: str
    suffix: str
    precisions: tuple[PrecisionName, ...]
    standard: tuple[PrecisionName, ...]
    packages: tuple[str, ...]
    group: int
    order: int
    platforms: tuple[Platform, ...] = ()
    environment: str = MAIN
    extra: str | None = None
    first: str | None = None
    via: str | None = None
    named: tuple[PrecisionName, ...] = ()

    @property
    def usual(self) -> tuple[PrecisionName, ...]:
        """The precisions that are made when the format is asked for."""
        return tuple(name for name in self.precisions if name not in self.named and not PRECISIONS[name].named)

    @property
    def written(self) -> str:
        """The format of its files, as manifests have it."""
        return self.via or self.name

    def load_module(self) -> "FormatModule":
        """Import the module of this row (slow converters are imported later, inside its functions)."""
        return cast("FormatModule", importlib.import_module(self.module))

    def load_route(self) -> "RouteModule":
        """The same for a row of `ROUTES`."""
        return cast("RouteModule", importlib.import_module(self.module))

    def missing(self) -> str | None:
        """A sentence about the first distribution or environment that is needed and not installed; None if all are."""
        for package in self.packages:
            try:
                metadata.version(package)
            except metadata.PackageNotFoundError:
                requirement = f"samesight[{self.extra}]" if self.extra else package
                return (
                    f"{self.title} ({self.suffix}) needs {package}, which is not installed; pip install '{requirement}'"
                )
        return ENVIRONMENTS[self.environment].missing()


HERE = "samesight.conversion.formats"
FLOAT: tuple[PrecisionName, ...] = ("fp32",)
BOTH: tuple[PrecisionName, ...] = ("fp32", "int8")
TFLITE: tuple[PrecisionName, ...] = ("fp32", "fp16", "int8", "dynamic-int8")
COREML: tuple[PrecisionName, ...] = ("fp32", "fp16", "int8", "int8-weights", "palette6", "palette4")
MORE_TFLITE: tuple[PrecisionName, ...] = ("int8-weights", "int4-weights", "w8a16", "mixed")

FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format("torchscript", "TorchScript", f"{HERE}.torchscript", ".pt", FLOAT, FLOAT, ("torch",), group=2, order=4),
        Format("lite", "TorchScript lite", f"{HERE}.torchscript", ".ptl", FLOAT, FLOAT, ("torch",), group=2, order=5),
        Format("exported", "exported program", f"{HERE}.exported", ".pt2", FLOAT, FLOAT, ("torch",), group=2, order=6),
        Format(
            "onnx",
            "ONNX",
            f"{HERE}.onnx",
            ".onnx",
            (*BOTH, "dynamic-int8", "mixed"),
            BOTH,
            ("onnx", "onnxscript"),
            group=1,
            order=2,
            named=("dynamic-int8",),
        ),
        Format(
            "executorch",
            "ExecuTorch",
            f"{HERE}.executorch.xnnpack",
            ".pte",
            (*BOTH, "mixed"),
            BOTH,
            ("executorch",),
            group=2,
            order=1,
            platforms=("android", "ios"),
        ),
        Format(
            "litert",
            "TFLite",
            f"{HERE}.litert",
            ".tflite",
            (*TFLITE, *MORE_TFLITE),
            TFLITE,
            ("litert-torch", "ai-edge-quantizer"),
            group=1,
            order=1,
            platforms=("android",),
            named=("int8-weights",),
        ),
        Format(
            "coreml",
            "Core ML",
            f"{HERE}.coreml",
            ".mlpackage",
            (*COREML, "int4-weights", "mixed"),
            ("fp16",),
            ("coremltools",),
            group=2,
            order=2,
            platforms=("ios",),
        ),
        Format(
            "executorch-coreml",
            "ExecuTorch with Core ML",
            f"{HERE}.executorch.coreml",
            ".coreml.pte",
            ("fp16", "int8"),
            (),
            ("executorch", "coremltools"),
            group=2,
            order=3,
            platforms=("ios",),
        ),
        Format(
            "executorch-vulkan",
            "ExecuTorch with Vulkan",
            f"{HERE}.executorch.vulkan",
            ".vulkan.pte",
            ("fp32", "fp16", "int8"),
            (),
            ("executorch",),
            group=2,
            order=7,
        ),
        Format(
            "coreai",
            "Core AI",
            f"{HERE}.coreai",
            ".aimodel",
            ("fp32", "fp16"),
            ("fp16",),
            ("coreai-torch",),
            group=1,
            order=3,
            platforms=("ios",),
            extra="coreai",
            first="coreai._compiler.ir",
        ),
    )
}

ROUTES: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            "onnx-tf",
            "TFLite by onnx-tf and TensorFlow",
            f"{HERE}.tensorflow.onnx_tf",
            ".onnx-tf.tflite",
            TFLITE,
            TFLITE,
            (),
            group=1,
            order=1,
            platforms=("android",),
            environment="onnx-tf",
            via="litert",
        ),
        Format(
            "onnx2tf",
            "TFLite by onnx2tf and TensorFlow",
            f"{HERE}.tensorflow.onnx2tf",
            ".onnx2tf.tflite",
            TFLITE,
            TFLITE,
            (),
            group=1,
            order=1,
            platforms=("android",),
            environment="onnx2tf",
            via="litert",
        ),
    )
}
"""Other ways to formats of the table, through ONNX and with quantization of their own; `--via` asks for them."""

ONNX_ALONE = Format(
    "onnx-alone",
    "ONNX",
    f"{HERE}.onnx_alone",
    ".onnx",
    (*BOTH, "dynamic-int8"),
    BOTH,
    ("onnx", "onnxruntime"),
    group=1,
    order=2,
    via="onnx",
)
"""ONNX from an ONNX file whose network PyTorch cannot have; takes the place of the table's row for such a source."""


def find_row(name: str) -> Format:
    """The row of either table that has this name, or that of `ONNX_ALONE`."""
    if name == ONNX_ALONE.name:
        return ONNX_ALONE
    return ROUTES[name] if name in ROUTES else FORMATS[name]


def route_of(tools: Mapping[str, str]) -> str | None:
    """The route that made an artifact, by the converters that its manifest names; None where its format's own did."""
    return next((name for name in ROUTES if name in tools), None)


def made_alone(form: str, tools: Mapping[str, str]) -> bool:
    """Whether an artifact of this format, made by these tools, is of an ONNX file without a program."""
    return form == ONNX_ALONE.via and "onnxruntime" in tools and "torch" not in tools


def find_format(text: str) -> Format:
    """The row named `text`: a name of the table or a suffix with or without its dot (`tflite`, `.pte`).

    Raises:
        UsageError: no such format.
    """
    name = text.strip().lower()
    for row in FORMATS.values():
        if name in (row.name, row.suffix, row.suffix[1:]):
            return row
    suffixes = ", ".join(row.suffix[1:] for row in FORMATS.values())
    raise UsageError(f"unknown format {text!r}; choose among {suffixes}")


def formats_for(platform: str) -> list[str]:
    """The names of the formats that a platform's apps load."""
    return [row.name for row in FORMATS.values() if platform in row.platforms]
