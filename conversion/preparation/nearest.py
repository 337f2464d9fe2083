"""Nearest resizing by anything but a whole factor, as rows and columns that are picked: exact.

litert-torch and Core AI compute it with other sample points than torch (23 dB), where the factor is no whole number.
torch picks source pixel floor(i * in / out), `nearest-exact` the one below the middle, floor((i + 0.5) * in / out).
"""

import torch
from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import add_call, add_tensor, aten, nodes_of, replace, shape_of

HALVES = {
    aten.upsample_nearest2d.vec: 0.0,
    aten.upsample_nearest2d.default: 0.0,
    aten._upsample_nearest_exact2d.vec: 0.5,
    aten._upsample_nearest_exact2d.default: 0.5,
}
"""By operator: where in a pixel of the result its point lies."""


def rewrite_nearest(module: GraphModule) -> int:
    """Nearest resizing of [B, C, H, W] whose factors are not both whole numbers. Returns how many there were."""
    count = 0
    for node in nodes_of(module, list(HALVES)):
        value = node.args[0]
        if not isinstance(value, Node):
            continue
        before, after = shape_of(value)[2:], shape_of(node)[2:]
        if all(large % small == 0 for small, large in zip(before, after, strict=True)):
            continue
        for axis, (inside, outside) in enumerate(zip(before, after, strict=True), start=2):
            if inside != outside:
                picked = add_tensor(module, f"picked_{axis}", _picked(node, inside, outside), node)
                value = add_call(module, aten.index_select.default, [value, axis, picked], node, node)
        replace(node, value)
        count += 1
    return count


def _picked(node: Node, inside: int, outside: int) -> torch.Tensor:
    """The source of each row or column of the result, as torch itself picks it."""
    places = torch.arange(inside, dtype=torch.float32).reshape(1, 1, 1, inside)
    mode = "nearest-exact" if HALVES[node.target] else "nearest"  # type: ignore[index]
    return torch.nn.functional.interpolate(places, size=(1, outside), mode=mode).flatten().long()
