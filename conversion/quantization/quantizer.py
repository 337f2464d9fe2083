"""Which tensors of a program are quantized, and which share one scale: a PT2E quantizer as explicit tables.

It annotates as `XNNPACKQuantizer` does (int8, activations per tensor and affine, weights per channel and symmetric),
with five differences:

- It needs no import of ExecuTorch, which takes 4 s.
- Resizing keeps the scale of its input, as TFLite's kernels demand. With a scale of its own for the output of a
  bilinear resize the `.tflite` clips before it resizes and departs from `.pte` and `.onnx` by up to 25 steps.
- ReLU6 is fused into the layer before it, like ReLU, so that the scale covers 0..6 and no values that are clipped.
- The mean over a whole map has a scale of its own, which is finer: the formats agree better with each other and with
  the float network (docs/int8-agreement.md).
- Weights whose scale would be less than XNNPACK's least one are a whole number of least scales (`weight_scales`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import (
    FusedMovingAvgObsFakeQuantize,
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
)
from torchao.quantization.pt2e.quantizer import (
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
    SharedQuantizationSpec,
)
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from samesight.conversion.preparation.graph import argument, aten, tensor_of
from samesight.conversion.quantization.schemes import ACTIVATIONS, Scheme

LEAST_SCALE = 2.0**-12
"""XNNPACK's least scale of a tensor."""

MOST_STEPS = 127
"""The largest integer of a weight."""

LEAST_WIDE_SCALE = 2.0**-20
"""The same of 16 bits: a bias of 32 bits has the product of its input's and its weights' scales."""

LARGEST = 1e3
"""The largest constant whose range an activation may share."""

LARGEST_RANK = 5

LAYERS = (aten.conv1d.default, aten.conv2d.default, aten.conv_transpose2d.input, aten.linear.default)
ARITHMETIC = (aten.add.Tensor, aten.mul.Tensor)
FUSED_ACTIVATIONS = (aten.relu.default, aten.hardtanh.default)
MEANS = (aten.mean.dim,)
"""Means over a whole map have a scale of their own: their range is a fraction of the map's."""

SAME_SCALE = (
    aten.relu.default,
    aten.hardtanh.default,
    aten.max_pool2d.default,
    aten.avg_pool2d.default,
    aten.adaptive_avg_pool2d.default,
    aten.upsample_bilinear2d.vec,
    aten.upsample_nearest2d.vec,
    aten.permute.default,
    aten.transpose.int,
    aten.reshape.default,
    aten.view.default,
    aten.slice.Tensor,
    aten.clone.default,
    aten.constant_pad_nd.default,
    aten.reflection_pad2d.default,
    aten.replication_pad2d.default,
    aten.flip.default,
    aten.roll.default,
    aten.expand.default,
    aten.repeat.default,
    aten.repeat_interleave.self_int,
    aten.index.Tensor,
    aten.index_select.default,
    aten.gather.default,
    aten.pixel_shuffle.default,
    aten.pixel_unshuffle.default,
    aten.amax.default,
    aten.amin.default,
)
"""Operators whose output has the scale of their first input.

All that only move or choose values are here: between quantized tensors TFLite's converter gives them one scale anyway,
and where it is not in the program, it takes that of one neighbour and reads the other's integers by it.
"""

CHOICES = {
    aten.cat.default: lambda node: node.args[0],
    aten.stack.default: lambda node: node.args[0],
    aten.maximum.default: lambda node: node.args[:2],
    aten.minimum.default: lambda node: node.args[:2],
    aten.where.self: lambda node: node.args[1:3],
}
"""Operators whose output and inputs have one scale, and which those inputs are."""


