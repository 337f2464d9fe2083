"""A saved Core ML package read back: its description, and its program as coremltools' own objects."""

import json
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError, first_line
from samesight.conversion.quiet import mute, quiet
from samesight.conversion.runners.coreml.import_coremltools import import_coremltools

MAIN = "main"
# What coremltools converts from; importing it with them takes 8 s, without 3.
CONVERTED = ("torch", "torchvision", "torchaudio", "torchao", "executorch")


@dataclass(frozen=True)
class Package:
    """A package's protobuf `model` (coremltools' Model_pb2.Model), and where its weights lie."""

    path: Path
    model: Any
    weights: Path

    @property
    def function_name(self) -> str:
        """The function that Core ML runs if nobody asks for another."""
        return self.model.description.defaultFunctionName or MAIN

    @property
    def description(self) -> Any:
        """Inputs and outputs of that function: a ModelDescription or a FunctionDescription."""
        for function in self.model.description.functions:
            if function.name == self.function_name:
                return function
        return self.model.description

    @property
    def metadata(self) -> dict[str, str]:
        """What the author wrote into the file, by key."""
        return dict(self.model.description.metadata.userDefined)


def import_reader() -> None:
    """Import coremltools for reading alone, without torch, in a process that will never convert.

    Does nothing where coremltools has been imported already.
    """
    if "coremltools" in sys.modules:
        return
    modules: dict[str, Any] = sys.modules  # None there makes an import fail at once
    saved_modules = {name: modules.pop(name, None) for name in CONVERTED}
    modules.update(dict.fromkeys(CONVERTED))
    try:
        with mute():
            import_coremltools()
    finally:
        for name, module in saved_modules.items():
            if module is None:
                modules.pop(name, None)
            else:
                modules[name] = module


def read_package(path: Path) -> Package:
    """Read the description of a `.mlpackage` folder; its weights stay on disk.

    Raises:
        SamesightError: no such folder, not a package, damaged, or not an ML program.
    """
    if not path.is_dir():
        problem = "is not a folder, which a .mlpackage is" if path.exists() else "no such package"
        raise SamesightError(f"{path}: {problem}; give a .mlpackage")
    with mute():
        import_coremltools()
        from coremltools.proto import Model_pb2
    try:
        manifest = json.loads((path / "Manifest.json").read_text())
        root = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
        file = path / "Data" / root
        model = Model_pb2.Model()
        model.ParseFromString(file.read_bytes())
    except Exception as error:  # protobuf's DecodeError, JSON's and the file system's own
        raise SamesightError(
            f"{path}: not a whole .mlpackage ({first_line(error)}); save or copy it again with all its files"
        ) from None
    kind = model.WhichOneof("Type")
    if kind != "mlProgram":
        raise SamesightError(
            f"{path}: holds a {kind or 'nothing'}, not an ML program; convert it with convert_to='mlprogram'"
        )
    return Package(path, model, file.parent / "weights")


def unknown_operators(package: Package, known: Collection[str]) -> dict[str, int]:
    """Types of operators that are not among `known`, and how often each occurs in the program."""
    function = package.model.mlProgram.functions[package.function_name]
    counts = Counter(
        operation.type for block in function.block_specializations.values() for operation in _operations(block)
    )
    return {name: count for name, count in sorted(counts.items()) if name not in known}


def load_function(package: Package) -> Any:
    """Rebuild the package's function with coremltools: defaults filled in, weights read, types inferred.

    Raises:
        SamesightError: coremltools cannot read it: damaged weights, or a newer program than it knows.
    """
    from coremltools.converters.mil.frontend.milproto.load import load

    try:
        with quiet():
            program = load(package.model, package.model.specificationVersion, file_weights_dir=str(package.weights))
        return program.functions[package.function_name]
    except Exception as error:  # anything from KeyError to a RuntimeError of the native reader
        raise SamesightError(
            f"{package.path}: coremltools cannot read its program ({first_line(error)}); save or copy it again"
        ) from None


def _operations(block: Any) -> Iterator[Any]:
    for operation in block.operations:
        yield operation
        for inner in operation.blocks:
            yield from _operations(inner)
