"""One quantized program per model, from which every int8 format is lowered.

PT2E prepares the program once and converts it twice: ExecuTorch, ONNX and Core ML want folded weights
(`fold_quantize=True`), litert_torch wants weights that are still quantized in the graph.
"""

import copy
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from samesight.contract.errors import SamesightError
from samesight.contract.spec import ModelSpec, Role
from samesight.conversion.preparation.activations import quantizable
from samesight.conversion.preparation.graph import forget_history
from samesight.conversion.preparation.prepare import Prepared, example_of, pixels_of
from samesight.conversion.qparams import QuantParams, UInt8
from samesight.conversion.quantization.activation_qparams import (
    Ranges,
    check_ranges,
    exact_qparams,
    fix_observers,
    parse_ranges,
    read_observers,
    read_ranges,
)
from samesight.conversion.quantization.qat import as_network, fine_tuned, prepare_qat, ranges_of
from samesight.conversion.quantization.quantizer import PhoneQuantizer

DEQUANTIZE = "quantized_decomposed.dequantize_per_tensor"


@dataclass(frozen=True, eq=False)
class Quantized:
    """The quantized program in both forms, with scale and zero point of its activations and of its outputs.

    Both take float32 [1,C,H,W] values 0..255 and return one float32 tensor per role, dequantized.
    """

    spec: ModelSpec
    folded: GraphModule
    unfolded: GraphModule
    ranges: Ranges
    outputs: dict[Role, QuantParams]

    @cached_property
    def exported(self) -> ExportedProgram:
        """The folded program, exported. Lowering that changes its input has to copy it first."""
        with torch.no_grad():
            return forget_history(torch.export.export(self.folded, (example_of(self.spec),), strict=False))


def quantize(prepared: Prepared, calibration: UInt8 | None, ranges: Ranges | None = None) -> Quantized:
    """Quantize a prepared program to int8.

    `calibration` is uint8 [n,H,W,C], the contract's input tensors; it is ignored when `ranges` are given.

    Raises:
        SamesightError: no calibration images, or `ranges` of another network.
    """
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    spec = prepared.spec
    module = prepare_pt2e(quantizable(prepared.module), PhoneQuantizer())
    if ranges is not None:
        check_ranges(module, ranges, spec)
        fix_observers(module, ranges.tensors)
        with torch.no_grad():
            module(prepared.example)  # the weights' observers look at them when the program runs
    else:
        if calibration is None or len(calibration) == 0:
            raise SamesightError(f"{spec.name}: int8 needs calibration images; give a folder of them")
        fix_observers(module, exact_qparams(prepared.module, spec.input))
        with torch.no_grad():
            for picture in calibration:
                module(pixels_of(picture[None]))
        ranges = read_observers(module)
    folded = convert_pt2e(copy.deepcopy(module), fold_quantize=True)
    unfolded = convert_pt2e(module, fold_quantize=False)
    return Quantized(spec, folded, unfolded, ranges, output_qparams(folded, spec))


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
