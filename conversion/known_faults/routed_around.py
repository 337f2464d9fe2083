"""Faults of the converters themselves, found here and routed around: what was seen, and what is written instead.

A test of each fails when its library is mended (tests/conversion/formats/test_library_faults.py); then the rewrite can
go.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RoutedAround:
    """One fault: the library with the version it was seen in, the operator, what went wrong, and what is done."""

    library: str
    pattern: str
    wrong: str
    instead: str


ROUTED_AROUND: dict[str, RoutedAround] = {
    "litert-rsub": RoutedAround(
        "litert-torch 0.10.0", "`number - x`", "another value in every `.tflite` (-14 dB)", "`-x + number`"
    ),
    "litert-repeat": RoutedAround(
        "litert-torch 0.10.0",
        "`repeat` and `expand` between convolutions",
        "copies along the wrong axis, because the pass that moves channels to the end leaves the arguments as they are",
        "a concatenation, or broadcasting",
    ),
    "litert-choice": RoutedAround(
        "litert-torch 0.10.0",
        "`maximum`, `minimum`, `where` and what is lowered to them (softplus, elu, mish) in int8",
        "the converter gives both branches the scale of one of them (-32 dB in a box head)",
        "one scale for all of them in the quantized program; activations as sums of both branches",
    ),
    "uneven-nearest": RoutedAround(
        "litert-torch 0.10.0, coreai-torch 0.4.3",
        "`interpolate` to the nearest pixel by a factor that is no whole number",
        "pixels beside the right ones, without an error (23 dB)",
        "rows and columns that are picked by number",
    ),
    "litert-sort": RoutedAround(
        "ai-edge-litert 2.3.0",
        "`sort` and `topk`",
        "the file names an operator that the runtime lacks (STABLEHLO_SORT)",
        "the file is refused where it is made",
    ),
    "executorch-softmax": RoutedAround(
        "executorch 1.5.1",
        "a softmax over the last axis of a map behind a convolution",
        "XNNPACK computes it over the channels (-24 dB)",
        "a softmax over the rows of a matrix",
    ),
    "executorch-channel-division": RoutedAround(
        "executorch 1.5.1",
        "a division of a quantized map by a map of one channel (L2 normalisation in int8)",
        "a file that does not run (error 0x10)",
        "a product with the reciprocal; where that does not run either, as for RMS normalisation, the file is refused",
    ),
    "executorch-constant-concatenation": RoutedAround(
        "executorch 1.5.1",
        "a concatenation with a constant in int8 (the class token of ViT and DeiT)",
        "a file that does not run (error 0x1)",
        "a padding and a sum, which takes the position embedding in",
    ),
    "onnxruntime-float-weights": RoutedAround(
        "onnxruntime 1.31.1",
        "a grouped transposed convolution between quantized maps",
        "its float weights are quantized when the file is loaded, with one scale for all channels (18 dB)",
        "the bias is added by an operator of its own, which keeps the weights",
    ),
    "onnxruntime-narrow-softmax": RoutedAround(
        "onnxruntime 1.31.1",
        "a softmax over two branches, between integers that do not reach 1",
        "what lies above the largest integer comes out near zero: QLinearSoftmax does not saturate (7 dB)",
        "an absolute value behind the softmax, which keeps it in floats",
    ),
    "coremltools-reciprocal": RoutedAround(
        "coremltools 9.0",
        "`reciprocal`",
        "Core ML's `inverse` adds 0.0001 to its input first (53 dB in fp32, worse near zero)",
        "one divided by it",
    ),
    "coremltools-int-canonicalization": RoutedAround(
        "coremltools 9.0",
        "int8 weights and activations",
        "the pass `common::int_op_canonicalization` drops a rescale",
        "the pass is left out",
    ),
    "coreai-half-products": RoutedAround(
        "coreai-core 1.0.0b3",
        "a linear layer in float16",
        "its products are added in halves (47 dB for 1,024 of them), those of a convolution are not (74 dB)",
        "a convolution of one pixel",
    ),
    "coreai-excluded-padding": RoutedAround(
        "coreai-torch 0.4.3",
        "`avg_pool2d` with `count_include_pad=False`",
        "the padding is counted (7 dB)",
        "a plain pool of the parts of the map",
    ),
}
