"""Patterns of ONNX' operators."""

from samesight.conversion.known_faults.network import Network, Operator

ONNX = ("onnx",)


def with_ceiling(network: Network, *kinds: str) -> list[Operator]:
    return [operator for operator in network.of(*kinds) if operator.options.get("ceil_mode")]


def between_quantizations(network: Network, kind: str) -> list[Operator]:
    """Operators that ONNX Runtime fuses into their integer version."""
    found = []
    for operator in network.of(kind):
        maker = network.maker(operator.first)
        if maker is not None and maker.kind == "DequantizeLinear" and network.behind(operator, "QuantizeLinear"):
            found.append(operator)
    return found


def included_padding_with_ceiling(network: Network) -> list[Operator]:
    return [op for op in with_ceiling(network, "AveragePool") if op.options.get("count_include_pad")]


def softmax_over_channels(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("Softmax", "LogSoftmax"):
        axis = int(operator.options.get("axis", 1))
        if network.version < 13 and operator.first.rank == 4 and axis % 4 == 1:
            found.append(operator)
    return found


def resizes_with_empty_scales(network: Network) -> list[Operator]:
    return [op for op in network.of("Resize") if "scales" in op.inputs and op.inputs["scales"].shape == (0,)]


def depthwise_with_relu6(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("Conv"):
        group = int(operator.options.get("group", 1))
        for user in network.behind(operator, "Clip"):
            highest = user.inputs.get("max")
            if group > 1 and operator.first.dtype == "float32" and highest is not None and highest.numbers == (6.0,):
                found.append(operator)
    return found
