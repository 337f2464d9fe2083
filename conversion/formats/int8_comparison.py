"""Our int8 beside what others' quantizers make of the same networks, on the same images, in one run.

    python -m samesight.conversion.formats.int8_comparison RUN…

Each is given the run's calibration images and the prepared float program (for onnxruntime the ONNX file of it, for
AI Edge Quantizer the TFLite file), and is judged on the run's test images against the float program: signal-to-noise
ratio of the outputs, and share of images with the same first answer. Ours and plain PT2E are run as the quantized
program by torch; the others by their own runtimes.
"""

import argparse
import copy
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import ModelSpec
from samesight.conversion.preparation.prepare import Prepared, pixels_of
from samesight.conversion.qparams import UInt8
from samesight.conversion.quiet import mute, quiet

Array = npt.NDArray[np.float32]
Program = Callable[[UInt8], list[Array]]
"""Takes one image, uint8 [1,H,W,C]; returns one array per role."""


@dataclass(frozen=True)
class Row:
    """A network quantized by one tool.

    Attributes:
        network: the run's name.
        tool: of `TOOLS`.
        decibels: of the output that is nearest to noise; None if the tool failed.
        equal: share of images, or of a detector's positions, with the same best class.
        problem: why there are no figures.
    """

    network: str
    tool: str
    decibels: float | None
    equal: float | None
    problem: str = ""

    @property
    def markdown(self) -> str:
        """A row of the table."""
        if self.decibels is None or self.equal is None:
            return f"| {self.network} | {self.tool} | {self.problem} | |"
        return f"| {self.network} | {self.tool} | {self.decibels:.1f} | {100 * self.equal:.1f} % |"


def of_torch(module: torch.nn.Module) -> Program:
    """A program that torch runs."""

    def run(image: UInt8) -> list[Array]:
        with torch.no_grad():
            return [output.numpy() for output in module(pixels_of(image))]

    return run


def ours(prepared: Prepared, calibration: UInt8) -> Program:
    """What samesight makes."""
    from samesight.conversion.quantization.quantize import quantize

    return of_torch(quantize(prepared, calibration).folded)


def pt2e(prepared: Prepared, calibration: UInt8) -> Program:
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
    module = prepare_pt2e(copy.deepcopy(prepared.module), quantizer)
    with torch.no_grad():
        for image in calibration:
            module(pixels_of(image[None]))
    return of_torch(convert_pt2e(module))


def onnxruntime(method: str) -> Callable[[Prepared, UInt8], Program]:
    """ONNX Runtime's `quantize_static`, QDQ, int8, weights per channel, with this calibration method."""

    def make(prepared: Prepared, calibration: UInt8) -> Program:
        from onnxruntime import InferenceSession
        from onnxruntime import quantization as ort

        class Images(ort.CalibrationDataReader):
            def __init__(self) -> None:
                self.images = iter(calibration)

            def get_next(self) -> dict[str, Array] | None:
                image = next(self.images, None)
                return None if image is None else {"image": pixels_of(image[None]).numpy()}

        with tempfile.TemporaryDirectory() as folder, quiet():
            source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
            torch.onnx.export(
                copy.deepcopy(prepared.exported),
                (prepared.example,),
                source,
                input_names=["image"],
                dynamo=True,
                external_data=False,
            )
            ort.shape_inference.quant_pre_process(source, target)
            ort.quantize_static(
                target, target, Images(), per_channel=True, calibrate_method=ort.CalibrationMethod[method]
            )
            session = InferenceSession(target.read_bytes(), providers=["CPUExecutionProvider"])
        return lambda image: list(session.run(None, {"image": pixels_of(image).numpy()}))

    return make


