"""Cuts the original network's outputs into one output per role: logits, boxes, objectness.

A slice is taken where its values are computed, not behind the concatenation that mixes them: one int8 tensor that holds
boxes and scores has one scale for both, and the scores collapse.
"""

from typing import Any

from torch.fx import GraphModule, Node

from samesight.contract.errors import SamesightError
from samesight.contract.spec import ModelSpec, Role, Slice
from samesight.contract.tasks import TASKS
from samesight.conversion.preparation.graph import add_call, add_tensor, argument, aten, is_tensor, shape_of, tensor_of

POINTWISE = (aten.sigmoid.default, aten.relu.default, aten.hardtanh.default, aten.tanh.default)
RESHAPES = (aten.reshape.default, aten.view.default, aten._unsafe_view.default, aten.flatten.using_ints)


def cut(module: GraphModule, node: Node, axis: int, start: int, stop: int, before: Node) -> Node:
    """`node[..., start:stop, ...]` on `axis`, with the slice moved as far towards the inputs as possible."""
    shape = shape_of(node)
    if start == 0 and stop == shape[axis]:
        return node

    def call(target: Any, args: list[Any], like: Node = node) -> Node:
        return add_call(module, target, args, before, like)

    source = node.args[0] if node.args else None
    if node.target is aten.cat.default:
        return cut_concatenation(module, node, axis, start, stop, before)
    if isinstance(source, Node):
        if node.target in (aten.permute.default, aten.transpose.int):
            order = list(range(len(shape)))
            if node.target is aten.permute.default:
                order = [side % len(shape) for side in argument(node, 1, "dims")]
            else:
                first, second = (argument(node, index, f"dim{index - 1}") % len(shape) for index in (1, 2))
                order[first], order[second] = order[second], order[first]
            return call(aten.permute.default, [cut(module, source, order[axis], start, stop, before), order])
        if node.target in POINTWISE:
            return call(node.target, [cut(module, source, axis, start, stop, before), *node.args[1:]])
        if node.target in RESHAPES and (source_axis := same_axis(shape_of(source), shape, axis)) is not None:
            part = cut(module, source, source_axis, start, stop, before)
            return call(aten.reshape.default, [part, [*shape[:axis], stop - start, *shape[axis + 1 :]]])
        if is_layer(node) and axis == (1 if node.target is aten.conv2d.default else len(shape) - 1):
            return cut_layer(module, node, start, stop, before)
    return call(aten.slice.Tensor, [node, axis, start, stop])


def cut_concatenation(module: GraphModule, node: Node, axis: int, start: int, stop: int, before: Node) -> Node:
    """Only those parts of a concatenation that reach into the slice."""
    cat_axis = argument(node, 1, "dim", 0) % len(shape_of(node))
    parts, position = [], 0
    for part in argument(node, 0, "tensors"):
        if cat_axis != axis:
            parts.append(cut(module, part, axis, start, stop, before))
            continue
        length = shape_of(part)[axis]
        low, high = max(start - position, 0), min(stop - position, length)
        if low < high:
            parts.append(cut(module, part, axis, low, high, before))
        position += length
    return parts[0] if len(parts) == 1 else add_call(module, aten.cat.default, [parts, cat_axis], before, node)


def is_layer(node: Node) -> bool:
    """A convolution without groups or a linear layer, with its parameters at hand."""
    if node.target is aten.conv2d.default:
        return argument(node, 6, "groups", 1) == 1 and is_tensor(node.args[1])
    return node.target is aten.linear.default and is_tensor(node.args[1])


def cut_layer(module: GraphModule, node: Node, start: int, stop: int, before: Node) -> Node:
    """A layer that computes only some of its output channels."""
    weight, bias = node.args[1], argument(node, 2, "bias")
    if not isinstance(weight, Node):
        raise TypeError("a layer's weight is a node")
    part = add_tensor(module, f"{weight.target}_{start}_{stop}", tensor_of(module, weight)[start:stop], before)
    part_bias = None
    if isinstance(bias, Node):
        part_bias = add_tensor(module, f"{bias.target}_{start}_{stop}", tensor_of(module, bias)[start:stop], before)
    return add_call(module, node.target, [node.args[0], part, part_bias, *node.args[3:]], before, node)


