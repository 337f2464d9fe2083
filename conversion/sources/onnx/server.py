"""An ONNX file as the server model: ONNX Runtime answers, not what was read of the file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samesight.contract.spec import ModelSpec
from samesight.conversion.sources.onnx.file import read_model, run_session
from samesight.conversion.sources.server_model import ServerModel, tried

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class OnnxServer:
    """Callable as a network of torch: float32 [1, C, H, W] to its outputs, by name where the spec uses their names."""

    session: Any
    by_name: bool

    def __call__(self, image: "Tensor") -> "dict[str, Tensor] | list[Tensor]":
        """The outputs, float32."""
        import torch

        names = [output.name for output in self.session.get_outputs()]
        returned = self.session.run(names, {self.session.get_inputs()[0].name: image.numpy()})
        tensors = [torch.from_numpy(array) for array in returned]
        return dict(zip(names, tensors, strict=True)) if self.by_name else tensors


def load_onnx_server(path: Path, spec: ModelSpec) -> ServerModel:
    """Load an `.onnx` file as the server model of a spec, and try it once.

    Raises:
        SamesightError: the file is damaged, or network and spec contradict each other.
    """
    session = run_session(read_model(path, spec), path)
    names = {output.name for output in session.get_outputs()}
    return tried(ServerModel(spec, OnnxServer(session, names == set(spec.outputs.tensors))))
