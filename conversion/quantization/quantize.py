"""One quantized program per model, from which every int8 format is lowered.

PT2E prepares the program once and converts it twice: ExecuTorch, ONNX and Core ML want folded weights
(`fold_quantize=True`), litert_torch wants weights that are still quantized in the graph.
"""

import copy
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from samesight.contract.errors import SamesightError
from samesight.contract.spec import ModelSpec, Role
from samesight.conversion.preparation.activations import quantizable
from samesight.conversion.preparation.graph import forget_history
from samesight.conversion.preparation.prepare import Prepared, example_of
from samesight.conversion.qparams import QuantParams, UInt8
from samesight.conversion.quantization.activation_qparams import (
    Ranges,
    check_ranges,
    fix_observers,
    parse_ranges,
    read_ranges,
)
from samesight.conversion.quantization.calibrate import Step, calibrate, describe
from samesight.conversion.quantization.kept_calibration import kept_calibration
from samesight.conversion.quantization.qat import (
    as_network,
    fine_tuned,
    prepare_qat,
    put_parameters,
    ranges_of,
    with_parameters,
)
from samesight.conversion.quantization.quantizer import PhoneQuantizer

DEQUANTIZE = "quantized_decomposed.dequantize_per_tensor"


@dataclass(frozen=True, eq=False)
class Quantized:
    """The quantized program in both forms, with scale and zero point of its activations and of its outputs.

    Both take float32 [1,C,H,W] values 0..255 and return one float32 tensor per role, dequantized.

    Attributes:
        source: the prepared float program.
        parameters: what calibration changed of its parameters, by their names there.
        equal: what it changed without changing what the float program computes.
        folded: the program with folded weights.
        unfolded: the program with weights that are quantized in the graph.
        ranges: of its activations.
        outputs: scale and zero point of each output.
        steps: what calibration tried; empty where ranges were given.
    """

    source: Prepared
    parameters: dict[str, Tensor]
    folded: GraphModule
    unfolded: GraphModule
    ranges: Ranges
    outputs: dict[Role, QuantParams]
    steps: tuple[Step, ...] = ()
    equal: dict[str, Tensor] = field(default_factory=dict)

    @property
    def spec(self) -> ModelSpec:
        """Of the model."""
        return self.source.spec

    @cached_property
    def prepared(self) -> Prepared:
        """A float program that gives this one, bit for bit, with these ranges."""
        return with_parameters(self.source, self.parameters) if self.parameters else self.source

    @property
    def told(self) -> str:
        """What calibration's steps bought, in words; empty where ranges were given."""
        return describe(self.steps)

    @property
    def sha256(self) -> str:
        """A hash of all that decides the program: two processes that find the same make the same artifacts."""
        digest = hashlib.sha256(self.ranges.to_json().encode())
        for name, parameter in sorted(self.parameters.items()):
            digest.update(name.encode() + parameter.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def exported(self) -> ExportedProgram:
        """The folded program, exported. Lowering that changes its input has to copy it first."""
        with torch.no_grad():
            return forget_history(torch.export.export(self.folded, (example_of(self.spec),), strict=False))


def quantize(
    prepared: Prepared, calibration: UInt8 | None, ranges: Ranges | None = None, kept: Path | None = None
) -> Quantized:
    """Quantize a prepared program to int8.

    `calibration` is uint8 [n,H,W,C], the contract's input tensors. When `ranges` are given, it is ignored and
    weights are rounded to the nearest step. `kept` is a file of the calibration of just this program and images, which
    is read where it is there and written where it is not.

    Raises:
        SamesightError: no calibration images, or `ranges` of another network.
    """
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    spec = prepared.spec
    calibrated = None
    if ranges is None:
        if calibration is None or len(calibration) == 0:
            raise SamesightError(f"{spec.name}: int8 needs calibration images; give a folder of them")
        images = calibration
        calibrated = (
            kept_calibration(kept, lambda: calibrate(prepared, images)) if kept else calibrate(prepared, images)
        )
        ranges = calibrated.ranges
    module = quantizable(prepared.module)
    if calibrated:
        put_parameters(module, calibrated.parameters)
    module = prepare_pt2e(module, PhoneQuantizer())
    check_ranges(module, ranges, spec)
    fix_observers(module, ranges.tensors)
    with torch.no_grad():
        module(prepared.example)  # the weights' observers look at them when the program runs
    folded = convert_pt2e(copy.deepcopy(module), fold_quantize=True)
    unfolded = convert_pt2e(module, fold_quantize=False)
    outputs = output_qparams(folded, spec)
    if calibrated is None:
        return Quantized(prepared, {}, folded, unfolded, ranges, outputs)
    steps, parameters, equal = calibrated.steps, calibrated.parameters, calibrated.equal
    return Quantized(prepared, parameters, folded, unfolded, ranges, outputs, steps, equal)


def output_qparams(folded: GraphModule, spec: ModelSpec) -> dict[Role, QuantParams]:
    """Scale and zero point of each output that comes from a dequantization."""
    output_node: Node = next(iter(reversed(folded.graph.nodes)))
    qparams: dict[Role, QuantParams] = {}
    for role, output in zip(spec.roles, output_node.args[0], strict=True):  # type: ignore[arg-type]
        if isinstance(output, Node) and str(output.target).startswith(DEQUANTIZE):
            _, scale, zero_point = output.args[:3]
            qparams[role] = QuantParams(float(scale), int(zero_point))  # type: ignore[arg-type]
    return qparams


__all__ = [
    "Quantized",
    "Ranges",
    "as_network",
    "fine_tuned",
    "parse_ranges",
    "prepare_qat",
    "quantize",
    "ranges_of",
    "read_ranges",
]
