"""A child process that looks at a network: `python -m samesight.conversion.workflow.look REQUEST.json`.

It builds or loads the network, runs it on a few inputs, and writes what it gave beside the request: `outputs.npz` with
an array [runs, …] per output in order, and `look.json` with the input's size and channels and the outputs' names; or
`refusal.txt` with one sentence.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from samesight.contract.documents import Document, read_document
from samesight.contract.errors import SamesightError, first_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch.nn import Module

    Shape = tuple[int, int, int]

LOOK, OUTPUTS, REFUSAL = "look.json", "outputs.npz", "refusal.txt"
# Tried one after the other where nobody says how large the input is.
SIDES = (224, 320, 640, 256, 128, 64, 32)
RUNS = 3
CELLS = 8


class LookRequest(Document):
    """What to look at: a `.pt2` or `.onnx` file, or what `sources.build` builds without a spec."""

    schema_version: Literal[1] = 1
    source: str
    is_program: bool
    is_onnx: bool = False
    folder: str
    weights: str | None = None
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


class Look(Document):
    """What was seen: the input that the network took, and its outputs' names in order.

    `size_known` says that the size is the network's own or a person's, not the first that worked.
    """

    schema_version: Literal[1] = 1
    width: int
    height: int
    channels: int
    size_known: bool
    outputs: tuple[str, ...]


def look(request: LookRequest) -> tuple[Look, dict[str, Any]]:
    """Run the network; what was seen, and each output [runs, 1, …] as float32.

    Raises:
        SamesightError: it cannot be built, takes no image of any size tried, or gives no tensors.
    """
    from samesight.conversion.sources.build import build_network
    from samesight.conversion.sources.server_model import load_program

    shapes: list[tuple[int, int, int]]
    if request.is_onnx:
        return _look_at_onnx(request)
    if request.is_program:
        program = load_program(Path(request.source))
        inputs = [node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs]
        taken = [tuple(int(side) for side in node.meta["val"].shape) for node in inputs if "val" in node.meta]
        if len(taken) != 1 or len(taken[0]) != 4 or taken[0][0] != 1:
            raise SamesightError(f"{request.source}: takes {taken}, not one image [1, channels, height, width]")
        shapes = [taken[0][1:]]
        network: Module = program.module()
    else:
        weights = Path(request.weights) if request.weights else None
        network = build_network(request.source, Path(request.folder), None, weights, False).to("cpu").eval()
        sides = [request.size] if request.size else [(side, side) for side in SIDES]
        shapes = [(channels, height, width) for channels in (3, 1) for width, height in sides]
    return _first_that_runs(lambda shape: network, shapes, request, request.is_program)


def _look_at_onnx(request: LookRequest) -> tuple[Look, dict[str, Any]]:
    from samesight.conversion.sources.onnx.file import input_sides, read_sized, run_session
    from samesight.conversion.sources.onnx.server import OnnxServer

    path = Path(request.source)
    known = input_sides(path)
    if len(known) != 4 or known[0] not in (None, 1):
        told = ["free" if side is None else side for side in known]
        raise SamesightError(f"{path}: takes an input {told}, not one image [1, channels, height, width]")
    sides = [request.size] if request.size else [(side, side) for side in SIDES]
    # A side that the file knows is taken; only free ones are tried.
    wished = [(channels, height, width) for channels in (3, 1) for width, height in sides]
    taken = [tuple(own or side for own, side in zip(known[1:], shape, strict=True)) for shape in wished]
    shapes = [(channels, height, width) for channels, height, width in dict.fromkeys(taken)]
    is_known = None not in known[2:]

    read_sized(path, shapes[0])  # what is wrong with the file itself is said before sizes are tried

    def network(shape: tuple[int, int, int]) -> OnnxServer:
        try:
            return OnnxServer(run_session(read_sized(path, shape), path), by_name=True)
        except SamesightError as error:
            if len(shapes) == 1:
                raise
            raise ValueError(str(error)) from None  # another size may do

    return _first_that_runs(network, shapes, request, is_known)


def _first_that_runs(
    network: "Callable[[Shape], Callable[[Tensor], Any]]", shapes: "list[Shape]", request: LookRequest, is_known: bool
) -> tuple[Look, dict[str, Any]]:
    """What the network gives for the first shape (channels, height, width) that it takes."""
    failure: Exception | None = None
    for channels, height, width in shapes:
        try:
            runs = network((channels, height, width))
            results = [_outputs(runs, image, request) for image in _images(channels, height, width, request)]
        except SamesightError:
            raise
        except Exception as error:  # whatever a person's forward raises on an image of another size
            failure = failure or error
            continue
        names = tuple(results[0])
        seen = Look(
            width=width,
            height=height,
            channels=channels,
            size_known=is_known or request.size is not None,
            outputs=names,
        )
        return seen, {name: np.stack([result[name] for result in results]) for name in names}
    assert failure is not None
    tried = ", ".join(f"{width} x {height}" for _, height, width in shapes[: len(shapes) // 2 or 1])
    raise SamesightError(
        f"{request.source}: runs on no image of {tried} pixels ({first_line(failure)}); give the size: --size WxH"
    )


def _images(channels: int, height: int, width: int, request: LookRequest) -> "list[Tensor]":
    """Smooth noise, whose values spread as those of photographs, normalised."""
    import torch

    random = torch.Generator().manual_seed(0)
    # Numbers for another count of channels are refused once the network has shown how many it takes.
    fitting = len(request.mean) == len(request.std) == channels
    mean, std = (request.mean, request.std) if fitting else ((0.5,) * channels, (0.25,) * channels)
    images = []
    for _ in range(RUNS):
        coarse = torch.rand(1, channels, CELLS, CELLS, generator=random)
        smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
        images.append((smooth - torch.tensor(mean).view(1, -1, 1, 1)) / torch.tensor(std).view(1, -1, 1, 1))
    return images


def _outputs(network: "Callable[[Tensor], Any]", image: "Tensor", request: LookRequest) -> dict[str, Any]:
    import torch
    from torch.utils._pytree import tree_leaves

    with torch.no_grad():
        returned = network(image)
    named = returned.items() if isinstance(returned, Mapping) else enumerate(tree_leaves(returned))
    result: dict[str, Any] = {}
    for key, value in named:
        if not isinstance(value, torch.Tensor) or value.ndim == 0 or value.shape[0] != 1:
            shape = list(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            raise SamesightError(
                f"{request.source}: returns {shape} as output {key}, where tensors [1, …] are needed; "
                "return raw tensors"
            )
        result[str(key) if isinstance(returned, Mapping) else f"output{key}"] = value.float().numpy()
    if not result:
        raise SamesightError(f"{request.source}: returns no tensor")
    return result


def main(path: Path) -> None:
    """Serve one request file."""
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(1)
    try:
        seen, arrays = look(read_document(LookRequest, path))
    except SamesightError as error:
        (path.parent / REFUSAL).write_text(str(error), encoding="utf-8")
        return
    np.savez(path.parent / OUTPUTS, allow_pickle=False, **{f"{i}": arrays[n] for i, n in enumerate(seen.outputs)})
    (path.parent / LOOK).write_text(seen.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
