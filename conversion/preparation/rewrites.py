"""Exact rewrites of operators that a converter refuses or a delegate leaves out.

| operator | what goes wrong without the rewrite |
|---|---|
| prelu | after a linear layer ExecuTorch and Core ML refuse it; in int8 it stays float everywhere |
| mean over height and width without keepdim | XNNPACK does not take it: the graph falls into two delegates |
| avg_pool2d over the whole map | in int8 float in XNNPACK; quantizers give it the coarse scale of its input |
| relu6 | quantizers know it as hardtanh |
| softmax over the last of three axes or more | XNNPACK takes that axis for the channels of an NHWC map |
| scaled_dot_product_attention | torch's ONNX exporter refuses it for three axes |
| squeeze, unsqueeze, flatten | XNNPACK takes reshapes with a known shape |
| [1,C,H,W] -> [1,C,HW] -> [1,HW,C] | phones' formats hold maps as NHWC: two transposes per output |
| [1,C,H,W] -> [1,CHW] -> linear | likewise one transpose; the columns of the weight are put in order instead |
"""

from typing import Any

from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import (
    add_call,
    add_tensor,
    argument,
    aten,
    nodes_of,
    replace,
    shape_of,
    tensor_of,
)

SQUEEZES = (
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.flatten.using_ints,
)


def rewrite_prelu(module: GraphModule) -> int:
    """PReLU as relu(x) + (-a) * relu(-x), every step of which can be quantized.

    Behind a linear layer as x + (1 - a) * relu(-x): litert_torch fuses relu(x) into a second copy of the whole layer.
    """
    count = 0
    for node in nodes_of(module, [aten.prelu.default]):
        image, slope_node = node.args
        if not isinstance(image, Node) or not isinstance(slope_node, Node):
            continue
        slope = tensor_of(module, slope_node)
        # Of the image's own rank: constants of lower rank cost a `.tflite` two transposes.
        shape = [1] * len(shape_of(image))
        if slope.numel() > 1:
            shape[1] = slope.numel()
        behind_linear = image.target is aten.linear.default
        factor = (1.0 - slope if behind_linear else -slope).reshape(shape)
        factor_node = add_tensor(module, f"{slope_node.target}_factor", factor, node)
        minus_one = add_tensor(module, "minus_one", -slope.new_ones([1] * len(shape)), node)
        negated = add_call(module, aten.mul.Tensor, [image, minus_one], node, node)
        negative_part = add_call(module, aten.relu.default, [negated], node, node)
        scaled = add_call(module, aten.mul.Tensor, [negative_part, factor_node], node, node)
        positive_part = image if behind_linear else add_call(module, aten.relu.default, [image], node, node)
        replace(node, add_call(module, aten.add.Tensor, [positive_part, scaled], node, node))
        count += 1
    return count


def rewrite_relu6(module: GraphModule) -> int:
    """ReLU6 under the name that quantizers and delegates know."""
    nodes = nodes_of(module, [aten.relu6.default])
    for node in nodes:
        replace(node, add_call(module, aten.hardtanh.default, [node.args[0], 0.0, 6.0], node, node))
    return len(nodes)


def rewrite_global_means(module: GraphModule) -> int:
    """The mean over all of height and width as `mean(keepdim=True)`, then a reshape where the axes were dropped."""
    count = 0
    for node in nodes_of(module, [aten.mean.dim, aten.avg_pool2d.default]):
        image = node.args[0]
        if not isinstance(image, Node) or len(shape_of(image)) != 4:
            continue
        if node.target is aten.mean.dim:
            axes = argument(node, 1, "dim")
            over_both_axes = axes is not None and sorted(axis % 4 for axis in axes) == [2, 3]
            dropped = over_both_axes and not argument(node, 2, "keepdim", False)
            if not dropped or node.kwargs.get("dtype") is not None:
                continue
        elif not covers_the_whole_map(node, image):
            continue
        mean = add_call(module, aten.mean.dim, [image, [2, 3], True], node, node)
        if shape_of(node) != shape_of(mean):
            mean = add_call(module, aten.reshape.default, [mean, list(shape_of(node))], node, node)
        replace(node, mean)
        count += 1
    return count


def covers_the_whole_map(pool: Node, image: Node) -> bool:
    """Whether an average pool has one window, the whole image, and nothing but its values in it."""
    kernel, padding = argument(pool, 1, "kernel_size"), argument(pool, 3, "padding", [0, 0])
    divisor = argument(pool, 6, "divisor_override")
    return tuple(kernel) == shape_of(image)[2:] and not any(padding) and divisor is None


def rewrite_squeezes(module: GraphModule) -> int:
    """Added, dropped and flattened axes as reshapes to a known shape."""
    count = 0
    for node in nodes_of(module, SQUEEZES):
        replace(node, add_call(module, aten.reshape.default, [node.args[0], list(shape_of(node))], node, node))
        count += 1
    return count