def same_axis(source: tuple[int, ...], target: tuple[int, ...], axis: int) -> int | None:
    """The axis of `source` that a reshape to `target` keeps unchanged as `axis`, if there is one."""
    if source[: axis + 1] == target[: axis + 1]:
        return axis
    from_end = len(target) - axis
    if source[-from_end:] == target[-from_end:]:
        return len(source) - from_end
    return None


def canonical_output(module: GraphModule, spec: ModelSpec, role: Role, node: Node, before: Node) -> Node:
    """One role's tensor: [1,C], or [1,N,channels] where the task has positions.

    Raises:
        SamesightError: the network's output cannot have the shape that the spec says.
    """
    part: Slice = spec.outputs.roles[role]
    shape = shape_of(node)
    rank = len(shape)
    per_image = not TASKS[spec.task].per_position
    axis = part.channel_axis or (1 if per_image or rank == 4 else 2)
    ranks = (2, 4) if per_image else (3, 4)
    if rank not in ranks or axis >= rank or shape[0] != 1 or (per_image and shape[2:] not in ((), (1, 1))):
        expected = "[1, classes]" if per_image else "[1, positions, channels] or [1, channels, positions]"
        raise SamesightError(
            f"output {part.tensor!r} of the network has shape {list(shape)}, but {role} must be {expected}; "
            "correct the spec's outputs or the network"
        )
    stop = part.stop or shape[axis]
    if stop > shape[axis]:
        raise SamesightError(
            f"output {part.tensor!r} has {shape[axis]} channels, but the spec takes {role} from {part.start} to "
            f"{stop}; correct the spec's outputs"
        )
    result = cut(module, node, axis, part.start, stop, before)
    if per_image:
        return result if rank == 2 else reshaped(module, result, [1, stop - part.start], before)
    if rank == 4 and axis == 1:
        result = add_call(module, aten.permute.default, [result, [0, 2, 3, 1]], before, result)
        return reshaped(module, result, [1, shape[2] * shape[3], stop - part.start], before)
    if axis == 1:
        result = add_call(module, aten.permute.default, [result, [0, 2, 1]], before, result)
    return result


def reshaped(module: GraphModule, node: Node, shape: list[int], before: Node) -> Node:
    """A reshape to a known shape."""
    return add_call(module, aten.reshape.default, [node, shape], before, node)


def check_channels(spec: ModelSpec, shapes: dict[Role, tuple[int, ...]]) -> None:
    """The roles' shapes must agree with the labels, the grids and each other.

    Raises:
        SamesightError: one sentence with both numbers.
    """
    channels: dict[Role, int] = {"logits": spec.class_count, "boxes": 4, "objectness": 1}
    for role, shape in shapes.items():
        if shape[-1] != channels[role]:
            why = f"{len(spec.labels)} labels" if role == "logits" else "its role"
            raise SamesightError(
                f"{role} has {shape[-1]} channels, but {why} need {channels[role]}; correct the labels or the outputs"
            )
    rules = TASKS[spec.task]
    if not rules.per_position:
        return
    positions = {role: shape[1] for role, shape in shapes.items()}
    if len(set(positions.values())) != 1:
        raise SamesightError(
            f"the outputs have different numbers of positions, {positions}; correct the spec's outputs"
        )
    expected = rules.position_count(spec)
    if expected is not None and positions["logits"] != expected:
        coding = spec.detection.boxes if spec.detection else None
        grids = "grids" if coding and coding.grids else f"strides {list(coding.strides) if coding else []}"
        raise SamesightError(
            f"the network has {positions['logits']} positions, but {grids} on a {spec.input.width} x "
            f"{spec.input.height} input make {expected}; correct the spec's {grids.split()[0]} or input size"
        )
