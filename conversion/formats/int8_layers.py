"""Where the int8 formats diverge: every quantized value of one program, compared between `.pte`, `.tflite` and `.onnx`.

    python -m samesight.conversion.formats.int8_layers runs/scenes --images 10

All three are lowered from the quantized program with every activation as an additional output, and run on the same
images. The first row in which two formats differ names the operator that departs. docs/int8-agreement.md explains what
was found. It is a tool for people who change quantization or move to another version of a converter.
"""

import argparse
import copy
import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.qparams import QuantParams, UInt8

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from samesight.conversion.preparation.prepare import Prepared
    from samesight.conversion.quantization.quantize import Quantized

FORMATS = ("torch", "pte", "tflite", "onnx")
NCHW: TensorLayout = "float32_nchw"
QUANTIZE = "quantized_decomposed.quantize_per_tensor"
Values = dict[str, npt.NDArray[np.int32]]


@dataclass(frozen=True)
class Tap:
    """One quantized activation: its name in the program, the operator that computes it, its module and qparams."""

    name: str
    operator: str
    module: str
    qparams: QuantParams


@dataclass(frozen=True)
class Departure:
    """How far each two formats are apart at one tap, in steps: the largest and the mean distance."""

    tap: Tap
    largest: dict[tuple[str, str], int]
    mean: dict[tuple[str, str], float]


def tapped(program: "GraphModule") -> tuple["GraphModule", list[Tap]]:
    """A copy of a quantized program that returns every activation that an operator computes, dequantized."""
    from torch.fx.graph import CodeGen

    from samesight.conversion.preparation.graph import module_of, operator_name

    program = copy.deepcopy(program)
    end = next(iter(reversed(program.graph.nodes)))
    taps: list[Tap] = []
    outputs = []
    for node in list(program.graph.nodes):
        if node.op != "call_function" or not str(node.target).startswith(QUANTIZE):
            continue
        source: Any = node.args[0]
        if source.op != "call_function" or "quantize" in str(source.target):
            continue
        qparams: Any = node.args[1:]
        dequantize = next(user for user in node.users if "dequantize_per_tensor" in str(user.target))
        with program.graph.inserting_before(end):
            outputs.append(program.graph.call_function(dequantize.target, (node, *qparams)))
        taps.append(
            Tap(source.name, operator_name(source), module_of(source), QuantParams(float(qparams[0]), int(qparams[1])))
        )
    end.args = (tuple(outputs),)
    program.graph.set_codegen(CodeGen())
    program.recompile()
    return program, taps


def departures(
    prepared: "Prepared", quantized: "Quantized", tensors: UInt8, formats: Sequence[str] = FORMATS
) -> list[Departure]:
    """Compare the formats on the contract's input tensors (uint8 [n,H,W,C]), tap by tap in the order of execution."""
    folded, taps = tapped(quantized.folded)
    unfolded, again = tapped(quantized.unfolded)
    if taps != again:
        raise ValueError("both forms of the quantized program have the same activations")
    values = run_all(prepared, folded, unfolded, taps, tensors, formats)
    result = []
    for tap in taps:
        apart = {
            (first, second): np.abs(values[first][tap.name] - values[second][tap.name])
            for first, second in itertools.combinations(formats, 2)
        }
        largest = {pair: int(distance.max()) for pair, distance in apart.items()}
        result.append(Departure(tap, largest, {pair: float(distance.mean()) for pair, distance in apart.items()}))
    return result


