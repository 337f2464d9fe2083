"""Activations that a converter or runtime takes wrongly or not at all, written with operators that all of them take.

| operator | what goes wrong without the rewrite |
|---|---|
| softplus, elu, selu, celu, mish in int8 | lowered to a choice of branches, which TFLite's quantizer gives one scale |
| softplus, mish, log_sigmoid, hardshrink in int8 | an ExecuTorch file that does not load |
| a division by a map of one channel in int8 | an ExecuTorch file that does not run (error 0x10) |
| celu in int8 | ExecuTorch's exporter ends in an error of its own |
| log_sigmoid, hardshrink, threshold in int8 | refused by litert_torch |
| glu | refused by litert_torch |
| hardtanh by another name (clamp) | quantizers do not know it, and it stays float |

The formulas are those of PyTorch's documentation (torch.nn.functional), with both branches as sums: where one is not
taken, it adds zero.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch.fx import GraphModule, Node

from samesight.conversion.preparation.constant_parts import rewrite_constant_parts
from samesight.conversion.preparation.graph import (
    add_call,
    argument,
    aten,
    drop_unread_tensors,
    nodes_of,
    replace,
    shape_of,
)

# Klambauer et al. 2017, Self-Normalizing Neural Networks, as torch.nn.functional.selu has them.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


class Formula:
    """Builds nodes just before an operator, in its place."""

    def __init__(self, module: GraphModule, node: Node) -> None:
        """`node` is the operator that is replaced."""
        self.module, self.node = module, node

    def __call__(self, target: Any, *args: Any) -> Node:
        """The value of an operator."""
        return add_call(self.module, target, args, self.node, self.node)

    def scaled(self, value: Node, factor: float) -> Node:
        """`value * factor`."""
        return value if factor == 1.0 else self(aten.mul.Tensor, value, factor)

    def negative_part(self, value: Node) -> Node:
        """`relu(-value)`."""
        return self(aten.relu.default, self(aten.neg.default, value))


def softplus_of(formula: Formula, value: Node, beta: float = 1.0) -> Node:
    """log(1 + exp(beta x)) / beta as relu(x) + log(1 + exp(-|beta x|)) / beta, which does not overflow."""
    inverse = formula(aten.exp.default, formula.scaled(formula(aten.abs.default, value), -beta))
    rest = formula.scaled(formula(aten.log1p.default, inverse), 1.0 / beta)
    return formula(aten.add.Tensor, formula(aten.relu.default, value), rest)


def _softplus(formula: Formula, node: Node) -> Node:
    return softplus_of(formula, node.args[0], float(argument(node, 1, "beta", 1.0)))  # type: ignore[arg-type]


def _log_sigmoid(formula: Formula, node: Node) -> Node:
    negated = formula(aten.neg.default, node.args[0])
    return formula(aten.neg.default, softplus_of(formula, negated))


def _mish(formula: Formula, node: Node) -> Node:
    image: Any = node.args[0]
    return formula(aten.mul.Tensor, image, formula(aten.tanh.default, softplus_of(formula, image)))


def elu_of(formula: Formula, node: Node, alpha: float, scale: float, input_scale: float) -> Node:
    """Scale * (relu(x) + alpha * (exp(-input_scale * relu(-x)) - 1))."""
    image: Any = node.args[0]
    decay = formula(aten.exp.default, formula.scaled(formula.negative_part(image), -input_scale))
    negative = formula.scaled(formula(aten.sub.Tensor, decay, 1.0), alpha * scale)
    return formula(aten.add.Tensor, formula.scaled(formula(aten.relu.default, image), scale), negative)


def _elu(formula: Formula, node: Node) -> Node:
    alpha, scale, input_scale = (
        float(argument(node, index, name, 1.0)) for index, name in ((1, "alpha"), (2, "scale"), (3, "input_scale"))
    )
    return elu_of(formula, node, alpha, scale, input_scale)


def _selu(formula: Formula, node: Node) -> Node:
    return elu_of(formula, node, SELU_ALPHA, SELU_SCALE, 1.0)


def _celu(formula: Formula, node: Node) -> Node:
    alpha = float(argument(node, 1, "alpha", 1.0))
    return elu_of(formula, node, alpha, 1.0, 1.0 / alpha)


def _above(formula: Formula, value: Node, threshold: float) -> Node:
    """1 where the value is above a threshold, else 0."""
    return formula(aten.sign.default, formula(aten.relu.default, formula(aten.sub.Tensor, value, threshold)))


def _shrinking_choice(formula: Formula, node: Node) -> Node | None:
    """`where(abs(x) <= lambd, 0, x)`, to which PyTorch lowers hardshrink."""
    condition, zero, image = node.args
    compares = isinstance(condition, Node) and condition.target is aten.le.Scalar and zero == 0
    if not compares or not isinstance(image, Node):
        return None
    magnitude, threshold = condition.args  # type: ignore[union-attr]
    if not isinstance(magnitude, Node) or magnitude.target is not aten.abs.default or magnitude.args[0] is not image:
        return None
    return formula(aten.mul.Tensor, image, _above(formula, magnitude, float(threshold)))  # type: ignore[arg-type]


def _threshold(formula: Formula, node: Node) -> Node:
    image: Any = node.args[0]
    threshold, value = float(node.args[1]), float(node.args[2])  # type: ignore[arg-type]
    kept = _above(formula, image, threshold)
    if value == 0.0:
        return formula(aten.mul.Tensor, image, kept)
    replaced = formula.scaled(formula(aten.sub.Tensor, kept, 1.0), -value)
    return formula(aten.add.Tensor, formula(aten.mul.Tensor, image, kept), replaced)


def _glu(formula: Formula, node: Node) -> Node:
    image: Any = node.args[0]
    axis = int(argument(node, 1, "dim", -1))
    half = shape_of(image)[axis] // 2
    value = formula(aten.slice.Tensor, image, axis, 0, half)
    gate = formula(aten.slice.Tensor, image, axis, half, 2 * half)
    return formula(aten.mul.Tensor, value, formula(aten.sigmoid.default, gate))


def _clamp(formula: Formula, node: Node) -> Node | None:
    low, high = argument(node, 1, "min"), argument(node, 2, "max")
    if isinstance(low, int | float) and isinstance(high, int | float) and low < high:
        return formula(aten.hardtanh.default, node.args[0], float(low), float(high))
    if low == 0 and high is None:
        return formula(aten.relu.default, node.args[0])
    return None


def _division(formula: Formula, node: Node) -> Node | None:
    """A division by a map of one channel (an L2 norm) as a product with its reciprocal."""
    image, divisor = node.args[:2]
    if not isinstance(image, Node) or not isinstance(divisor, Node):
        return None
    while divisor.target is aten.expand.default:
        divisor = divisor.all_input_nodes[0]
    shape = shape_of(divisor)
    if len(shape) != 4 or shape[1] != 1 or shape_of(node)[1] == 1 or divisor.op == "get_attr":
        return None
    return formula(aten.mul.Tensor, image, formula(aten.reciprocal.default, divisor))


Rewrite = Callable[[Formula, Node], Node | None]

FORMULAS: dict[Any, Rewrite] = {
    aten.where.ScalarSelf: _shrinking_choice,
    aten.threshold.default: _threshold,
    aten.glu.default: _glu,
    aten.clamp.default: _clamp,
    aten.clamp_min.default: _clamp,
    aten.clip.default: _clamp,
}
"""For every precision."""

INT8_FORMULAS: dict[Any, Rewrite] = {
    aten.softplus.default: _softplus,
    aten.log_sigmoid.default: _log_sigmoid,
    aten.mish.default: _mish,
    aten.elu.default: _elu,
    aten.selu.default: _selu,
    aten.celu.default: _celu,
    aten.div.Tensor: _division,
}
"""For the quantized program alone: in half precision the formats' own operators are closer."""


def rewrite_activations(module: GraphModule, formulas: Mapping[Any, Rewrite] = FORMULAS) -> int:
    """Replace the operators of `formulas`; the number of those that were."""
    count = 0
    for node in nodes_of(module, formulas):
        target: Any = node.target
        new = formulas[target](Formula(module, node), node)
        if new is not None:
            replace(node, new)
            count += 1
    return count


def quantizable(module: GraphModule) -> GraphModule:
    """A copy of a prepared program whose activations can be quantized."""
    module = copy.deepcopy(module)
    if rewrite_activations(module, INT8_FORMULAS) + rewrite_constant_parts(module):
        module.graph.eliminate_dead_code()
        drop_unread_tensors(module)
        module.recompile()
    return module
