"""Patterns of ML programs that concern the Neural Engine."""

from samesight.conversion.known_faults.network import Network, Operator
from samesight.conversion.known_faults.patterns.coreml import is_half

LARGEST_KERNEL = 13
LONGEST_SIDE = 16384
LONGEST_CHOICE = 2048
LARGE_STRIDE = 5


def hard_swishes(network: Network) -> list[Operator]:
    """A hard sigmoid that multiplies, under either of the two ways coremltools writes it."""
    found = []
    for operator in network.of("sigmoid_hard"):
        if is_half(operator.first) and network.behind(operator, "mul"):
            found.append(operator)
    for operator in network.of("relu6", "clip"):
        maker = network.maker(operator.first)
        shifted = maker is not None and maker.kind == "add" and 3.0 in (maker.inputs["y"].numbers or ())
        if shifted and is_half(operator.first) and network.behind(operator, "mul"):
            found.append(operator)
    return found


def wide_kernels(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("conv", "conv_transpose"):
        weight = operator.inputs.get("weight")
        if weight is not None and weight.shape is not None and weight.shape[-1] > LARGEST_KERNEL:
            found.append(operator)
    return found


def long_sides(network: Network) -> list[Operator]:
    return [
        op
        for op in network.operators
        if any(max((t.shape or (0,))[-2:], default=0) > LONGEST_SIDE for t in op.outputs)
        and not op.kind.startswith("constexpr_")
    ]


def long_choices(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("reduce_argmax", "reduce_argmin"):
        axis = int(operator.options.get("axis", -1))
        if operator.first.shape and operator.first.shape[axis] > LONGEST_CHOICE:
            found.append(operator)
    return found


def large_strides(network: Network) -> list[Operator]:
    return [op for op in network.of("conv") if max(op.numbers("strides", (1,)), default=1) >= LARGE_STRIDE]


def depthwise_behind_concatenated_channels(network: Network) -> list[Operator]:
    """The channels of computed tensors are joined and go into a depthwise convolution longer than one element."""
    found = []
    for operator in network.of("conv"):
        maker, weight = network.maker(operator.first), operator.inputs.get("weight")
        channels = operator.first.shape[1] if operator.first.rank > 1 and operator.first.shape else 0
        depthwise = channels > 1 and int(operator.options.get("groups", 1)) == channels
        if maker is None or maker.kind != "concat" or not depthwise or weight is None or weight.shape is None:
            continue
        if int(maker.options.get("axis", 0)) % max(operator.first.rank, 1) == 1 and max(weight.shape[2:]) > 1:
            found.append(operator)
    return found
