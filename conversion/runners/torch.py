"""PyTorch on the CPU, one thread: TorchScript, the same for the lite interpreter, and exported programs."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.interface import Tensors
from samesight.conversion.runners.traced import TracedValue
from samesight.conversion.sources.checked_archive import checked_program, checked_torchscript


@dataclass(frozen=True)
class TorchModel:
    """A module that takes the packed input tensor and returns one tensor, or one per role."""

    module: Callable[[Any], Any]
    input_layout: TensorLayout
    roles: Sequence[Role]
    qparams: Mapping[Role, QuantParams] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let torch run on one thread in this process, as every other runtime here does.

        A small net gains nothing from two, and on a busy machine threads that wait for each other are a hundred times
        slower.
        """
        import torch

        torch.set_num_threads(1)

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        import torch

        with torch.no_grad():
            returned = self.module(torch.from_numpy(pack(tensor, self.input_layout)))
        outputs = returned if isinstance(returned, (tuple, list)) else (returned,)
        return {role: np.array(output.numpy()) for role, output in zip(self.roles, outputs, strict=True)}

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """Nothing is quantized."""
        return {}


def load(path: Path, tensors: Tensors) -> TorchModel:
    """Load a file; its suffix says which kind it is. One that could run code is refused before torch sees it.

    Raises:
        SamesightError: damaged, refused, or of a torch that this one does not read.
    """
    check, load_archive = LOADERS[path.suffix]
    archive = check(path)
    try:
        module = load_archive(archive)
    except Exception as error:  # torch raises anything from RuntimeError to UnpicklingError on damaged files
        raise SamesightError(f"{path}: torch cannot load it ({first_line(error)}); convert again") from None
    return TorchModel(
        module, tensors.input_layout, [output.role for output in tensors.outputs if output.role != "image"]
    )


def trace(path: Path, tensors: Tensors) -> Callable[[UInt8], list[TracedValue]] | None:
    """Every float value that a TorchScript file computes from the image, as an output of its graph.

    A file for the lite interpreter holds its graph too, which PyTorch runs here. None for an exported program: it is
    the float network that other files are compared with.
    """
    if path.suffix == EXPORTED:
        return None
    import torch

    module = _load_torchscript(checked_torchscript(path))
    graph = module.inlined_graph
    image = list(graph.inputs())[-1]
    computed, values = {image.debugName()}, []
    for node in graph.nodes():
        if computed.intersection(value.debugName() for value in node.inputs()):
            computed.update(value.debugName() for value in node.outputs())
            values += [value for value in node.outputs() if value.type().isSubtypeOf(torch._C.TensorType.get())]
    operators = [(value.debugName(), value.node().kind().removeprefix("aten::")) for value in values]
    for _ in list(graph.outputs()):
        graph.eraseOutput(0)
    for value in values:
        graph.registerOutput(value)
    graph.makeMultiOutputIntoTuple()
    run = torch._C._create_function_from_graph("values", graph)

    def traced(tensor: UInt8) -> list[TracedValue]:
        with torch.no_grad():
            returned = run(module._c, torch.from_numpy(pack(tensor, tensors.input_layout)))
        outputs = returned if isinstance(returned, tuple) else (returned,)
        return [
            TracedValue(name, operator, np.array(output.float().numpy()))
            for (name, operator), output in zip(operators, outputs, strict=True)
            if output.is_floating_point()
        ]

    return traced


def _load_exported(archive: io.BytesIO) -> Any:
    import torch

    with quiet():  # a damaged file's traceback would be logged
        return torch.export.load(archive).module()


def _load_torchscript(archive: io.BytesIO) -> Any:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says on every call that TorchScript is deprecated
        return torch.jit.load(archive, map_location="cpu")


def _load_lite(archive: io.BytesIO) -> Any:
    from torch.jit.mobile import _load_for_lite_interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _load_for_lite_interpreter(archive)


EXPORTED = ".pt2"
# By suffix: what checks a file, and what loads the bytes that were checked.
LOADERS: dict[str, tuple[Callable[[Path], io.BytesIO], Callable[[io.BytesIO], Any]]] = {
    ".pt": (checked_torchscript, _load_torchscript),
    ".ptl": (checked_torchscript, _load_lite),
    EXPORTED: (checked_program, _load_exported),
}
