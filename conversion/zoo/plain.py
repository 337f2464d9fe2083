"""What the plain converters give for a network, called as their documentation shows, in the same process.

Nothing of ours is in between: no preparation, no routed-around faults. The figure is the signal-to-noise ratio of the
worst output against the network itself.
"""

import copy
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from samesight.contract.errors import first_line
from samesight.contract.spec import ModelSpec, Role
from samesight.conversion.preparation.equivalence import slice_roles
from samesight.conversion.qparams import Float32
from samesight.conversion.quiet import mute, quiet
from samesight.conversion.snr import role_figures

Run = Callable[[Float32], list[Float32]]
CAP = 200.0


def plain_results(
    network: nn.Module, images: Tensor, spec: ModelSpec, folder: Path, suffixes: Collection[str]
) -> dict[str, float | str]:
    """By suffix: decibels of the worst output over the images, or the converter's or the runtime's first line.

    Args:
        network: in evaluation mode.
        images: normalised, float32 [B, C, H, W].
        spec: says which part of the outputs plays which role; the figure is that of the worst role.
        folder: for files; exists.
        suffixes: the converters that are asked for, of those in `PLAIN`.
    """
    expected = [_outputs(network, image[None]) for image in images]
    results: dict[str, float | str] = {}
    for suffix, convert in PLAIN.items():
        if suffix not in suffixes:
            continue
        try:
            with quiet(), mute(), torch.no_grad():
                run = convert(copy.deepcopy(network), images[:1].contiguous(), folder)
                actual = [run(image[None].numpy()) for image in images]
            results[suffix] = worst(expected, actual, spec)
        except BaseException as error:  # converters also end the process
            if isinstance(error, KeyboardInterrupt):
                raise
            results[suffix] = first_line(error) or type(error).__name__
    return results


def worst(expected: Sequence[list[Float32]], actual: Sequence[list[Float32]], spec: ModelSpec) -> float:
    """Decibels of the worst role over all images, as in a verdict; `CAP` for an exact copy."""
    wanted = [_roles(outputs, outputs, spec) for outputs in expected]
    given = [_roles(outputs, like, spec) for outputs, like in zip(actual, expected, strict=True)]
    figures = [role_figures(role, [row[role] for row in wanted], [row[role] for row in given]) for role in spec.roles]
    return min([CAP, *(each.snr_db for each in figures if each.snr_db is not None)])


def _roles(outputs: list[Float32], like: list[Float32], spec: ModelSpec) -> dict[Role, Float32]:
    """The roles, cut from outputs that are matched with those of the network by place, or by size where that fails."""
    placed = [_same_size(outputs, place, expected) for place, expected in enumerate(like)]
    parts = slice_roles([torch.from_numpy(np.array(output)) for output in placed], spec)
    return {role: part.numpy() for role, part in parts.items()}


def _same_size(outputs: list[Float32], place: int, expected: Float32) -> Float32:
    same = [outputs[place], *outputs] if place < len(outputs) else outputs
    return next(output for output in same if output.size == expected.size).reshape(expected.shape)


def _outputs(network: nn.Module, image: Tensor) -> list[Float32]:
    with torch.no_grad():
        outputs = network(image)
    outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
    return [np.array(output.numpy(), np.float32) for output in outputs]


def _onnx(network: nn.Module, example: Tensor, folder: Path) -> Run:
    import onnxruntime

    path = folder / "plain.onnx"
    torch.onnx.export(network, (example,), str(path), dynamo=True, external_data=False, verbose=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (name,) = [each.name for each in session.get_inputs()]
    return lambda image: [np.asarray(output) for output in session.run(None, {name: image})]


def _tflite(network: nn.Module, example: Tensor, folder: Path) -> Run:
    import litert_torch
    from ai_edge_litert.interpreter import Interpreter

    path = folder / "plain.tflite"
    litert_torch.convert(network, (example,)).export(str(path))
    interpreter: Any = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner()
    (name,) = runner.get_input_details()

    def run(image: Float32) -> list[Float32]:
        outputs = runner(**{name: image})
        return [outputs[key] for key in sorted(outputs)]

    return run


def _pte(network: nn.Module, example: Tensor, folder: Path) -> Run:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.runtime import Runtime

    path = folder / "plain.pte"
    program = torch.export.export(network, (example,))
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    path.write_bytes(lowered.buffer)
    method: Any = Runtime.get().load_program(path).load_method("forward")
    return lambda image: [np.array(output.numpy()) for output in method.execute((torch.from_numpy(image),))]


def _mlpackage(network: nn.Module, example: Tensor, folder: Path) -> Run:
    from samesight.conversion.runners.coreml.evaluator import load_evaluator
    from samesight.conversion.runners.coreml.import_coremltools import import_coremltools

    coremltools: Any = import_coremltools()
    path = folder / "plain.mlpackage"
    program = torch.export.export(network, (example,)).run_decompositions({})
    model = coremltools.convert(program, minimum_deployment_target=coremltools.target.iOS17, skip_model_load=True)
    model.save(str(path))
    evaluator = load_evaluator(path)
    (given,) = evaluator.inputs
    return lambda image: list(evaluator({given.declared.name: image}).values())


PLAIN: dict[str, Callable[[nn.Module, Tensor, Path], Run]] = {
    "onnx": _onnx,
    "tflite": _tflite,
    "pte": _pte,
    "mlpackage": _mlpackage,
}
"""By suffix: converts the plain way and returns what runs the file."""
