"""Patterns of ML programs that concern the CPU and GPUs."""

from samesight.conversion.known_faults.network import Network, Operator, Tensor

LARGE_SUM = 4096
"""Elements of a sum whose total passes the largest half, 65504, once their mean is 16."""
LARGE_KERNEL = 7
LARGE_BATCH = 10
"""Of attention, from which on the GPU's fused kernel is wrong."""
POOLS = ("avg_pool", "max_pool", "l2_pool")


def is_half(tensor: Tensor) -> bool:
    return tensor.dtype == "float16"


def pads_of(operator: Operator, axes: int) -> tuple[int, ...]:
    """Elements before and after each axis; of `same` what its definition gives is not needed here: ones."""
    kind = operator.options.get("pad_type", "valid")
    if kind == "custom":
        return operator.numbers("pad", (0,) * 2 * axes)
    return (0 if kind == "valid" else 1,) * 2 * axes


def averages_that_hang_over(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("avg_pool"):
        before, after = operator.first.shape, operator.result.shape
        if not operator.options.get("ceil_mode") or operator.options.get("exclude_padding_from_average"):
            continue
        if before is None or after is None:
            continue
        kernel = operator.numbers("kernel_sizes")
        strides, pads = operator.numbers("strides", (1,) * len(kernel)), pads_of(operator, len(kernel))
        if any(
            (count - 1) * stride + extent > size + pads[2 * axis] + pads[2 * axis + 1]
            for axis, (size, count, extent, stride) in enumerate(
                zip(before[2:], after[2:], kernel, strides, strict=True)
            )
        ):
            found.append(operator)
    return found


def large_padded_averages(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("avg_pool"):
        kernel = operator.numbers("kernel_sizes")
        padded = any(pads_of(operator, len(kernel)))
        counted = not operator.options.get("exclude_padding_from_average")
        if padded and counted and kernel and min(kernel) >= LARGE_KERNEL:
            found.append(operator)
    return found


def lines_with_more_padding_before(network: Network) -> list[Operator]:
    return [op for op in network.of(*POOLS) if op.options.get("pad_type") == "same_lower" and op.first.rank == 3]


def signed_weights(network: Network) -> list[Operator]:
    weights = network.of("constexpr_affine_dequantize")
    return [op for op in weights if op.inputs.get("quantized_data", Tensor("")).dtype == "int8"]


def transposed_to_a_shape(network: Network) -> list[Operator]:
    return [op for op in network.of("conv_transpose") if "output_shape" in op.inputs or "output_shape" in op.options]


def transposed_lines_in_half(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("conv_transpose"):
        pads = pads_of(operator, 1)
        if operator.first.rank == 3 and is_half(operator.first) and len(pads) == 2 and pads[0] != pads[1]:
            found.append(operator)
    return found


def attention_of_large_batches(network: Network) -> list[Operator]:
    found = [op for op in network.of("scaled_dot_product_attention") if (op.result.shape or (0,))[0] >= LARGE_BATCH]
    for product in network.of("matmul"):
        behind = network.behind(product, "softmax", "add")
        masked = [user for add in behind if add.kind == "add" for user in network.behind(add, "softmax")]
        if (
            (product.result.shape or (0,))[0] >= LARGE_BATCH
            and len(product.operands) == 2
            and (masked or any(user.kind == "softmax" for user in behind))
        ):
            found.append(product)
    return found


def uneven_kernels_with_strides(network: Network) -> list[Operator]:
    """A padded convolution with an uneven kernel whose last window leaves elements over."""
    found = []
    for operator in network.of("conv"):
        weight, size = operator.inputs.get("weight"), operator.first.shape
        if weight is None or weight.shape is None or size is None or len(size) != 4:
            continue
        kernel, strides, pads = weight.shape[2:], operator.numbers("strides", (1, 1)), pads_of(operator, 2)
        axes = zip(size[2:], kernel, strides, pads[::2], pads[1::2], strict=True)
        left_over = any((n + before + after - k) % stride for n, k, stride, before, after in axes)
        if len(set(kernel)) > 1 and min(strides) > 1 and all(pads) and left_over and size[1] > 1:
            found.append(operator)
    return found


def computed_kernels(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("conv", "conv_transpose"):
        weight = operator.inputs.get("weight")
        maker = network.maker(weight) if weight is not None and not weight.constant else None
        if maker is not None and not maker.kind.startswith("constexpr_"):
            found.append(operator)
    return found


def fractional_upsamplings(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("upsample_nearest_neighbor"):
        factors = [operator.options.get(f"scale_factor_{side}", 1) for side in ("height", "width")]
        if any(float(factor) != int(factor) for factor in factors):
            found.append(operator)
    return found


def reciprocals_with_epsilon(network: Network) -> list[Operator]:
    return [op for op in network.of("inverse") if float(op.options.get("epsilon", 1e-4)) >= 1e-5]


def scaled_palettes(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("constexpr_blockwise_shift_scale"):
        data = operator.inputs.get("data")
        maker = network.maker(data) if data is not None else None
        if maker is not None and maker.kind == "constexpr_lut_to_dense":
            found.append(operator)
    return found


def large_sums(network: Network) -> list[Operator]:
    kinds = network.of("reduce_sum", "reduce_sum_square", "reduce_l2_norm", "reduce_l1_norm")
    return [op for op in kinds if is_half(op.first) and op.first.size // max(op.result.size, 1) >= LARGE_SUM]


def single_neighbours(network: Network) -> list[Operator]:
    found = []
    for operator in network.of("resize_nearest_neighbor"):
        before, after = operator.first.shape, operator.result.shape
        if before and after and any(b > 1 == a for b, a in zip(before[-2:], after[-2:], strict=True)):
            found.append(operator)
    return found