def ai_edge_quantizer(prepared: Prepared, calibration: UInt8) -> Program:
    """AI Edge Quantizer's static recipe: int8 activations and weights."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe  # type: ignore[import-untyped]

    from samesight.conversion.formats.litert import float_model

    roles = prepared.spec.roles
    with quiet():
        model = float_model(prepared)
        tool = quantizer.Quantizer(bytearray(model), recipe.static_wi8_ai8())
        key = next(iter(Interpreter(model_content=model).get_signature_list()))
        images = [{"image": image[None].astype(np.float32)} for image in calibration]
        made = tool.quantize(tool.calibrate({key: images}))
        interpreter = Interpreter(model_content=bytes(made.quantized_model), num_threads=1)
        runner = interpreter.get_signature_runner(key)
    takes = runner.get_input_details()["image"]
    gives = runner.get_output_details()

    def real(value: Any, name: str) -> Array:
        scale, zero_point = gives[name]["quantization"]
        return np.asarray(value, np.float32) if scale == 0 else (value.astype(np.float32) - zero_point) * scale

    def run(image: UInt8) -> list[Array]:
        scale, zero_point = takes["quantization"]
        pixels: Any = image.astype(np.float32)
        if scale:
            pixels = np.clip(np.rint(pixels / scale) + zero_point, -128, 127).astype(takes["dtype"])
        outputs = runner(image=pixels)
        return [real(outputs[role], role) for role in roles]

    return run


TOOLS: dict[str, Callable[[Prepared, UInt8], Program]] = {
    "samesight": ours,
    "PT2E, XNNPACKQuantizer": pt2e,
    "onnxruntime, min-max": onnxruntime("MinMax"),
    "onnxruntime, percentile": onnxruntime("Percentile"),
    "onnxruntime, entropy": onnxruntime("Entropy"),
    "AI Edge Quantizer": ai_edge_quantizer,
}


def judge(prepared: Prepared, program: Program, images: UInt8) -> tuple[float, float]:
    """Signal-to-noise ratio in dB over all outputs, and the share of images (or positions) of equal best class."""
    from samesight.conversion.snr import role_figures

    server = of_torch(prepared.module)
    expected = [server(image[None]) for image in images]
    actual = [program(image[None]) for image in images]
    figures = [
        role_figures(role, [each[place] for each in expected], [each[place] for each in actual]).snr_db
        for place, role in enumerate(prepared.spec.roles)
    ]
    equal = [np.mean(one[0].argmax(-1) == other[0].argmax(-1)) for one, other in zip(expected, actual, strict=True)]
    return min(figure for figure in figures if figure is not None), float(np.mean(equal))


def compare(run: Path, tools: Sequence[str], most: int) -> Iterator[Row]:
    """The rows of one run."""
    from samesight.contract.spec import read_spec
    from samesight.conversion.preparation.prepare import prepare
    from samesight.conversion.sources.calibration import calibration_tensors, find_calibration_images
    from samesight.conversion.sources.server_model import load_program

    spec = read_spec(run / "model.json")
    calibration = calibration_tensors(find_calibration_images(run / "calibration"), spec.input)
    prepared = prepare(load_program(run / "network.pt2"), spec)
    images = test_images(run, spec, most)
    for tool in tools:
        try:
            with mute():
                figures = judge(prepared, TOOLS[tool](prepared, calibration), images)
            yield Row(run.name, tool, *figures)
        except Exception as error:  # others' tools raise anything; the row says so
            yield Row(run.name, tool, None, None, f"fails: {type(error).__name__}")


def test_images(run: Path, spec: ModelSpec, most: int) -> UInt8:
    """The first test images of the run's data, as the contract's input tensors."""
    from samesight.conversion.sources.source import open_source
    from samesight.datasets import open_data

    data = open_source(str(run)).data
    if data is None:
        raise SystemExit(f"{run}: its data is not known; give a run of samesight train")
    examples = open_data(data.source, spec.task, data.seed).test
    tensors = [
        preprocess(Picture(np.asarray(examples[number].pixels)), spec.input)[0]
        for number in range(min(most, len(examples)))
    ]
    return np.stack(tensors)


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(
        prog="python -m samesight.conversion.formats.int8_comparison",
        description="Int8 of several tools, side by side.",
    )
    parser.add_argument("runs", type=Path, nargs="+", help="run folders")
    parser.add_argument("--images", type=int, default=200, help="test images")
    parser.add_argument("--tool", action="append", choices=list(TOOLS), help="only these")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| network | quantized by | SNR dB | equal answers |\n|---|---|---|---|")
    for run in options.runs:
        for row in compare(run, options.tool or list(TOOLS), options.images):
            print(row.markdown, flush=True)


if __name__ == "__main__":
    main()
