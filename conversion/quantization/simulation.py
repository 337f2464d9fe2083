"""A prepared program that computes in float what its int8 artifacts will: fake quantization that can be changed.

It takes batches, so that calibration may ask many questions about the same images: what if this tensor had another
range, what if these weights were rounded otherwise. `quantize` makes the program itself from the answers.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg

from samesight.contract.errors import SamesightError
from samesight.conversion.preparation.activations import quantizable
from samesight.conversion.preparation.prepare import Prepared
from samesight.conversion.qparams import QuantParams
from samesight.conversion.quantization.activation_qparams import HIGHEST, LOWEST, observed
from samesight.conversion.quantization.batches import check_batches, free_the_batch
from samesight.conversion.quantization.quantizer import PhoneQuantizer, WeightObserver, weight_scales
from samesight.conversion.quantization.schemes import Scheme

CHUNK_PIXELS = 25 * 64 * 64
"""Pixels of the images that run together."""


class Activation(nn.Module):
    """What stands at every tensor of one scale: quantizes and dequantizes, once it has `qparams`."""

    def __init__(self) -> None:
        super().__init__()
        self.qparams: QuantParams | None = None

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return x if self.qparams is None else fake_quantized(x, self.qparams)


class Weight(nn.Module):
    """What stands at a layer's weight: quantizes and dequantizes it per channel where `active`."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis, self.active = axis, True

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if not self.active:
            return x
        scales = weight_scales(x.detach(), self.axis)
        zeros = torch.zeros(len(scales), dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(x, scales, zeros, self.axis, -HIGHEST, HIGHEST)


class Constant(nn.Module):
    """What stands at a constant that an operator takes beside activations, as it is quantized: by its own range.

    Attributes:
        qparams: of the constant.
        active: whether it is quantized.
        activation: the one whose scale calibration gives to both, if there is one.
    """

    def __init__(self, qparams: QuantParams, activation: Activation | None) -> None:
        super().__init__()
        self.qparams, self.active = qparams, True
        self.shared = [activation]  # in a list, since it is not a submodule

    @property
    def activation(self) -> Activation | None:
        """See the class."""
        return self.shared[0]

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return fake_quantized(x, self.qparams) if self.active else x


def fake_quantized(x: Tensor, qparams: QuantParams) -> Tensor:
    """The values that int8 with this scale and zero point can hold, nearest to `x`."""
    return torch.fake_quantize_per_tensor_affine(x, qparams.scale, qparams.zero_point, LOWEST, HIGHEST)


@dataclass(eq=False)
class Simulation:
    """The program and its fake quantization.

    Attributes:
        module: takes float32 [n,C,H,W] values 0..255 and returns one tensor per role; its parameters have the names
            that they have in the prepared program.
        batched: whether n may be more than 1.
        activations: by the name of the observed value; values of one scale share one.
        sites: by the name of the observed value, the submodule that stands there.
        weights: by the name of the parameter.
        constants: by the submodule that stands there.
    """

    module: GraphModule
    batched: bool
    activations: dict[str, Activation] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)
    weights: dict[str, Weight] = field(default_factory=dict)
    constants: dict[str, Constant] = field(default_factory=dict)

    def set_ranges(self, ranges: dict[str, QuantParams]) -> None:
        """Quantize the named activations with these scales and zero points."""
        for name, qparams in ranges.items():
            self.activations[name].qparams = qparams

    def quantize_constants(self, active: bool) -> None:
        """Quantize weights and other constants, or do not."""
        constants: list[Weight | Constant] = [*self.weights.values(), *self.constants.values()]
        for constant in constants:
            constant.active = active

    def in_float(self) -> None:
        """Quantize nothing."""
        for activation in self.activations.values():
            activation.qparams = None
        self.quantize_constants(False)

    def chunks(self, pixels: Tensor) -> Iterator[Tensor]:
        """The images in parts that may run together."""
        count = max(1, CHUNK_PIXELS // (pixels.shape[2] * pixels.shape[3])) if self.batched else 1
        yield from pixels.split(count)

    def outputs(self, pixels: Tensor) -> list[Tensor]:
        """One tensor per role for float32 [n,C,H,W] values 0..255."""
        with torch.no_grad():
            parts = [self.module(chunk) for chunk in self.chunks(pixels)]
        return [torch.cat(role) for role in zip(*parts, strict=True)]

    def parameters(self) -> dict[str, Tensor]:
        """Copies of all parameters."""
        return {name: parameter.detach().clone() for name, parameter in self.module.named_parameters()}

    def load(self, parameters: dict[str, Tensor]) -> None:
        """Put such copies back."""
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                parameter.copy_(parameters[name])


def simulate(prepared: Prepared, schemes: Mapping[str, Scheme] = MappingProxyType({})) -> Simulation:
    """The simulation of a prepared program; no activation has a range yet.

    `schemes` says by node how layers compute that are not int8.
    """
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

    module, batched = quantizable(prepared.module), True
    free_the_batch(module)
    try:
        check_batches(module, prepared.spec)
    except SamesightError:
        module, batched = quantizable(prepared.module), False
    module = prepare_pt2e(module, PhoneQuantizer(schemes=schemes))
    modules = dict(module.named_modules(remove_duplicate=False))
    simulation = Simulation(module, batched)
    shared: dict[int, Activation] = {}
    for value, site in list(observed(module)):
        activation = shared.setdefault(id(modules[site]), Activation())
        module.set_submodule(site, activation)
        simulation.activations[value.name], simulation.sites[value.name] = activation, site
    for node in module.graph.nodes:
        if node.op != "call_module" or node.args[0].op != "get_attr":
            continue
        site, name = str(node.target), str(node.args[0].target)
        observer = modules[site]
        if isinstance(observer, WeightObserver):
            simulation.weights[name] = Weight(observer.ch_axis)
            module.set_submodule(site, simulation.weights[name])
        elif observer.dtype == torch.int8:  # of 16 bits no rounding is seen
            simulation.constants[site] = _constant(attribute(module, name), observer, shared.get(id(observer)))
            module.set_submodule(site, simulation.constants[site])
    return simulation


def _constant(value: Tensor, observer: Any, activation: Activation | None) -> Constant:
    own = copy.deepcopy(observer)
    own(value.detach())
    scale, zero_point = own.calculate_qparams()
    return Constant(QuantParams(float(scale), int(zero_point)), activation)


Visit = Callable[[Node, dict[Node, Any], dict[Node, Any], Callable[[Node], Any]], None]


def run_beside_float(
    simulation: Simulation, reference: dict[str, Tensor], pixels: Tensor, layers: tuple[Any, ...], visit: Visit
) -> None:
    """Run all images through the float program, which has the `reference` parameters, and the quantized one at once.

    `visit(layer, floats, quantized, again)` is called behind every layer with the values of both programs so far; it
    may change the layer's parameters, and then computes its quantized value anew with `again`. All behind sees that.
    """
    graph = simulation.module.graph
    modules = dict(simulation.module.named_modules(remove_duplicate=False))
    last = {source: node for node in graph.nodes for source in node.all_input_nodes}
    floats: dict[Node, Any] = {}
    quantized: dict[Node, Any] = {}

    def compute(node: Node, values: dict[Node, Any]) -> Any:
        args = map_arg(node.args, lambda source: values[source])
        if node.op == "call_module":
            return modules[str(node.target)](*args)
        return node.target(*args, **map_arg(node.kwargs, lambda source: values[source]))  # type: ignore[operator]

    with torch.no_grad():
        for node in graph.nodes:
            if node.op == "placeholder":
                floats[node] = quantized[node] = pixels
            elif node.op == "get_attr":
                name = str(node.target)
                quantized[node] = attribute(simulation.module, name).clone()
                floats[node] = reference.get(name, quantized[node])
            elif node.op == "call_module" and node.args and node.args[0] in floats and len(node.args) == 1:
                floats[node] = floats[node.args[0]]
                quantized[node] = compute(node, quantized)
            elif node.op == "call_function":
                floats[node], quantized[node] = compute(node, floats), compute(node, quantized)
                if node.target in layers:
                    visit(node, floats, quantized, lambda each: compute(each, quantized))
            for source in node.all_input_nodes:
                if last[source] is node:
                    floats.pop(source, None)
                    quantized.pop(source, None)


def attribute(module: nn.Module, name: str) -> Tensor:
    """The parameter, buffer or constant of a dotted name."""
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part)
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} is no tensor")
    return value
