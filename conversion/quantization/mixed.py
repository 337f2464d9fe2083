"""A quantized program whose layers do not all compute alike, made from the int8 program of the same network."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from samesight.contract.errors import SamesightError
from samesight.conversion.preparation.activations import quantizable
from samesight.conversion.preparation.graph import nodes_of
from samesight.conversion.preparation.normalisation import NORMALISE
from samesight.conversion.preparation.prepare import pixels_of
from samesight.conversion.qparams import UInt8
from samesight.conversion.quantization.activation_qparams import all_fixed, fix_observers, read_observers
from samesight.conversion.quantization.layers import layers_of
from samesight.conversion.quantization.qat import put_parameters
from samesight.conversion.quantization.quantize import Quantized, output_qparams
from samesight.conversion.quantization.quantizer import LAYERS, PhoneQuantizer
from samesight.conversion.quantization.schemes import Scheme


def quantize_mixed(plain: Quantized, schemes: Mapping[str, Scheme], calibration: UInt8 | None) -> Quantized:
    """The program with these schemes.

    Int8 layers have the weights and ranges of the int8 program; the others have weights that no rounding has changed.

    Args:
        plain: the int8 program.
        schemes: of layers, by node of the prepared program.
        calibration: uint8 [n,H,W,C], the contract's input tensors, for ranges that the int8 program does not have.

    Raises:
        SamesightError: such ranges are needed and there are no images.
    """
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    source = plain.source
    parameters = parameters_for(source.module, plain, schemes)
    module = quantizable(source.module)
    put_parameters(module, parameters)
    module = prepare_pt2e(module, PhoneQuantizer(schemes=schemes))
    fix_observers(module, plain.ranges.tensors)
    if all_fixed(module):
        images = source.example
    elif calibration is None or len(calibration) == 0:
        raise SamesightError(f"{source.spec.name}: this recipe needs calibration images; give a folder of them")
    else:
        images = pixels_of(calibration)
    with torch.no_grad():
        for image in images.split(1):
            module(image)  # the weights' observers look at them when the program runs
    ranges = read_observers(module)
    folded = convert_pt2e(copy.deepcopy(module), fold_quantize=True)
    unfolded = convert_pt2e(module, fold_quantize=False)
    return Quantized(source, parameters, folded, unfolded, ranges, output_qparams(folded, source.spec))


def quantize_wide(plain: Quantized, calibration: UInt8 | None) -> Quantized:
    """The program with int16 activations in all layers but the normalisation, whose 256 levels int8 holds."""
    layers = layers_of(plain.source.module)
    schemes: dict[str, Scheme] = {layer.node: "int8" if layer.name == NORMALISE else "int16" for layer in layers}
    return quantize_mixed(plain, schemes, calibration)


def parameters_for(module: GraphModule, plain: Quantized, schemes: Mapping[str, Scheme]) -> dict[str, Tensor]:
    """The parameters that differ from a prepared program's, for these schemes: rounded ones where a layer is int8."""
    parameters = dict(plain.parameters)
    for node in nodes_of(module, LAYERS):
        if schemes.get(node.name, "int8") == "int8":
            continue
        for constant in node.args[1:3]:
            if isinstance(constant, Node):
                name = str(constant.target)
                parameters.pop(name, None)
                if name in plain.equal:
                    parameters[name] = plain.equal[name]
    return parameters
