"""The formats that a model can be converted to: one table.

Each row names a module that is imported only when it is needed; `interface.py` says what it offers.
This module imports nothing but the standard library, so that a wrong request is answered at once.
"""

import importlib
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Literal, cast

from samesight.contract.errors import UsageError

if TYPE_CHECKING:
    from samesight.conversion.formats.interface import FormatModule

Precision = Literal["fp32", "fp16", "int8", "dynamic-int8", "int8-weights", "palette6", "palette4"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8", "dynamic-int8", "int8-weights", "palette6", "palette4")


@dataclass(frozen=True)
class Format:
    """One row: how a format is called, what its files end in, what it can hold. One module may serve two suffixes.

    `title` is how people call it in a sentence. `packages` are the distributions that `convert` needs, `runtime` those
    that `load` needs. `standard` are the precisions that are made when nothing is asked for. `runner` is what runs the
    files here, where that is not the phone's runtime. `emulated`: what runs them here is no phone's kernels, so that
    its time means nothing. `extra`: the distribution's extra that installs the packages. `first`: a module that is
    imported before anything can move its place in memory, because what is written is named by addresses there.
    """

    name: str
    title: str
    module: str
    suffix: str
    precisions: tuple[Precision, ...]
    standard: tuple[Precision, ...]
    packages: tuple[str, ...]
    runtime: tuple[str, ...]
    runner: str | None = None
    emulated: bool = False
    extra: str | None = None
    first: str | None = None

    def load_module(self) -> "FormatModule":
        """Import the module of this row (slow converters are imported later, inside its functions)."""
        return cast("FormatModule", importlib.import_module(self.module))

    def lacking(self, packages: tuple[str, ...]) -> str | None:
        """A sentence about the first of these distributions that is not installed; None if all are."""
        for package in packages:
            try:
                metadata.version(package)
            except metadata.PackageNotFoundError:
                wanted = f"samesight[{self.extra}]" if self.extra else package
                return f"{self.title} ({self.suffix}) needs {package}, which is not installed; pip install '{wanted}'"
        return None


HERE = "samesight.conversion.formats"
FLOAT: tuple[Precision, ...] = ("fp32",)
BOTH: tuple[Precision, ...] = ("fp32", "int8")
TFLITE: tuple[Precision, ...] = ("fp32", "fp16", "int8", "dynamic-int8")
COREML: tuple[Precision, ...] = ("fp32", "fp16", "int8", "int8-weights", "palette6", "palette4")
EVALUATOR = "Core ML evaluator"

FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format("torchscript", "TorchScript", f"{HERE}.torchscript", ".pt", FLOAT, FLOAT, ("torch",), ("torch",)),
        Format("lite", "TorchScript lite", f"{HERE}.torchscript", ".ptl", FLOAT, FLOAT, ("torch",), ("torch",)),
        Format("exported", "exported program", f"{HERE}.exported", ".pt2", FLOAT, FLOAT, ("torch",), ("torch",)),
        Format("onnx", "ONNX", f"{HERE}.onnx", ".onnx", BOTH, BOTH, ("onnx", "onnxscript"), ("onnxruntime",)),
        Format(
            "executorch",
            "ExecuTorch",
            f"{HERE}.executorch.xnnpack",
            ".pte",
            BOTH,
            BOTH,
            ("executorch",),
            ("executorch",),
        ),
        Format(
            "litert",
            "TFLite",
            f"{HERE}.litert",
            ".tflite",
            TFLITE,
            TFLITE,
            ("litert-torch", "ai-edge-quantizer"),
            ("ai-edge-litert",),
        ),
        Format(
            "coreml",
            "Core ML",
            f"{HERE}.coreml",
            ".mlpackage",
            COREML,
            ("fp16",),
            ("coremltools",),
            ("coremltools",),
            runner=EVALUATOR,
            emulated=True,
        ),
        Format(
            "executorch-coreml",
            "ExecuTorch with Core ML",
            f"{HERE}.executorch.coreml",
            ".coreml.pte",
            ("fp16", "int8"),
            (),
            ("executorch", "coremltools"),
            ("executorch", "coremltools"),
            runner=EVALUATOR,
            emulated=True,
        ),
        Format(
            "coreai",
            "Core AI",
            f"{HERE}.coreai",
            ".aimodel",
            ("fp32", "fp16"),
            ("fp16",),
            ("coreai-torch",),
            ("coreai-core",),
            emulated=True,
            extra="coreai",
            first="coreai._compiler.ir",
        ),
    )
}


def find_format(text: str) -> Format:
    """The row called `text`: a name of the table or a suffix with or without its dot (`tflite`, `.pte`).

    Raises:
        UsageError: no such format.
    """
    wanted = text.strip().lower()
    for row in FORMATS.values():
        if wanted in (row.name, row.suffix, row.suffix[1:]):
            return row
    known = ", ".join(row.suffix[1:] for row in FORMATS.values())
    raise UsageError(f"unknown format {text!r}; choose among {known}")
