"""Readers: a module per kind of file, `read(path)` gives its network. The files alone are read, without torch.

A bundle carries the artifacts and not the programs they were made from, and converters change operators on the way:
what a phone runs is what stands in the file. TorchScript and exported programs are for servers and have no row.
"""

import importlib
from collections.abc import Callable
from pathlib import Path

from samesight.conversion.known_faults.network import Network


def _reader(module: str) -> Callable[[Path], Network]:
    """Imports a reader when it is needed: some need slow libraries."""

    def read(path: Path) -> Network:
        network: Network = importlib.import_module(f"{__name__}.{module}").read(path)
        return network

    return read


READERS: dict[str, Callable[[Path], Network]] = {
    "onnx": _reader("onnx_file"),
    "litert": _reader("tflite_file"),
    "executorch": _reader("pte_file"),
    "executorch-vulkan": _reader("vulkan_file"),
    "coreml": _reader("ml_program"),
    "executorch-coreml": _reader("ml_program"),
    "coreai": _reader("coreai_asset"),
}
