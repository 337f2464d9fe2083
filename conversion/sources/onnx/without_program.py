"""An ONNX file whose network PyTorch cannot have: with normalisation and roles around it, the file is converted itself.

What is written takes and returns what the ONNX file of `formats/interchange.py` does, so that routes start from it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from samesight.contract.spec import Input, ModelSpec, Role
from samesight.contract.tasks import TASKS
from samesight.conversion.normalisation import affine_of
from samesight.conversion.qparams import UInt8
from samesight.conversion.sources.onnx.file import FLOAT32, STANDARD, folded, read_model, run_session
from samesight.conversion.sources.onnx.server import load_onnx_server

if TYPE_CHECKING:
    import torch

IR_VERSION = 8
INNER, IMAGE = "network_", "image"


def write_without_program(path: Path, spec: ModelSpec, output: Path, samples: UInt8 | None) -> None:
    """Write `image`, float32 [1, C, H, W] in 0..255, to one output per role, under the roles' names.

    Args:
        path: the `.onnx` file.
        spec: its contract.
        output: the file to write; its folder is used for others in between.
        samples: calibration inputs, uint8 [n, H, W, C], on which it is held against the file, besides noise.

    Raises:
        SamesightError: the file is damaged, contradicts the spec, or what was made of it computes something else.
    """
    import torch

    from samesight.conversion.preparation.equivalence import prove
    from samesight.conversion.preparation.normalisation import normalise
    from samesight.conversion.preparation.prepare import pixels_of

    server = load_onnx_server(path, spec)

    def original(image: "torch.Tensor") -> "list[torch.Tensor]":
        returned = server.module(image)
        return [returned[name] for name in spec.outputs.tensors] if isinstance(returned, dict) else returned

    grey = np.full((1, spec.input.height, spec.input.width, spec.input.channel_count), 128, np.uint8)
    outputs = [tensor.numpy() for tensor in original(normalise(pixels_of(grey), spec.input))]
    model = around(folded(read_model(path, spec), path, output.parent), spec, outputs)
    session = run_session(model, path)

    def made(pixels: "torch.Tensor") -> "list[torch.Tensor]":
        return [torch.from_numpy(array) for array in session.run(list(spec.roles), {IMAGE: pixels.numpy()})]

    def exact() -> Callable[["torch.Tensor"], Any]:
        raise ValueError("ONNX Runtime has no float64 for every operator")

    pixels = None if samples is None else pixels_of(samples)
    prove(original, made, exact, lambda image: normalise(image, spec.input), spec, pixels)
    output.write_bytes(model.SerializeToString(deterministic=True))


def around(model: Any, spec: ModelSpec, outputs: Sequence[npt.NDArray[Any]]) -> Any:
    """The model with normalisation before it and the roles cut from its outputs, of which `outputs` are examples.

    These are in the order of `spec.outputs.tensors`.
    """
    from onnx import compose, helper

    inner = compose.add_prefix(model, INNER)
    graph = inner.graph
    constants = {tensor.name for tensor in graph.initializer}
    (network_image,) = (value.name for value in graph.input if value.name not in constants)
    names = [value.name for value in graph.output]
    wanted = [f"{INNER}{name}" for name in spec.outputs.tensors]
    given = dict(zip(spec.outputs.tensors, wanted if set(names) == set(wanted) else names, strict=True))
    examples = dict(zip(spec.outputs.tensors, outputs, strict=True))
    nodes = [*_normalised(graph, network_image, spec.input), *graph.node]
    infos = []
    for role in spec.roles:
        tensor = spec.outputs.roles[role].tensor
        steps, shape = _cut(spec, role, examples[tensor].shape)
        if examples[tensor].dtype != np.float32:
            steps.append(("Cast", {"to": FLOAT32}, ()))
        name = given[tensor]
        for number, (kind, attributes, numbers) in enumerate(steps or [("Identity", {}, ())], 1):
            inputs = [name, *(_integers(graph, f"{role}_{number}_{place}", each) for place, each in enumerate(numbers))]
            name = role if number >= len(steps) else f"{role}_{number}"
            nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        infos.append(helper.make_tensor_value_info(role, FLOAT32, shape))
    size = spec.input
    image = helper.make_tensor_value_info(IMAGE, FLOAT32, (1, size.channel_count, size.height, size.width))
    made = helper.make_graph(nodes, spec.name, [image], infos, list(graph.initializer))
    # ONNX Runtime names every domain that it has. Version 8 is the newest that every route reads.
    opsets = [entry for entry in inner.opset_import if entry.domain in STANDARD]
    return helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION)


def _normalised(graph: Any, name: str, spec: Input) -> "Iterator[Any]":
    """The step from pixels to the network's input, as in `preparation/normalisation.py`."""
    from onnx import helper, numpy_helper

    affine = affine_of(spec)
    factor = np.array(affine.factor, np.float32).reshape(-1, 1, 1, 1)
    for constant, values in (("factor", factor), ("offset", np.array(affine.offset, np.float32))):
        graph.initializer.append(numpy_helper.from_array(values, f"normalise_{constant}"))
    yield helper.make_node("Conv", [IMAGE, "normalise_factor", "normalise_offset"], [name], group=len(affine.factor))


Step = tuple[str, dict[str, Any], tuple[list[int], ...]]


def _cut(spec: ModelSpec, role: Role, shape: Sequence[int]) -> tuple[list[Step], list[int]]:
    """The operators from an output of this shape to a role (`equivalence.slice_roles`), and the role's shape."""
    part = spec.outputs.roles[role]
    steps: list[Step] = []
    if TASKS[spec.task].per_position:
        axis = part.channel_axis or (1 if len(shape) == 4 else 2)
        order = [side for side in range(len(shape)) if side != axis] + [axis]
        if axis != order[axis]:
            steps.append(("Transpose", {"perm": order}, ()))
        shape = [shape[side] for side in order]
        flat = [1, math.prod(shape[1:-1]), shape[-1]]
    else:
        flat = [1, math.prod(shape)]
    if flat != list(shape):
        steps.append(("Reshape", {}, (flat,)))
    channels = len(flat) - 1
    stop = part.stop or flat[-1]
    if (part.start, stop) != (0, flat[-1]):
        steps.append(("Slice", {}, ([part.start], [stop], [channels])))
    return steps, [*flat[:-1], stop - part.start]


def _integers(graph: Any, name: str, values: list[int]) -> str:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    return name
