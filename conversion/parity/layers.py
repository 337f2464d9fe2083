"""Compares a Core ML program with the network that it was made from: outputs, and values with the same name in both.

coremltools names an operator after the node of the exported program that it stands for (and appends `_cast_fp16`), so
that values can be compared by name where their shapes agree. The reference is the prepared float program, evaluated
node by node.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from samesight.contract.tensor_layout import pack
from samesight.conversion.qparams import Float32, Float64, UInt8
from samesight.conversion.runners.coreml.evaluator import Evaluator
from samesight.conversion.runners.coreml.package import feed, outputs_by_role
from samesight.conversion.snr import decibels, role_figures

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from samesight.contract.verdicts import RoleFigures
    from samesight.conversion.preparation.prepare import Prepared
    from samesight.conversion.sources.server_model import ServerModel

SUFFIXES = ("_cast_fp16", "_cast_fp32", "_cast_uint16", "_cast")
TINY = 1e-30
FLOOR_DB = 40.0
FLOOR_QUANTIZED_DB = 15.0
"""Below it a value departs: half precision leaves 45 dB and more, 8 bits 20 and more, a fault a few."""


@dataclass(frozen=True)
class Layer:
    """One value of the program compared with the network's: `db` is signal to noise over all images; None: equal."""

    name: str
    operator: str
    node: str
    shape: tuple[int, ...]
    db: float | None


@dataclass
class Tally:
    """Sums over all elements of one value: enough for its energy about the mean and that of the difference.

    `factors` are the least and the largest that equalization before int8 may have multiplied each channel by,
    float64 [2,C]. What differs from both the plain and the equalized value counts. `rounding` is the largest relative
    error of the numbers that hold the values; what differs by no more is compared with the energy about zero, since it
    may be more than all that nearly constant values (a bias, and nothing else) vary by.
    """

    operator: str
    node: str
    shape: tuple[int, ...]
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    noise: float = 0.0
    factors: Float64 | None = None
    by_channel: Float64 | None = None
    rounding: float = 0.0

    def add(self, expected: Float32, actual: Float32) -> None:
        """Count one image."""
        values = expected.astype(np.float64)
        self.count += values.size
        self.total += float(values.sum())
        self.squares += float(np.square(values).sum())
        self.noise += float(np.square(actual.astype(np.float64) - values).sum())
        if self.factors is not None:
            channels = self.factors.shape[1]
            right, found = (each.astype(np.float64).reshape(channels, -1) for each in (expected, actual))
            sums = np.stack([(right * right).sum(1), (right * found).sum(1), (found * found).sum(1)])
            self.by_channel = sums if self.by_channel is None else self.by_channel + sums

    @property
    def db(self) -> float | None:
        """Signal to noise; None where nothing differs."""
        if self.noise == 0.0:
            return None
        noise, energy = min(self.noise, self._equalized_noise()), self.squares - self.total**2 / self.count
        return decibels(self.squares if noise <= self.rounding**2 * self.squares else energy, noise)

    def _equalized_noise(self) -> float:
        """The noise with each channel divided by its factor; of those that it may have, the one that fits best."""
        if self.factors is None or self.by_channel is None or not np.isfinite(self.by_channel).all():
            return math.inf
        expected, product, actual = self.by_channel
        fitting = product / np.maximum(actual, TINY)
        gain = np.clip(fitting, 1 / self.factors[1], 1 / self.factors[0])
        return float(np.maximum(0.0, expected - 2 * gain * product + gain**2 * actual).sum())


def floor_of(evaluator: Evaluator) -> float:
    """The default bound in dB below which a value of this program departs."""
    return FLOOR_QUANTIZED_DB if evaluator.quantized else FLOOR_DB


def compare_outputs(evaluator: Evaluator, server: "ServerModel", tensors: Iterable[UInt8]) -> "list[RoleFigures]":
    """Signal to noise of every output against the server model, over input tensors uint8 [n, H, W, C]."""
    expected, actual = [], []
    for tensor in tensors:
        expected.append(server.outputs(tensor))
        actual.append(outputs_by_role(evaluator, evaluator(feed(evaluator, tensor)), server.spec))
    return [
        role_figures(role, [outputs[role] for outputs in expected], [outputs[role] for outputs in actual])
        for role in server.spec.roles
    ]


def compare_layers(evaluator: Evaluator, prepared: "Prepared", tensors: Iterable[UInt8]) -> list[Layer]:
    """Compare every value that has the same name in the program and the prepared network, in the order of execution."""
    tallies: dict[str, Tally] = {}
    tensors = list(tensors)
    program = prepared.exported.run_decompositions({})
    record = node_values(program)
    # Calibration for int8 may have multiplied channels, and divided by as much behind them.
    activations = any(step.kind == "quantize" for step in evaluator.steps)
    factors = equalizing_bounds(program, tensors) if activations else {}
    for tensor in tensors:
        expected = record(tensor)
        for declared, operator, actual in evaluator.trace(feed(evaluator, tensor)):
            node = node_of(declared.name, expected)
            if node is None or expected[node].shape != actual.shape:
                continue
            tally = tallies.setdefault(declared.name, Tally(operator, node, actual.shape, factors=factors.get(node)))
            tally.add(expected[node], actual)
    return [Layer(name, tally.operator, tally.node, tally.shape, tally.db) for name, tally in tallies.items()]


def equalizing_bounds(program: "ExportedProgram", tensors: Iterable[UInt8]) -> dict[str, Float64]:
    """The least and the largest factor of each channel of a node's value in int8, float64 [2,C] by the node.

    `program` is decomposed, and takes the contract's pixels; `tensors` are uint8 [H,W,C].
    """
    from samesight.conversion.preparation.prepare import pixels_of
    from samesight.conversion.quantization.calibrate import EQUALIZING
    from samesight.conversion.quantization.equalization import factor_bounds

    images = (pixels_of(tensor[None]) for tensor in tensors)
    bounds = factor_bounds(program.module(check_guards=False), images, EQUALIZING)
    return {node: factors.double().numpy() for node, factors in bounds.items()}


def first_departure(layers: Sequence[Layer], floor: float) -> Layer | None:
    """The first value below the floor."""
    return next((layer for layer in layers if layer.db is not None and layer.db < floor), None)


def node_values(program: "ExportedProgram") -> Callable[[UInt8], dict[str, Float32]]:
    """A function from an input tensor uint8 [H, W, C] to the float value of every node of a prepared program.

    `program` is decomposed, so that nodes have the names that coremltools and torch's ONNX exporter take over.
    """
    import torch

    module: Any = program.module(check_guards=False)
    values: dict[str, Float32] = {}

    class Recorder(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            value = super().run_node(n)
            if n.op == "call_function" and isinstance(value, torch.Tensor):
                values[n.name] = np.array(value.detach().float().numpy())
            return value

    def record(tensor: UInt8) -> dict[str, Float32]:
        values.clear()
        with torch.no_grad():
            Recorder(module).run(torch.from_numpy(pack(tensor, "float32_nchw")))
        return dict(values)

    return record


def node_of(name: str, nodes: Mapping[str, Any]) -> str | None:
    """The node that a value of the program is named after."""
    plain = next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)
    return plain if plain in nodes else None