def run_all(
    prepared: "Prepared", folded: Any, unfolded: Any, taps: list[Tap], tensors: UInt8, formats: Sequence[str]
) -> dict[str, Values]:
    """Lower the tapped program to every format and run them. Returns the integers per format and tap, NCHW."""
    import torch

    from samesight.conversion.formats import litert, onnx
    from samesight.conversion.formats.executorch import xnnpack
    from samesight.conversion.quiet import mute
    from samesight.conversion.runners.litert import start

    names = [f"t{position:03d}" for position in range(len(taps))]
    with tempfile.TemporaryDirectory() as folder, mute(), torch.no_grad():
        program = torch.export.export(folded, (prepared.example,), strict=False)
        calls: dict[str, Callable[[UInt8], list[Any]]] = {}
        calls["torch"] = lambda tensor: [value.numpy() for value in folded(torch.from_numpy(pack(tensor, NCHW)))]
        if "pte" in formats:
            import executorch.extension.pybindings._C as native

            file = Path(folder) / "tapped.pte"
            file.write_bytes(xnnpack.lower(program, prepared, {}, xnnpack.xnnpack)[0])
            native._unsafe_reset_threadpool(1)
            pte = native._load_for_executorch(str(file))
            calls["pte"] = lambda tensor: [
                value.numpy().copy() for value in pte.forward((torch.from_numpy(pack(tensor, NCHW)),))
            ]
        if "tflite" in formats:
            signature = start(litert.lower(unfolded, prepared, names, quantized=True)).get_signature_runner()
            details = signature.get_output_details()

            def tflite(tensor: UInt8) -> list[Any]:
                integers = signature(image=pack(tensor, "int8_nhwc"))
                return [_real(integers[name], details[name]) for name in names]

            calls["tflite"] = tflite
        if "onnx" in formats:
            import onnxruntime

            session = onnxruntime.InferenceSession(onnx.export(program, prepared, names).SerializeToString())
            calls["onnx"] = lambda tensor: list(session.run(names, {"image": pack(tensor, NCHW)}))
        collected = {name: [calls[name](tensor) for tensor in tensors] for name in formats}
    return {
        name: {
            tap.name: np.stack([as_integers(outputs[position], tap.qparams) for outputs in runs])
            for position, tap in enumerate(taps)
        }
        for name, runs in collected.items()
    }


def _real(value: npt.NDArray[Any], detail: Mapping[str, Any]) -> npt.NDArray[Any]:
    """A tensor's real values: the converter may have chosen another scale than the program has."""
    scale, zero_point = detail["quantization"]
    return value if scale == 0.0 else (value.astype(np.float32) - zero_point) * np.float32(scale)


def as_integers(value: npt.NDArray[Any], qparams: QuantParams) -> npt.NDArray[np.int32]:
    """Integers unchanged, real values quantized with `qparams`."""
    if value.dtype == np.int32:
        return value
    return (np.rint(value / np.float32(qparams.scale)) + qparams.zero_point).astype(np.int32)


def first(departures: Sequence[Departure], first_format: str, second_format: str) -> Departure | None:
    """The first tap at which two formats differ at all."""
    return next((departure for departure in departures if departure.largest[first_format, second_format] > 0), None)


def main() -> None:
    """Print the table of a run's network."""
    from samesight.contract.spec import read_spec
    from samesight.conversion.preparation.prepare import prepare
    from samesight.conversion.quantization.quantize import quantize
    from samesight.conversion.sources.calibration import calibration_tensors, find_calibration_images
    from samesight.conversion.sources.server_model import load_program

    parser = argparse.ArgumentParser(
        prog="python -m samesight.conversion.formats.int8_layers", description="Where the int8 formats part."
    )
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("--images", type=int, default=10, help="calibration images to compare on")
    options = parser.parse_args()
    spec = read_spec(options.run / "model.json")
    tensors = calibration_tensors(find_calibration_images(options.run / "calibration"), spec.input)
    prepared = prepare(load_program(options.run / "network.pt2"), spec)
    table = departures(prepared, quantize(prepared, tensors), tensors[: options.images])
    pairs = list(itertools.combinations(FORMATS, 2))
    print(
        f"{'value':<22}{'operator':<32}"
        + "".join(f"{first_name + ' ' + second_name:>16}" for first_name, second_name in pairs)
    )
    for row in table:
        cells = "".join(f"{row.largest[pair]:>8d}{row.mean[pair]:>8.4f}" for pair in pairs)
        print(f"{row.tap.name:<22}{row.tap.operator:<32}{cells}")


if __name__ == "__main__":
    main()
