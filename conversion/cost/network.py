"""The cost of a file, from what its reader says (`known_faults/readers`)."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from math import prod
from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.conversion.cost.cost import Cost, Merged, Step, peak
from samesight.conversion.known_faults.check import network_of
from samesight.conversion.known_faults.network import Network, Operator, Tensor

BITS = re.compile(r"\d+")
# Parameters of operators, by name, that describe other parameters: they take bytes and are no weights themselves.
DESCRIBING = re.compile(r"(^|_)(scale|zero_point|offset|lut|axis|scales|zero_points|sums)$")
RESHAPES = frozenset(
    (
        *("RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"),
        *("reshape", "squeeze", "expand_dims", "flatten2d"),
        *("XNNStaticReshape", "XNNCopy"),
    )
)
OUTSIDE = "::"
"""In the names of ExecuTorch's own operators, which no delegate took and whose tensors the reader does not know."""
# Vulkan's operators that multiply, under any of their many names.
VULKAN_PRODUCT = re.compile(r"^(aten|et_vk)\..*(conv|(?<!bi)linear|mm\.)")
PRODUCTS = ("convolution", "mm", "addmm", "bmm", "linear", "matmul")


class _UnknownShapeError(Exception):
    """The file does not say a shape that is needed."""


def file_cost(path: Path, format: str) -> Cost | None:
    """The cost of a file; None where its format has no reader, a library is missing, or it cannot be read."""
    try:
        network = network_of(path, format)
    except SamesightError:
        return None
    # Core AI's reader knows kinds alone, none of them with a shape.
    if network is None or not any(tensor.shape for each in network.operators for tensor in _tensors(each)):
        return None
    return network_cost(network)


def network_cost(network: Network) -> Cost:
    """Count in what a reader found."""
    constants = _constants(network)
    return Cost(
        macs=_unless_unknown(lambda: sum(map(_macs, network.operators))),
        parameters=sum(tensor.size for tensor, learned in constants if learned),
        weight_bytes=sum(_bytes(tensor) for tensor, _ in constants),
        activation_bytes=_unless_unknown(lambda: _peak(network)),
        operators=dict(sorted(Counter(each.kind for each in network.operators).items())),
        parts=_parts(network),
    )


def _unless_unknown(count: Callable[[], int]) -> int | None:
    try:
        return count()
    except _UnknownShapeError:
        return None


def _parts(network: Network) -> dict[str, int]:
    delegated = sum(OUTSIDE not in each.kind for each in network.operators)
    if not (network.delegate and delegated):
        return {}
    return {network.delegate: delegated, "ExecuTorch": len(network.operators) - delegated}


def _tensors(operator: Operator) -> Iterator[Tensor]:
    yield from operator.inputs.values()
    yield from operator.outputs


