"""A program by each tool: given a network as a float program, an ONNX or a TFLite file, and its calibration images.

Ours and plain PT2E are run as the quantized program by torch, the others by their own runtimes.
"""

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from samesight.contract.gates import GATES
from samesight.conversion.formats.int8_comparison.case import Array, Case, Program, of_torch
from samesight.conversion.preparation.prepare import pixels_of
from samesight.conversion.qparams import UInt8
from samesight.conversion.quantization.layers import layers_of, node_schemes, weight_bytes
from samesight.conversion.quantization.mixed import quantize_mixed
from samesight.conversion.quantization.schemes import HELD, held_by
from samesight.conversion.quantization.search import Budget, search
from samesight.conversion.quantization.simulation import Simulation, simulate
from samesight.conversion.quiet import quiet

MAX_DROP = 0.5
"""Points that `--precision auto` may lose where nothing is said."""


@dataclass(frozen=True)
class Made:
    """What a tool makes: a program, and the share of the weights' bytes that is in floats, 0..1."""

    program: Program
    in_float: float | None = None


def ours(case: Case) -> Made:
    """What samesight makes."""
    return Made(of_torch(case.quantized.folded), 0.0)


def ours_auto(case: Case) -> Made:
    """What `samesight convert --precision auto` makes for all four formats: the recipe that its search finds."""
    gate = GATES["mixed"]
    recipe = search(case.quantized, case.validation, held_by(HELD), gate, Budget(MAX_DROP))
    module = case.prepared.module
    mixed = quantize_mixed(case.quantized, node_schemes(recipe, module, case.name), case.calibration)
    layers = layers_of(module)
    floats = [layer for layer in layers if recipe.layers[layer.name] == "float"]
    share = weight_bytes(floats, recipe.layers) / weight_bytes(layers, recipe.layers)
    return Made(of_torch(mixed.folded), share)


def with_float_weights(case: Case) -> Simulation:
    """Our ranges of activations and nothing else quantized."""
    plain = case.quantized
    simulation = simulate(case.prepared)
    simulation.load({**simulation.parameters(), **plain.equal})
    simulation.set_ranges({name: each for name, each in plain.ranges.tensors.items() if name in simulation.activations})
    simulation.quantize_constants(False)
    return simulation


def of_simulation(simulation: Simulation) -> Program:
    """A program that the simulation runs, in batches."""
    return lambda images: [role.numpy() for role in simulation.outputs(pixels_of(images))]


def float_weights(case: Case) -> Made:
    """What rounding of weights could reach at best."""
    return Made(of_simulation(with_float_weights(case)), 1.0)


def pt2e(case: Case) -> Made:
    """PT2E with ExecuTorch's XNNPACKQuantizer, weights per channel, as its documentation shows."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    class WithoutPool(XNNPACKQuantizer):
        """It takes our mean over a whole map for a pool, and raises an error; the mean stays float."""

        SUPPORTED_PATTERNS: ClassVar = [
            each for each in XNNPACKQuantizer.SUPPORTED_PATTERNS if each.name != "adaptive_avg_pool2d"
        ]

    quantizer = WithoutPool().set_global(get_symmetric_quantization_config(is_per_channel=True))
    module = prepare_pt2e(copy.deepcopy(case.prepared.module), quantizer)
    with torch.no_grad():
        for image in case.calibration:
            module(pixels_of(image[None]))
    return Made(of_torch(convert_pt2e(module)))


def onnxruntime(method: str) -> Callable[[Case], Made]:
    """ONNX Runtime's `quantize_static`, QDQ, int8, weights per channel, with this calibration method."""

    def make(case: Case) -> Made:
        from onnxruntime import InferenceSession
        from onnxruntime import quantization as ort

        from samesight.conversion.formats.onnx_alone import image_reader

        with tempfile.TemporaryDirectory() as folder, quiet():
            source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
            source.write_bytes(case.onnx)
            ort.shape_inference.quant_pre_process(source, target)
            ort.quantize_static(
                target,
                target,
                image_reader(case.calibration),
                per_channel=True,
                calibrate_method=ort.CalibrationMethod[method],
            )
            session = InferenceSession(target.read_bytes(), providers=["CPUExecutionProvider"])

        def run(images: UInt8) -> list[Array]:
            parts = [session.run(None, {"image": pixels_of(image[None]).numpy()}) for image in images]
            return [np.concatenate(role) for role in zip(*parts, strict=True)]

        return Made(run)

    return make


def ai_edge_quantizer(case: Case) -> Made:
    """AI Edge Quantizer's static recipe: int8 activations and weights."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe  # type: ignore[import-untyped]

    from samesight.conversion.formats.litert import float_model

    with quiet():
        model = float_model(case.prepared)
        tool = quantizer.Quantizer(bytearray(model), recipe.static_wi8_ai8())
        key = next(iter(Interpreter(model_content=model).get_signature_list()))
        images = [{"image": image[None].astype(np.float32)} for image in case.calibration]
        made = tool.quantize(tool.calibrate({key: images}))
        interpreter = Interpreter(model_content=bytes(made.quantized_model), num_threads=1)
        runner = interpreter.get_signature_runner(key)
    takes = runner.get_input_details()["image"]
    gives = runner.get_output_details()

    def real(value: Any, name: str) -> Array:
        scale, zero_point = gives[name]["quantization"]
        return np.asarray(value, np.float32) if scale == 0 else (value.astype(np.float32) - zero_point) * scale

    def run(images: UInt8) -> list[Array]:
        scale, zero_point = takes["quantization"]
        parts = []
        for image in images:
            pixels: Any = image[None].astype(np.float32)
            if scale:
                pixels = np.clip(np.rint(pixels / scale) + zero_point, -128, 127).astype(takes["dtype"])
            outputs = runner(image=pixels)
            parts.append([real(outputs[role], role) for role in case.spec.roles])
        return [np.concatenate(role) for role in zip(*parts, strict=True)]

    return Made(run)


TOOLS: dict[str, Callable[[Case], Made]] = {
    "samesight": ours,
    "samesight, auto": ours_auto,
    "samesight's ranges, float weights": float_weights,
    "PT2E, XNNPACKQuantizer": pt2e,
    "onnxruntime, min-max": onnxruntime("MinMax"),
    "onnxruntime, percentile": onnxruntime("Percentile"),
    "onnxruntime, entropy": onnxruntime("Entropy"),
    "AI Edge Quantizer": ai_edge_quantizer,
}
