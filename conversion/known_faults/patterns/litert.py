"""Patterns of TensorFlow Lite's operators."""

from samesight.conversion.known_faults.network import Network, Operator

FLOATS = ("float32", "float16")
LARGE_SUM = 4096
"""Elements of a sum whose total passes the largest half, 65504, once their mean is 16."""
MANY_SQUARES = 256
ARITHMETIC = ("ADD", "SUB", "MUL", "DIV")
REDUCTIONS = ("SUM", "MEAN")


def reduced(operator: Operator) -> int:
    """How many elements each result of a reduction is made of."""
    return operator.first.size // max(operator.result.size, 1)


def large_sums(network: Network) -> list[Operator]:
    return [op for op in network.of(*REDUCTIONS) if op.first.dtype in FLOATS and reduced(op) >= LARGE_SUM]


def sums_of_squares(network: Network) -> list[Operator]:
    found = []
    for operator in network.of(*REDUCTIONS):
        maker = network.maker(operator.first)
        squared = maker is not None and (
            maker.kind in ("SQUARE", "SQUARED_DIFFERENCE")
            or (maker.kind == "MUL" and len({tensor.name for tensor in maker.inputs.values()}) == 1)
        )
        if squared and operator.first.dtype in FLOATS and reduced(operator) >= MANY_SQUARES:
            found.append(operator)
    return found


def sums_that_are_outputs_too(network: Network) -> list[Operator]:
    return [
        operator
        for operator in network.of("ADD")
        if len(operator.operands) == 2 and operator.result.name in network.outputs and network.users(operator)
    ]


def products_of_rank_3(network: Network) -> list[Operator]:
    products = network.of("BATCH_MATMUL")
    return [op for op in products if op.result.rank == 3 and len(op.operands) == 2 and op.result.shape[0] > 1]  # type: ignore[index]


def operands_of_unequal_rank(network: Network) -> list[Operator]:
    return [
        operator
        for operator in network.of(*ARITHMETIC)
        if len(operator.operands) == 2 and len({tensor.rank for tensor in operator.operands}) == 2
    ]


def both_operands_broadcast(network: Network) -> list[Operator]:
    return [
        operator
        for operator in network.of(*ARITHMETIC)
        if len(operator.inputs) == 2 and all(t.size not in (0, operator.result.size) for t in operator.inputs.values())
    ]


def sums_with_broadcast_behind_products(network: Network) -> list[Operator]:
    found = []
    for product in network.of("BATCH_MATMUL"):
        for user in network.behind(product, "ADD"):
            others = [tensor for tensor in user.inputs.values() if tensor.name != product.result.name]
            if any(other.shape != product.result.shape and other.size > 1 for other in others):
                found.append(user)
    return found


def equal_operands(network: Network) -> list[Operator]:
    quotients = network.of("DIV")
    return [op for op in quotients if len(op.inputs) == 2 and len({tensor.name for tensor in op.inputs.values()}) == 1]


def maxima_of_constants(network: Network) -> list[Operator]:
    return [operator for operator in network.of("REDUCE_MAX") if operator.first.constant]


def of_rank_5(network: Network) -> list[Operator]:
    return [op for op in network.operators if any(tensor.rank > 4 for tensor in (*op.operands, *op.outputs))]


def quantized_residuals(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("FULLY_CONNECTED"):
        weight = operator.inputs.get("1")
        dynamic = weight is not None and weight.dtype == "int8" and operator.first.dtype in FLOATS
        if dynamic and operator.first.rank == 3 and network.behind(operator, "ADD"):
            found.append(operator)
    return found


def bilinear(network: Network, corners: bool | None, centres: bool | None) -> list[Operator]:
    return [
        operator
        for operator in network.of("RESIZE_BILINEAR")
        if corners in (None, bool(operator.options.get("alignCorners")))
        and centres in (None, bool(operator.options.get("halfPixelCenters")))
    ]


def reshaped_batches(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("RESHAPE"):
        before, after = operator.first.shape, operator.result.shape
        if before and after and before[0] > 1 and before[0] != after[0]:
            found.append(operator)
    return found


def normalised_matrices(network: Network) -> list[Operator]:
    found = []
    for mean in network.of("MEAN"):
        for user in network.behind(mean, "SUB", "SQUARED_DIFFERENCE"):
            if mean.first.rank == 2 and mean.first.name in {tensor.name for tensor in user.inputs.values()}:
                found.append(user)
    return found


def linears_of_high_rank(network: Network) -> list[Operator]:
    return [op for op in network.of("FULLY_CONNECTED") if max(op.first.rank, op.result.rank) > 6]


def tiny_bias_scales(network: Network) -> list[Operator]:
    layers = network.of("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    return [
        op
        for op in layers
        if any(t.dtype == "int32" and t.scale is not None and t.scale < 1e-9 for t in op.inputs.values())
    ]
