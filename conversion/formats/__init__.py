"""The formats that a model can be converted to: one table.

Each row names a module that is imported only when it is needed; `conversion.formats.interface` says what it offers.
This module imports nothing but the standard library, so that a wrong request is answered at once.
"""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from contract.errors import UsageError

if TYPE_CHECKING:
    from conversion.formats.interface import FormatModule

Precision = Literal["fp32", "fp16", "int8", "dynamic-int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8", "dynamic-int8")


@dataclass(frozen=True)
class Format:
    """One row: how a format is called, what its files end in, what it can hold. One module may serve two suffixes.

    `title` is how people call it in a sentence. `packages` are the distributions that `convert` needs, `runtime` those
    that `load` needs (empty: it cannot be run here).
    """

    name: str
    title: str
    module: str
    suffix: str
    precisions: tuple[Precision, ...]
    packages: tuple[str, ...]
    runtime: tuple[str, ...]

    def load_module(self) -> "FormatModule":
        """Import the module of this row (slow converters are imported later, inside its functions)."""
        return cast("FormatModule", importlib.import_module(self.module))


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            "torchscript", "TorchScript", "conversion.formats.torchscript", ".pt", ("fp32",), ("torch",), ("torch",)
        ),
        Format("lite", "TorchScript lite", "conversion.formats.torchscript", ".ptl", ("fp32",), ("torch",), ("torch",)),
        Format(
            "exported", "exported program", "conversion.formats.exported", ".pt2", ("fp32",), ("torch",), ("torch",)
        ),
        Format(
            "onnx",
            "ONNX",
            "conversion.formats.onnx",
            ".onnx",
            ("fp32", "int8"),
            ("onnx", "onnxscript"),
            ("onnxruntime",),
        ),
        Format(
            "executorch",
            "ExecuTorch",
            "conversion.formats.executorch",
            ".pte",
            ("fp32", "int8"),
            ("executorch",),
            ("executorch",),
        ),
        Format(
            "litert",
            "TFLite",
            "conversion.formats.litert",
            ".tflite",
            ("fp32", "fp16", "int8", "dynamic-int8"),
            ("litert-torch", "ai-edge-quantizer"),
            ("ai-edge-litert",),
        ),
        Format("coreml", "Core ML", "conversion.formats.coreml", ".mlpackage", ("fp16",), ("coremltools",), ()),
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
