"""The layers of a prepared program by the names that recipes have, and a recipe's schemes by the program's nodes."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from torch.fx import GraphModule, Node

from samesight.contract.errors import SamesightError
from samesight.conversion.preparation.graph import argument, module_of, nodes_of, operator_name, shape_of
from samesight.conversion.quantization.quantizer import LAYERS
from samesight.conversion.quantization.recipe import Recipe
from samesight.conversion.quantization.schemes import WEIGHT_BYTES, Scheme


@dataclass(frozen=True)
class Layer:
    """A layer of a prepared program: its name in recipes, its node there, and its weights' shape."""

    name: str
    node: str
    operator: str
    weights: tuple[int, ...]

    def bytes(self, scheme: Scheme) -> int:
        """Bytes of its weights in a scheme."""
        return prod(self.weights) * WEIGHT_BYTES[scheme]


def layers_of(module: GraphModule) -> list[Layer]:
    """The layers of a prepared program, in the order of execution.

    A layer is called by its module's path; a module with several has them numbered: `head`, `head#2`.
    """
    seen: Counter[str] = Counter()
    layers = []
    for node in nodes_of(module, LAYERS):
        weight = argument(node, 1, "weight")
        if not isinstance(weight, Node) or weight.op != "get_attr":
            continue
        path = module_of(node).rpartition(" (")[0] or "network"
        seen[path] += 1
        name = path if seen[path] == 1 else f"{path}#{seen[path]}"
        layers.append(Layer(name, node.name, operator_name(node), shape_of(weight)))
    return layers


def fingerprint_of(layers: list[Layer]) -> str:
    """A hash of the layers' names, operators and shapes: another training of the same network has the same."""
    text = json.dumps([[layer.name, layer.operator, layer.weights] for layer in layers])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def node_schemes(recipe: Recipe, module: GraphModule, source: str) -> dict[str, Scheme]:
    """The recipe's schemes by the nodes of a prepared program, as `quantize` takes them.

    Raises:
        SamesightError: it is of another network; the sentence begins with `source`.
    """
    layers = layers_of(module)
    names = [layer.name for layer in layers]
    strangers = [*(name for name in recipe.layers if name not in names), *(n for n in names if n not in recipe.layers)]
    if strangers or recipe.network != fingerprint_of(layers):
        difference = f"they differ in layer {strangers[0]!r}" if strangers else "its layers have other shapes"
        raise SamesightError(
            f"{source}: the recipe belongs to another network ({difference}); give the recipe.json of this network's "
            "bundle, or find one with --precision auto"
        )
    return {layer.node: recipe.layers[layer.name] for layer in layers}


def weight_bytes(layers: list[Layer], schemes: Mapping[str, Scheme]) -> int:
    """Bytes of all layers' weights; `schemes` by the layers' names."""
    return sum(layer.bytes(schemes[layer.name]) for layer in layers)