def weight_scales(weight: torch.Tensor, axis: int) -> torch.Tensor:
    """The scale of each channel: its largest weight is 127 steps, or fewer where such steps were too small for XNNPACK.

    Fewer, but a whole number of them: rounded to the least scale alone, the one weight per channel of a normalisation
    would be wrong by up to 0.7 %.
    """
    largest = weight.abs().amax([each for each in range(weight.dim()) if each != axis])
    steps = torch.clamp(torch.floor(largest / LEAST_SCALE), 1, MOST_STEPS)
    return torch.clamp(largest / steps, min=LEAST_SCALE)


class WeightObserver(PerChannelMinMaxObserver):
    """Gives `weight_scales` of the weights that it saw."""

    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale and zero point of each channel."""
        largest = torch.maximum(-self.min_val, self.max_val)
        return weight_scales(largest[:, None], 0), torch.zeros(len(largest), dtype=torch.int64)


def activation_spec(training: bool) -> QuantizationSpec:
    """Int8, per tensor, affine."""
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
        observer_or_fake_quant_ctr=(
            FusedMovingAvgObsFakeQuantize.with_args(observer=MovingAverageMinMaxObserver, eps=LEAST_SCALE)
            if training
            else HistogramObserver.with_args(eps=LEAST_SCALE)
        ),
    )


def wide_spec() -> QuantizationSpec:
    """Int16, per tensor, symmetric, as TFLite's kernels demand; the range is all that was seen."""
    return QuantizationSpec(
        dtype=torch.int16,
        quant_min=-32767,
        quant_max=32767,
        qscheme=torch.per_tensor_symmetric,
        observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=LEAST_WIDE_SCALE),
    )


def weight_spec(training: bool, channel_axis: int) -> QuantizationSpec:
    """Int8 in -127..127, per output channel, symmetric.

    In training the scale follows the weights at once (averaging constant 1), so that it is the one that conversion
    will compute from the final weights.
    """
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric,
        ch_axis=channel_axis,
        observer_or_fake_quant_ctr=(
            FusedMovingAvgObsFakeQuantize.with_args(
                observer=MovingAveragePerChannelMinMaxObserver, averaging_constant=1.0, eps=LEAST_SCALE
            )
            if training
            else WeightObserver.with_args(eps=LEAST_SCALE)
        ),
    )


def annotation_of(node: Node) -> QuantizationAnnotation | None:
    """The annotation of a node, if it has one."""
    annotation = node.meta.get(Q_ANNOTATION_KEY)
    return annotation if isinstance(annotation, QuantizationAnnotation) and annotation._annotated else None


def annotate(node: Node, inputs: dict[Node, Any], output: Any = None) -> None:
    """Annotate a node with these specs."""
    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(input_qspec_map=inputs, output_qspec=output, _annotated=True)


def fused_activation(node: Node) -> Node | None:
    """The activation that runs inside the same kernel, if nothing else reads the node's own value."""
    users = list(node.users)
    if len(users) == 1 and users[0].op == "call_function" and users[0].target in FUSED_ACTIVATIONS:
        return users[0]
    return None


def annotate_result(node: Node, inputs: dict[Node, Any], output: Any) -> None:
    """Annotate an operator's inputs, and its output or that of the fused activation where there is one."""
    activation = fused_activation(node)
    if activation is None:
        annotate(node, inputs, output)
    else:
        annotate(node, inputs)
        annotate(activation, {}, output)


def is_float(node: Any) -> bool:
    """Whether a node's value is a float tensor."""
    value = node.meta.get("val") if isinstance(node, Node) else None
    return isinstance(value, torch.Tensor) and value.dtype == torch.float32


def is_window_partition(node: Node) -> bool:
    """Whether a value is moved through more than five axes.

    Core ML, which has five at most, joins such reshapes and permutations to others, but not across a quantization.
    """
    ranks = [len(each.meta["val"].shape) for each in (node, node.args[0]) if isinstance(each, Node)]
    return max(ranks) > LARGEST_RANK


def is_mask(model: GraphModule, node: Node) -> bool:
    """Whether an operator puts a number in that no scale may cover, as attention's masks do."""
    constants = [source for source in node.args if isinstance(source, Node) and source.op == "get_attr"]
    return any(not bool((tensor_of(model, each).abs() <= LARGEST).all()) for each in constants if is_float(each))