def rewrite_softmax(module: GraphModule) -> int:
    """Softmax over the last axis of a value as that of a matrix."""
    count = 0
    for node in nodes_of(module, [aten.softmax.int, aten.log_softmax.int]):
        shape = shape_of(node)
        if len(shape) < 3 or int(argument(node, 1, "dim")) % len(shape) != len(shape) - 1 or len(node.args) > 2:
            continue
        matrix = add_call(module, aten.reshape.default, [node.args[0], [-1, shape[-1]]], node, node)
        chosen: Any = node.target
        result = add_call(module, chosen, [matrix, 1], node, node)
        replace(node, add_call(module, aten.reshape.default, [result, list(shape)], node, node))
        count += 1
    return count


def rewrite_attention(module: GraphModule) -> int:
    """Attention without dropout as two products and a softmax (Vaswani et al. 2017)."""
    count = 0
    for node in nodes_of(module, [aten.scaled_dot_product_attention.default]):
        query, key, value = node.args[:3]
        mask, causal = argument(node, 3, "attn_mask"), argument(node, 5, "is_causal", False)
        if causal or argument(node, 4, "dropout_p", 0.0) or node.kwargs.get("enable_gqa", False):
            continue
        if not isinstance(query, Node) or (mask is not None and mask.meta["val"].dtype != query.meta["val"].dtype):
            continue
        given = node.kwargs.get("scale")
        scale = float(given) if isinstance(given, int | float) else shape_of(query)[-1] ** -0.5
        turned = add_call(module, aten.transpose.int, [key, -2, -1], node, node)
        scaled = add_call(module, aten.mul.Tensor, [query, scale], node, node)
        scores = add_call(module, aten.matmul.default, [scaled, turned], node, node)
        if mask is not None:
            scores = add_call(module, aten.add.Tensor, [scores, mask], node, node)
        weights = add_call(module, aten.softmax.int, [scores, -1], node, node)
        replace(node, add_call(module, aten.matmul.default, [weights, value], node, node))
        count += 1
    return count


def rewrite_late_permutes(module: GraphModule) -> int:
    """Channels moved to the end after flattening a map: moved before instead, where NHWC needs no transpose."""
    count = 0
    for node in nodes_of(module, [aten.permute.default, aten.transpose.int]):
        shape = shape_of(node)
        if len(shape) != 3:
            continue
        if node.target is aten.permute.default:
            swaps = [axis % 3 for axis in argument(node, 1, "dims")] == [0, 2, 1]
        else:
            swaps = {argument(node, index, f"dim{index - 1}") % 3 for index in (1, 2)} == {1, 2}
        source = node.args[0]
        if swaps and isinstance(source, Node) and is_flat_map(source):
            replace(node, channels_last(module, source, node))
            count += 1
    return count


def is_flat_map(node: Node) -> bool:
    """[1,C,HW] that comes from a map [1,C,H,W], or from several joined along their positions."""
    if node.target is aten.cat.default and len(shape_of(node)) == 3:
        return argument(node, 1, "dim", 0) % 3 == 2 and all(is_flat_map(part) for part in argument(node, 0, "tensors"))
    source = node.args[0] if node.args else None
    if node.target not in (aten.reshape.default, aten.view.default) or not isinstance(source, Node):
        return False
    source_shape, node_shape = shape_of(source), shape_of(node)
    return len(source_shape) == 4 and node_shape == (
        source_shape[0],
        source_shape[1],
        source_shape[2] * source_shape[3],
    )


def channels_last(module: GraphModule, node: Node, before: Node) -> Node:
    """A node that `is_flat_map` accepts, as [1,HW,C]."""
    if node.target is aten.cat.default:
        parts = [channels_last(module, part, before) for part in argument(node, 0, "tensors")]
        return add_call(module, aten.cat.default, [parts, 1], before, node)
    image = argument(node, 0, "self")
    _, channels, height, width = shape_of(image)
    permuted = add_call(module, aten.permute.default, [image, [0, 2, 3, 1]], before, node)
    return add_call(module, aten.reshape.default, [permuted, [1, height * width, channels]], before, node)


def rewrite_flat_linears(module: GraphModule) -> int:
    """A linear layer behind a flattened map: the map is flattened channels last and the weight's columns follow."""
    count = 0
    for node in nodes_of(module, [aten.linear.default]):
        flat, weight_node = node.args[0], node.args[1]
        if not isinstance(flat, Node) or not isinstance(weight_node, Node) or weight_node.op != "get_attr":
            continue
        image = flat.args[0] if flat.target in (aten.reshape.default, aten.view.default) else None
        if not isinstance(image, Node) or len(shape_of(image)) != 4 or len(shape_of(flat)) != 2 or len(flat.users) != 1:
            continue
        if image.target is aten.permute.default:
            continue  # turned already
        _, channels, height, width = shape_of(image)
        if height * width == 1 or shape_of(flat)[1] != channels * height * width:
            continue
        weight = tensor_of(module, weight_node)
        ordered = weight.reshape(-1, channels, height * width).transpose(1, 2).reshape(weight.shape)
        permuted = add_call(module, aten.permute.default, [image, [0, 2, 3, 1]], node, flat)
        joined = add_call(module, aten.reshape.default, [permuted, list(shape_of(flat))], node, flat)
        columns = add_tensor(module, f"{weight_node.target}_channels_last", ordered, node)
        node.args = (joined, columns, *node.args[2:])
        count += 1
    return count
