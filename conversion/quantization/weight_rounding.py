"""Weights rounded so that each layer's outputs, not the weights, come nearest to the float ones; and biases corrected.

Layer by layer, in the order of execution, with the inputs that the int8 program will have there:

- Each weight's rounding error is made up for by the layer's weights that are rounded after it, as the correlations of
  the layer's inputs say (E. Frantar et al., "OPTQ: Accurate Post-Training Quantization for Generative Pre-trained
  Transformers", ICLR 2023; the order is that of the inputs' energy). Closed form: no training, no randomness but which
  positions are looked at.
- The mean error that is left in each channel is taken off the bias (M. Nagel et al., ICCV 2019).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx import Node

from samesight.conversion.preparation.graph import argument, aten
from samesight.conversion.preparation.normalisation import NORMALISE
from samesight.conversion.quantization.quantizer import MOST_STEPS, weight_scales
from samesight.conversion.quantization.simulation import Simulation, attribute, run_beside_float

CONVOLUTION, LINEAR = aten.conv2d.default, aten.linear.default
LAYERS = (CONVOLUTION, LINEAR, aten.conv_transpose2d.input, aten.conv1d.default)
ROUNDED = (CONVOLUTION, LINEAR)

MOST_COLUMNS = 1200
"""Inputs of one output value: the work grows with their third power."""
MOST_ROWS = 6000
"""Positions whose inputs are looked at, over all images."""
DAMPING = 0.01
"""Of the inputs' mean energy: as much is taken for independent of the others."""


def correct_layers(
    simulation: Simulation, reference: dict[str, Tensor], pixels: Tensor, rounding: bool, seed: int = 0
) -> None:
    """Correct the parameters of a simulation whose activations have ranges.

    Args:
        simulation: changed in place. Needs to take batches.
        reference: the float program's parameters.
        pixels: float32 [n,C,H,W] values 0..255.
        rounding: whether weights are rounded too, or biases corrected alone.
        seed: of the choice of positions.
    """
    generator = torch.Generator().manual_seed(seed)

    def visit(layer: Node, floats: dict[Node, Any], quantized: dict[Node, Any], again: Any) -> None:
        weight_site, bias_node = layer.args[1], argument(layer, 2, "bias")
        if not isinstance(weight_site, Node) or weight_site.op != "call_module":
            return
        name = str(weight_site.args[0].target)  # type: ignore[union-attr]
        if name.startswith(f"{NORMALISE}_"):
            return
        weight = attribute(simulation.module, name)
        if rounding and layer.target in ROUNDED:
            source = quantized[layer.args[0]]  # type: ignore[index]
            if (inputs := columns(layer, source, weight, generator)) is not None:
                weight.copy_(rounded(weight, inputs, centred=bias_node is not None))
                quantized[weight_site.args[0]] = weight.clone()  # type: ignore[index]
                quantized[weight_site] = again(weight_site)
                quantized[layer] = again(layer)
        if isinstance(bias_node, Node) and bias_node.op == "get_attr":
            axis = -1 if layer.target is LINEAR else 1
            error = (floats[layer] - quantized[layer]).movedim(axis, -1)
            missing = error.reshape(-1, error.shape[-1]).mean(0)
            attribute(simulation.module, str(bias_node.target)).add_(missing)
            quantized[layer] = (quantized[layer].movedim(axis, -1) + missing).movedim(-1, axis)

    run_beside_float(simulation, reference, pixels, LAYERS, visit)


def columns(layer: Node, source: Tensor, weight: Tensor, generator: torch.Generator) -> Tensor | None:
    """The inputs of single output values: float32 [groups, positions, inputs], in the order of the weight's own.

    None where there are too many inputs to round one after the other, or none.
    """
    if weight[0].numel() > MOST_COLUMNS or source.numel() == 0:
        return None
    if layer.target is LINEAR:
        rows = source.reshape(-1, source.shape[-1])
        return _some(rows, MOST_ROWS, generator)[None]
    stride, padding = argument(layer, 3, "stride", [1, 1]), argument(layer, 4, "padding", [0, 0])
    dilation, groups = argument(layer, 5, "dilation", [1, 1]), int(argument(layer, 6, "groups", 1))
    strides, paddings, dilations = ((int(each[0]), int(each[-1])) for each in (stride, padding, dilation))
    most = max(1, MOST_ROWS // len(source))
    parts = []
    for image in source:  # one by one: unfolded, a batch would be as large as the weights are
        unfolded = F.unfold(image[None], tuple(weight.shape[2:]), dilations, paddings, strides)[0]
        parts.append(_some(unfolded.T, most, generator))
    rows = torch.cat(parts)
    return rows.reshape(len(rows), groups, -1).transpose(0, 1)


def _some(rows: Tensor, most: int, generator: torch.Generator) -> Tensor:
    return rows if len(rows) <= most else rows[torch.randperm(len(rows), generator=generator)[:most]]


def rounded(weight: Tensor, inputs: Tensor, centred: bool) -> Tensor:
    """A weight whose values are whole steps of its channels' scales, chosen for these inputs.

    Args:
        weight: float32 [outputs, ...]; its output channels are in `len(inputs)` groups of equal size.
        inputs: float32 [groups, positions, inputs of one output value].
        centred: a mean error does not count, since the bias will take it.

    Returns:
        of the same shape; the largest weight of a channel keeps its integer, so that the scale stays the same.
    """
    scales = weight_scales(weight, 0).double()
    groups, rows, count = inputs.shape
    work = weight.double().reshape(groups, -1, count)
    steps = scales.reshape(groups, -1, 1)
    if centred:
        inputs = inputs - inputs.mean(1, keepdim=True)
    energies = (inputs.transpose(1, 2) @ inputs).double() / rows
    diagonal = torch.arange(count)
    energies[:, diagonal, diagonal] += DAMPING * energies[:, diagonal, diagonal].mean(1, keepdim=True) + 1e-12
    order = energies[:, diagonal, diagonal].sum(0).argsort(descending=True, stable=True)
    inverse = torch.linalg.inv(energies[:, order][:, :, order])
    upper = torch.linalg.cholesky((inverse + inverse.transpose(1, 2)) / 2, upper=True)
    original, work = work, work[:, :, order].clone()
    result = torch.empty_like(work)
    for index in range(count):
        column = work[:, :, index : index + 1]
        chosen = torch.clamp(torch.round(column / steps), -MOST_STEPS, MOST_STEPS) * steps
        result[:, :, index : index + 1] = chosen
        error = (column - chosen) / upper[:, index, index].reshape(-1, 1, 1)
        work[:, :, index + 1 :] -= error @ upper[:, index : index + 1, index + 1 :]
    back = torch.empty_like(order)
    back[order] = diagonal
    result = result[:, :, back]
    peak = original.abs().argmax(2, keepdim=True)
    kept = torch.round(torch.gather(original, 2, peak) / steps) * steps
    result.scatter_(2, peak, kept)
    return result.to(weight.dtype).reshape(weight.shape)