def comes_from_softmax(node: Any) -> bool:
    """Whether a value is a softmax's, moved at most.

    TFLite refuses a softmax between quantized tensors unless its output has the scale 1/256. A layer behind one is an
    expectation, as in the box heads of the YOLO family, and stays float with it: no pixel is lost to rounding.
    """
    while isinstance(node, Node) and node.target in SAME_SCALE:
        node = node.args[0]
    return isinstance(node, Node) and node.target in (aten.softmax.int, aten._softmax.default)


class PhoneQuantizer(Quantizer):
    """The quantizer that `prepare_pt2e` takes; `training` puts fake quantization in place of observers.

    `schemes` says by node's name how layers compute; those that it does not name are int8.
    """

    def __init__(self, training: bool = False, schemes: Mapping[str, Scheme] = MappingProxyType({})) -> None:
        super().__init__()
        self.training, self.schemes = training, schemes
        self.specs = {8: activation_spec(training), 16: wide_spec()}
        self.bits: dict[Node, int] = {}

    def annotate(self, model: GraphModule) -> GraphModule:
        """Annotate every node, in the order of execution."""
        for node in model.graph.nodes:
            if node.op != "call_function":
                continue
            scheme: Scheme = self.schemes.get(node.name, "int8")
            bits = self.bits[node] = ACTIVATIONS[scheme] if node.target in LAYERS else self._bits_before(node)
            if annotation_of(node) is not None:
                continue
            if bits in self.specs:
                self._annotate(model, node, self.specs[bits])
            elif scheme == "weights" and (weight := self._weight_of(node)):
                annotate(node, weight)
        return model

    def _bits_before(self, node: Node) -> int:
        """The bits of the most precise value that feeds a node."""
        return max((self.bits.get(source, 8) for source in node.all_input_nodes), default=8)

    def _annotate(self, model: GraphModule, node: Node, activation: QuantizationSpec) -> None:
        if node.target in LAYERS:
            if weight := self._weight_of(node):
                annotate_result(node, {argument(node, 0, "input"): activation, **weight}, activation)
        elif node.target in ARITHMETIC and all(is_float(side) for side in node.args[:2]):
            sides: Any = node.args[:2]
            annotate_result(node, dict.fromkeys(sides, activation), activation)
        elif node.target in CHOICES and not is_mask(model, node):
            # torchao makes the observers in this order: the shared one has to be the first.
            sources = list(dict.fromkeys(source for source in CHOICES[node.target](node) if is_float(source)))
            if sources:
                shared = SharedQuantizationSpec((sources[0], node))
                annotate(node, {sources[0]: activation, **dict.fromkeys(sources[1:], shared)}, shared)
        elif node.target in MEANS:
            annotate(node, {node.all_input_nodes[0]: activation}, activation)
        elif node.target in SAME_SCALE and not is_window_partition(node):
            source: Any = node.args[0]
            source_annotation = annotation_of(source)
            if source_annotation is not None and source_annotation.output_qspec is not None:
                shared = SharedQuantizationSpec(source)
                annotate(node, {source: shared}, shared)

    def _weight_of(self, node: Node) -> dict[Node, QuantizationSpec] | None:
        """How a layer's weights are quantized; None for a layer that stays float in every scheme."""
        weight = argument(node, 1, "weight")
        transposed = node.target is aten.conv_transpose2d.input
        if not isinstance(weight, Node) or weight.op != "get_attr":
            return None
        if transposed and argument(node, 6, "groups", 1) != 1:
            return None
        if comes_from_softmax(argument(node, 0, "input")):
            return None
        return {weight: weight_spec(self.training, 1 if transposed else 0)}

    def validate(self, model: GraphModule) -> None:
        """Nothing to check: the tables name only what every format takes."""
