"""Patterns of XNNPACK's operators in a `.pte`."""

from samesight.conversion.known_faults.network import Network, Operator

CONVOLUTIONS = ("XNNConv2d", "XNNDepthwiseConv2d")


def padded_quantized_convolutions(network: Network) -> list[Operator]:
    found = []
    for operator in network.of(*CONVOLUTIONS):
        maker = network.maker(operator.first)
        padded = maker is not None and maker.kind == "XNNStaticConstantPad" and operator.first.dtype == "int8"
        if padded and operator.options.get("output_min") == 0:
            found.append(operator)
    return found


def pools_that_hang_over(network: Network) -> list[Operator]:
    """A pool whose result is longer than its whole windows: [N,H,W,C]."""
    found = []
    for operator in network.of("XNNMaxPooling2d", "XNNAvgPooling2d"):
        before, after, options = operator.first.shape, operator.result.shape, operator.options
        if not before or not after or len(before) != 4:
            continue
        axes = (
            (before[1], after[1], "height", options["padding_top"] + options["padding_bottom"]),
            (before[2], after[2], "width", options["padding_left"] + options["padding_right"]),
        )
        for size, count, side, padding in axes:
            kernel, stride = options[f"pooling_{side}"], max(options[f"stride_{side}"], 1)
            if count > (size + padding - kernel) // stride + 1:
                found.append(operator)
                break
    return found


def products_in_float(network: Network) -> list[Operator]:
    quantized = any(tensor.dtype == "int8" for operator in network.operators for tensor in operator.operands)
    return [op for op in network.of("XNNBatchMatrixMultiply") if quantized and op.first.dtype == "float32"]
