"""Exact rewrites of operators that a converter refuses or a delegate leaves out.

| operator | what goes wrong without the rewrite |
|---|---|
| prelu | after a linear layer ExecuTorch and Core ML refuse it; in int8 it stays float everywhere |
| mean over height and width without keepdim | XNNPACK does not take it: the graph falls into two delegates |
| avg_pool2d over the whole map | in int8 XNNPACK computes it in float |
| adaptive_avg_pool2d to one value | quantizers give it the coarse scale of its input |
| relu6 | quantizers know it as hardtanh |
| squeeze, unsqueeze, flatten | XNNPACK takes reshapes with a known shape |
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
