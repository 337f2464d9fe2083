"""Values of five axes and more, which phones' GPUs refuse, as reshapes and permutations of four: exact.

Detection heads give anchors an axis of their own, attention gives one to queries, keys and values, windows and shuffled
channels two. Nearly always such a value is reshaped, permuted and reshaped again, and only the permutation counts: axes
that stay together are one axis, and axes of one element none.
"""

from collections import deque
from collections.abc import Sequence
from itertools import combinations
from math import prod

from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import add_call, argument, aten, nodes_of, replace, shape_of

MOST = 4
RESHAPES = (aten.reshape.default, aten.view.default, aten._unsafe_view.default)
PERMUTATIONS = (aten.permute.default, aten.transpose.int)
PARTS = (aten.select.int, aten.slice.Tensor)

Shape = tuple[int, ...]
Step = tuple[Shape, Shape]
"""A shape that a value is viewed in, and the order of its axes afterwards."""


def rewrite_high_ranks(module: GraphModule) -> int:
    """Permutations between two reshapes, and parts that are cut from them. Returns how many permutations there were."""
    count = 0
    for node in nodes_of(module, PERMUTATIONS):
        source, shape = node.args[0], shape_of(node)
        if len(shape) <= MOST or not isinstance(source, Node) or source.target not in RESHAPES:
            continue
        if not all(user.target in (*RESHAPES, *PARTS) for user in node.users):
            continue
        value = map_of(source, order_of(node), module, node)
        if value is None:
            value = source
            for view, order in steps_of(shape_of(source), order_of(node)):
                viewed = add_call(module, aten.reshape.default, [value, list(view)], node, node)
                value = add_call(module, aten.permute.default, [viewed, list(order)], node, node)
        replace(node, add_call(module, aten.reshape.default, [value, list(shape)], node, node))
        count += 1
    if count:
        _rewrite_parts(module)
        _join_reshapes(module)
    return count


def order_of(node: Node) -> Shape:
    """The axes of what a permutation reads, in the order of its result."""
    rank = len(shape_of(node))
    if node.target is aten.permute.default:
        return tuple(axis % rank for axis in argument(node, 1, "dims"))
    order = list(range(rank))
    one, other = (argument(node, index, f"dim{index - 1}") % rank for index in (1, 2))
    order[one], order[other] = order[other], order[one]
    return tuple(order)


def map_of(source: Node, order: Shape, module: GraphModule, before: Node) -> Node | None:
    """The same permutation of the map [1,C,H,W] that was reshaped, if it keeps together what came of each axis.

    Formats with channels last then need no transpose.
    """
    image = source.args[0]
    if not isinstance(image, Node) or len(shape_of(image)) != MOST:
        return None
    groups: list[list[int]] = []
    position, shape = 0, shape_of(source)
    for side in shape_of(image):
        group: list[int] = []
        size = 1
        while position < len(shape) and (size < side or not group):
            group.append(position)
            size *= shape[position]
            position += 1
        if size != side:
            return None
        groups.append(group)
    if position != len(shape):
        return None
    by_place = sorted(range(MOST), key=lambda number: order.index(groups[number][0]))
    if [axis for number in by_place for axis in groups[number]] != list(order):
        return None
    return add_call(module, aten.permute.default, [image, by_place], before, before)


def steps_of(shape: Shape, order: Shape) -> list[Step]:
    """The fewest permutations of at most four axes that together are one of many."""
    kept = [axis for axis in order if shape[axis] != 1]
    runs: list[list[int]] = []
    place = {axis: number for number, axis in enumerate(sorted(kept))}
    for axis in kept:
        if runs and place[axis] == place[runs[-1][-1]] + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    sizes = {run[0]: prod(shape[axis] for axis in run) for run in runs}
    start, end = tuple(sorted(sizes)), tuple(run[0] for run in runs)
    if len(start) <= MOST:
        lead = (1,) if len(start) < MOST else ()
        axes = tuple(start.index(axis) + len(lead) for axis in end)
        return [((*lead, *(sizes[axis] for axis in start)), (*range(len(lead)), *axes))]
    before: dict[Shape, tuple[Shape, Step]] = {}
    waiting = deque([start])
    while end not in before:
        state = waiting.popleft()
        for first, middle, last in combinations(range(len(state) + 1), 3):
            moved = (*state[:first], *state[middle:last], *state[first:middle], *state[last:])
            if moved != start and moved not in before:
                before[moved] = state, (_blocks(state, sizes, (first, middle, last)), (0, 2, 1, 3))
                waiting.append(moved)
    steps: list[Step] = []
    while end != start:
        end, step = before[end]
        steps.insert(0, step)
    return steps


def _blocks(state: Shape, sizes: dict[int, int], cuts: Sequence[int]) -> Shape:
    """The sizes of the four blocks between three cuts."""
    edges = (0, *cuts, len(state))
    return tuple(prod(sizes[axis] for axis in state[edges[n] : edges[n + 1]]) for n in range(MOST))


def _rewrite_parts(module: GraphModule) -> None:
    """Parts along one axis of a value of many axes, cut from a view of three."""
    for node in nodes_of(module, PARTS):
        source = node.args[0]
        if not isinstance(source, Node) or len(shape_of(source)) <= MOST or source.target not in RESHAPES:
            continue
        shape = shape_of(source)
        axis = int(argument(node, 1, "dim", 0)) % len(shape)
        view = [prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])]
        viewed = add_call(module, aten.reshape.default, [source, view], node, node)
        chosen = node.target
        part = add_call(module, chosen, [viewed, 1, *node.args[2:]], node, node)
        replace(node, add_call(module, aten.reshape.default, [part, list(shape_of(node))], node, node))


def _join_reshapes(module: GraphModule) -> None:
    """A reshape of a reshape as one, where a value of many axes lies between; what nobody reads then is removed."""
    for node in nodes_of(module, RESHAPES):
        while (source := node.args[0]) and isinstance(source, Node) and source.target in RESHAPES:
            if len(shape_of(source)) <= MOST:
                break
            node.args = (source.args[0], *node.args[1:])
    for node in reversed(list(module.graph.nodes)):
        if node.target in RESHAPES and not node.users:
            module.graph.erase_node(node)