def _bytes(tensor: Tensor) -> int:
    """Bytes of a tensor; types with a name of no width, such as truth values, take one each."""
    bits = BITS.search(tensor.dtype)
    return -(-tensor.size * (int(bits[0]) if bits else 8) // 8)


def _constants(network: Network) -> list[tuple[Tensor, bool]]:
    """Every constant tensor with axes once, and whether it is a weight: float, or an integer with a scale."""
    found: dict[str, tuple[Tensor, bool]] = {}
    for operator in network.operators:
        for key, tensor in operator.inputs.items():
            if not tensor.constant or not tensor.shape or tensor.name in found:
                continue
            integer = not tensor.dtype.startswith(("float", "xnn_datatype"))
            quantized = (
                tensor.scale is not None
                or operator.kind == "DequantizeLinear"
                or operator.kind.startswith(("constexpr", "XNN"))
            )
            learned = not DESCRIBING.search(key) and (not integer or quantized)
            if learned or DESCRIBING.search(key):
                name = f"{operator.name}/{key}" if tensor.name == key else tensor.name
                found[name] = (tensor, learned)
    return list(found.values())


def _macs(operator: Operator) -> int:
    """Multiply-accumulates of one operator under any format's name.

    Raises:
        _UnknownShapeError: of one that multiplies, and whose shapes the file does not say.
    """
    kind = operator.kind
    if OUTSIDE in kind and kind.partition(OUTSIDE)[2].partition(".")[0] in PRODUCTS:
        raise _UnknownShapeError
    formula = FORMULAS.get(kind)
    if formula is None and VULKAN_PRODUCT.match(kind):
        raise _UnknownShapeError
    return formula(operator) if formula else 0


def _shape(tensor: Tensor) -> tuple[int, ...]:
    if tensor.shape is None:
        raise _UnknownShapeError
    return tensor.shape


def _operand(operator: Operator, *names: str) -> tuple[int, ...]:
    """The shape of the input under the first of these names that it has."""
    for name in names:
        if name in operator.inputs:
            return _shape(operator.inputs[name])
    raise _UnknownShapeError


def _each_result(*weight: str, taps: Callable[[Sequence[int]], int]) -> Callable[[Operator], int]:
    """Every result sums as many products as `taps` counts in the weight's shape."""
    return lambda operator: prod(_shape(operator.result)) * taps(_operand(operator, *weight))


def _each_operand(data: str, *weight: str, taps: Callable[[Sequence[int]], int]) -> Callable[[Operator], int]:
    """Every value that is read is multiplied as often as `taps` counts: transposed convolutions."""
    return lambda operator: prod(_operand(operator, data)) * taps(_operand(operator, *weight))


def _product(first: str, *turned: str) -> Callable[[Operator], int]:
    """A matrix product: the options `turned` say that the first matrix is transposed."""

    def count(operator: Operator) -> int:
        shape = _operand(operator, first)
        transposed = any(operator.options.get(option) for option in turned)
        return prod(_shape(operator.result)) * shape[-2 if transposed else -1]

    return count


def _attention(operator: Operator) -> int:
    query, key = _operand(operator, "query"), _operand(operator, "key")
    return prod(query) * key[-2] + prod(_shape(operator.result)) * key[-2]


def _xnn_transposed(operator: Operator) -> int:
    kernel = prod(int(operator.options[side]) for side in ("kernel_height", "kernel_width"))
    return prod(_shape(operator.first)) * kernel * int(operator.options["group_output_channels"])


def _vulkan_convolution(operator: Operator) -> int:
    taps = behind_first(_operand(operator, "1"))
    return taps * prod(_shape(operator.first if operator.options.get("6") else operator.result))


def _vulkan_int8(operator: Operator) -> int:
    return prod(_shape(operator.result)) * _operand(operator, "weight")[-1]


def behind_first(shape: Sequence[int]) -> int:
    """Of a weight [out, in / groups, kernel …], or [out, kernel …, in / groups]."""
    return prod(shape[1:])


FORMULAS: dict[str, Callable[[Operator], int]] = {
    # TensorFlow Lite: inputs have numbers
    "CONV_2D": _each_result("1", taps=behind_first),
    "CONV_3D": _each_result("1", taps=lambda shape: prod(shape[:-1])),
    "DEPTHWISE_CONV_2D": _each_result("1", taps=lambda shape: prod(shape[1:3])),
    "TRANSPOSE_CONV": _each_operand("2", "1", taps=lambda shape: prod(shape[:-1])),
    "FULLY_CONNECTED": _each_result("1", taps=lambda shape: shape[-1]),
    "BATCH_MATMUL": _product("0", "adjX"),
    # ONNX
    "Conv": _each_result("W", taps=behind_first),
    "ConvTranspose": _each_operand("X", "W", taps=behind_first),
    "Gemm": _product("A", "transA"),
    "MatMul": _product("A"),
    # ML program
    "conv": _each_result("weight", taps=behind_first),
    "conv_transpose": _each_operand("x", "weight", taps=behind_first),
    "linear": _each_result("weight", taps=lambda shape: shape[-1]),
    "matmul": _product("x", "transpose_x"),
    "scaled_dot_product_attention": _attention,
    # XNNPACK
    "XNNConv2d": _each_result("filter_id", taps=behind_first),
    "XNNDepthwiseConv2d": _each_result("filter_id", taps=lambda shape: prod(shape[1:3])),
    "XNNConvTranspose2d": _xnn_transposed,
    "XNNFullyConnected": lambda operator: prod(_shape(operator.result)) * _shape(operator.first)[-1],
    "XNNBatchMatrixMultiply": _product("input1_id"),
    # ExecuTorch's Vulkan: inputs and options have their positions
    "aten.convolution.default": _vulkan_convolution,
    "et_vk.conv_with_clamp.default": _vulkan_convolution,
    "aten.linear.default": _product("0"),
    "aten.mm.default": _product("0"),
    "aten.bmm.default": _product("0"),
    "aten.addmm.default": _product("1"),
    **{f"et_vk.q8ta_{name}.default": _vulkan_int8 for name in ("conv2d", "conv2d_pw", "conv2d_dw")},
    **{f"et_vk.q8ta_{name}.default": _vulkan_int8 for name in ("linear", "linear_gemv")},
    "et_vk.q8ta_conv2d_transposed.default": lambda operator: (
        prod(_shape(operator.first)) * prod(_operand(operator, "weight")) // _shape(operator.first)[-3]
    ),
}


def _peak(network: Network) -> int:
    """Peak memory of the values; what is computed of constants alone counts as constant.

    A quantized value takes its integers, whether the file writes it once, or as QuantizeLinear and DequantizeLinear
    around float operators, which a runtime computes in integers.
    """
    folded: set[str] = set()
    merged, steps = Merged(), []
    tensors: dict[str, Tensor] = {}
    for operator in network.operators:
        if OUTSIDE in operator.kind:
            raise _UnknownShapeError
        operands = [tensor for tensor in operator.operands if tensor.name not in folded]
        if not operands and operator.inputs:
            folded |= {tensor.name for tensor in operator.outputs}
            continue
        for tensor in (*operands, *operator.outputs):
            _shape(tensor)
            tensors[tensor.name] = tensor
        if operands and operator.outputs and _is_other_name(operator, network):
            merged.merge(operands[0].name, operator.result.name)
        steps.append(([tensor.name for tensor in operands], [tensor.name for tensor in operator.outputs]))
    size: dict[Hashable, int] = {}
    for name, tensor in tensors.items():
        root = merged(name)
        size[root] = min(size.get(root, _bytes(tensor)), _bytes(tensor))
    made = {name for _, makes in steps for name in makes}
    return peak(
        [Step(list(map(merged, reads)), list(map(merged, makes))) for reads, makes in steps],
        [merged(name) for name in tensors if name not in made],
        [merged(name) for name in network.outputs if name in tensors],
        size,
    )


def _is_other_name(operator: Operator, network: Network) -> bool:
    if operator.kind in RESHAPES or operator.kind == "DequantizeLinear":
        return True
    source = network.maker(operator.first)
    return operator.kind == "QuantizeLinear" and source is not None and len(network.users(source)) == 1
