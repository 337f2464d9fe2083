"""Reads an ONNX file as a network of torch, and proves by ONNX Runtime that it computes the same.

The readers of the package index (onnx2torch, onnx2pytorch) know operators up to opset 17 and keep lengths in tensors,
which torch.export cannot follow.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from samesight.contract.errors import SamesightError, describe_error
from samesight.contract.spec import ModelSpec
from samesight.conversion.snr import decibels
from samesight.conversion.sources.export import export_network
from samesight.conversion.sources.onnx.call import Call, UnreadableError
from samesight.conversion.sources.onnx.file import folded, read_model, run_session
from samesight.conversion.sources.onnx.operators import OPERATORS

if TYPE_CHECKING:
    from torch.export import ExportedProgram

SEED, IMAGES = 0, 4
LEAST_DECIBELS = 90.0


class UnreadNetworkError(SamesightError):
    """A sound file whose network is not read; `reason` names the operator."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; export the network from PyTorch with torch.export instead")
        self.reason = reason


class OnnxNetwork(torch.nn.Module):
    """The operators of a file with folded constants, one after another; takes [1, C, H, W].

    Returns its outputs in their order, or by name where the names are those of `names`.
    """

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        from onnx import helper, numpy_helper

        super().__init__()
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.nodes = [
            (
                node.op_type,
                list(node.input),
                list(node.output),
                {a.name: helper.get_attribute_value(a) for a in node.attribute},
            )
            for node in model.graph.node
        ]
        for kind, _, outputs, attributes in self.nodes:
            if kind == "Constant" and "value" in attributes:
                self.constants[outputs[0]] = numpy_helper.to_array(attributes["value"])
        self.nodes = [node for node in self.nodes if node[0] != "Constant"]
        self.opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        self.image = next(value.name for value in model.graph.input if value.name not in self.constants)
        self.outputs = [value.name for value in model.graph.output]
        self.by_name = set(self.outputs) == set(names)
        self.weights = {}
        for number, (name, array) in enumerate(self.constants.items()):
            self.weights[name] = f"weight_{number}"
            tensor = torch.from_numpy(np.array(array))
            if tensor.is_floating_point():
                self.register_parameter(f"weight_{number}", torch.nn.Parameter(tensor, requires_grad=False))
            else:
                self.register_buffer(f"weight_{number}", tensor)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor] | tuple[torch.Tensor, ...]:
        """The outputs."""
        values: dict[str, torch.Tensor] = {self.image: image}

        def value(name: str) -> torch.Tensor | None:
            if not name:
                return None
            return values[name] if name in values else getattr(self, self.weights[name])

        for kind, inputs, outputs, attributes in self.nodes:
            if kind not in OPERATORS:
                raise UnreadableError(kind)
            numbers = tuple(self.constants.get(name) for name in inputs)
            try:
                call = Call(kind, attributes, tuple(map(value, inputs)), numbers, len(outputs), self.opset)
                made = OPERATORS[kind](call)
            except (RuntimeError, TypeError, ValueError, KeyError, IndexError) as error:
                raise UnreadableError(f"{kind} in a form ({describe_error(error)})") from error
            results = [made] if isinstance(made, torch.Tensor) else list(made)
            values.update(zip(outputs, results, strict=False))
        returned = {name: cast("torch.Tensor", value(name)) for name in self.outputs}
        return returned if self.by_name else tuple(returned.values())


def read_network(path: Path, spec: ModelSpec, scratch: Path) -> "ExportedProgram":
    """The file as an exported program that gives what ONNX Runtime gives.

    Args:
        path: the `.onnx` file.
        spec: its input fixes free sides.
        scratch: for a file with folded constants.

    Raises:
        SamesightError: damaged, or another input than the spec's.
        UnreadNetworkError: it is sound, but has an operator, or a form of one, that is not read.
    """
    model = read_model(path, spec)
    session = run_session(model, path)
    network = OnnxNetwork(folded(model, path, scratch), spec.outputs.tensors)
    size = spec.input
    shape = (1, size.channel_count, size.height, size.width)
    images = np.random.default_rng(SEED).standard_normal((IMAGES, *shape)).astype(np.float32)
    try:
        with torch.no_grad():
            actual = [tree_leaves(network(torch.from_numpy(image))) for image in images]
    except UnreadableError as error:
        raise UnreadNetworkError(path, f"uses {error}, which is not read as a network of PyTorch") from error
    for number, name in enumerate(network.outputs):
        expected = np.concatenate([session.run([name], {network.image: image})[0].ravel() for image in images])
        found = torch.cat([outputs[number].flatten() for outputs in actual]).numpy()
        same = expected.shape == found.shape
        noise = float(np.square(expected.astype(np.float64) - found).sum()) if same else np.inf
        signal = float(np.square(expected.astype(np.float64)).sum())
        if not same or decibels(signal, noise) < LEAST_DECIBELS:
            reason = f"gives another output {number} ({name}) as a network of PyTorch than in ONNX Runtime"
            raise UnreadNetworkError(path, reason)
    try:
        return export_network(network, size, str(path))
    except SamesightError as error:
        reason = str(error).removeprefix(f"{path}: ").partition(";")[0]
        raise UnreadNetworkError(path, f"cannot be exported as a network of PyTorch ({reason})") from error
