"""Exact rewrites of operators that a converter refuses or a delegate leaves out.

| operator | what goes wrong without the rewrite |
|---|---|
| prelu | after a linear layer ExecuTorch and Core ML refuse it; in int8 it stays float everywhere |
| mean over height and width without keepdim | XNNPACK does not take it: the graph falls into two delegates |
| avg_pool2d over the whole map | in int8 XNNPACK computes it in float |
| adaptive_avg_pool2d to one value | quantizers give it the coarse scale of its input |
| relu6 | quantizers know it as hardtanh |
| squeeze, unsqueeze, flatten | XNNPACK takes reshapes with a known shape |
| [1,C,H,W] -> [1,C,HW] -> [1,HW,C] | phones' formats hold maps as NHWC: two transposes per output |
"""

from torch.fx import GraphModule, Node

from conversion.preparation.graph import add_call, add_tensor, argument, aten, nodes_of, replace, shape_of, tensor_of

SQUEEZES = (
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.flatten.using_ints,
)


def rewrite_prelu(module: GraphModule) -> int:
    """PReLU as relu(x) + (-a) * relu(-x), every step of which can be quantized."""
    count = 0
    for node in nodes_of(module, [aten.prelu.default]):
        image, slope_node = node.args
        if not isinstance(image, Node) or not isinstance(slope_node, Node):
            continue
        slope = tensor_of(module, slope_node)
        shape = [-1, *[1] * (len(shape_of(image)) - 2)] if slope.numel() > 1 else [1] * max(len(shape_of(image)) - 1, 1)
        negative_slope = add_tensor(module, f"{slope_node.target}_negative", -slope.reshape(shape), node)
        minus_one = add_tensor(module, "minus_one", -slope.new_ones([1] * len(shape)), node)
        above = add_call(module, aten.relu.default, [image], node, node)
        turned = add_call(module, aten.mul.Tensor, [image, minus_one], node, node)
        below = add_call(module, aten.relu.default, [turned], node, node)
        scaled = add_call(module, aten.mul.Tensor, [below, negative_slope], node, node)
        replace(node, add_call(module, aten.add.Tensor, [above, scaled], node, node))
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
    for node in nodes_of(module, [aten.mean.dim, aten.avg_pool2d.default, aten.adaptive_avg_pool2d.default]):
        image = node.args[0]
        if not isinstance(image, Node) or len(shape_of(image)) != 4:
            continue
        if node.target is aten.mean.dim:
            axes = argument(node, 1, "dim")
            whole = axes is not None and sorted(axis % 4 for axis in axes) == [2, 3]
            dropped = whole and not argument(node, 2, "keepdim", False)
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
    if pool.target is aten.adaptive_avg_pool2d.default:
        return shape_of(pool)[2:] == (1, 1)
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
    before, after = shape_of(source), shape_of(node)
    return len(before) == 4 and after == (before[0], before[1], before[2] * before[3])


def channels_last(module: GraphModule, node: Node, before: Node) -> Node:
    """What `is_flat_map` accepts, as [1,HW,C]."""
    if node.target is aten.cat.default:
        parts = [channels_last(module, part, before) for part in argument(node, 0, "tensors")]
        return add_call(module, aten.cat.default, [parts, 1], before, node)
    image = argument(node, 0, "self")
    _, channels, height, width = shape_of(image)
    turned = add_call(module, aten.permute.default, [image, [0, 2, 3, 1]], before, node)
    return add_call(module, aten.reshape.default, [turned, [1, height * width, channels]], before, node)
