"""ExecuTorch's own runtime with XNNPACK, one thread; and reading a `.pte`'s constant methods."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout, dequantize, pack
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8, read_qparams, to_steps
from samesight.conversion.quiet import mute
from samesight.conversion.runners.executorch_schemas import GRAPH, PROGRAM, load_classes, write_classes
from samesight.conversion.runners.interface import Tensors
from samesight.conversion.runners.pte_values import with_all_outputs
from samesight.conversion.runners.traced import TracedValue

# Constant methods that return the spec, and scale and zero point per output; files that exist have these names.
SPEC_KEY = "model_json"
QPARAMS_KEY = "quanta_json"


@dataclass(frozen=True)
class ExecuTorchModel:
    """A loaded `.pte`."""

    module: Any
    input_layout: TensorLayout
    roles: Sequence[Role]
    qparams: Mapping[Role, QuantParams]

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        import torch

        outputs = self.module.forward((torch.from_numpy(pack(tensor, self.input_layout)),))
        return {role: np.array(value.numpy()) for role, value in zip(self.roles, outputs, strict=True)}

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The quantized outputs, counted in steps."""
        return to_steps(self(tensor), self.qparams)


def load(path: Path, tensors: Tensors) -> ExecuTorchModel:
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
            qparams = read_qparams(_constant(module, QPARAMS_KEY))
            # The first call builds XNNPACK's kernels and prints to standard error.
            module.forward((torch.zeros(tensors.input.shape),))
        except RuntimeError as error:
            raise SamesightError(f"{path}: ExecuTorch cannot load it ({first_line(error)}); convert again") from None
    roles = [info.role for info in tensors.outputs if info.role != "image"]
    return ExecuTorchModel(module, tensors.input_layout, roles, qparams)


def prepare_trace(scratch: Path) -> None:
    """Write the classes that `trace` rewrites a file with; they are made by a program, which `trace` may not start."""
    write_classes(scratch)


def trace(path: Path, tensors: Tensors) -> Callable[[UInt8], list[TracedValue]]:
    """Every operator's result, as an output of the file: XNNPACK's kernels, and ExecuTorch's own, hand them over."""
    import torch

    scratch = Path(tempfile.gettempdir())
    data, shown = with_all_outputs(path.read_bytes(), load_classes(scratch, PROGRAM), load_classes(scratch, GRAPH))
    # From a file: `_load_for_executorch_from_buffer` reads bytes that it does not keep alive.
    with tempfile.NamedTemporaryFile(dir=scratch, suffix=path.suffix, delete=False) as rewritten:
        rewritten.write(data)
    with mute():
        import executorch.extension.pybindings._C as native

        module = native._load_for_executorch(rewritten.name)

    def values(tensor: UInt8) -> list[TracedValue]:
        outputs = module.forward((torch.from_numpy(pack(tensor, tensors.input_layout)),))
        found = []
        for value in shown:
            stored = outputs[value.position].numpy()
            real = (
                np.array(stored, np.float32)
                if value.scale is None
                else dequantize(stored, value.scale, value.zero_point)
            )
            found.append(TracedValue(value.name, value.operator, real))
        return found

    return values


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
            raise SamesightError(f"{path}: ExecuTorch cannot load it ({first_line(error)}); convert again") from None


def read_output_qparams(path: Path) -> dict[Role, QuantParams]:
    """Scale and zero point of an int8 file's outputs; empty for a float file (errors as in `read_constant`)."""
    return read_qparams(read_constant(path, QPARAMS_KEY))


def _constant(module: Any, name: str) -> str | None:
    return str(module.run_method(name, [])[0]) if name in module.method_names() else None
