"""TFLite files (`.tflite`) through litert_torch, NHWC, without transposes.

| precision | input | outputs | made by |
|---|---|---|---|
| fp32 | float32 0..255 | float32 | litert_torch |
| fp16 | float32 0..255 | float32 | ai-edge-quantizer: weights as float16, arithmetic in float32 on a CPU |
| dynamic-int8 | float32 0..255 | float32 | ai-edge-quantizer: int8 weights, activations quantized while it runs |
| int8-weights, int4-weights | float32 0..255 | float32 | ai-edge-quantizer: a scale a channel, arithmetic in float32 |
| int8 | int8, pixel - 128 | int8 | litert_torch from the one quantized program: integers throughout |
| w8a16 | int8, pixel - 128 | float32 | int8 weights, int16 activations behind the normalisation |
| mixed | as its first layer asks | as its last layers give | the same from the program of a recipe |

The signature `serving_default` names the input `image` and the outputs by their roles. A zip archive with `model.json`
and `labels.txt` is appended to the model, as TFLite's associated files are; the runtime ignores it:
`unzip -p digits.int8.tflite model.json` prints the spec.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.contract.manifest import TensorInfo
from samesight.contract.spec import ModelSpec
from samesight.contract.tensor_layout import TensorLayout
from samesight.conversion.formats.interface import Lowered, Lowering
from samesight.conversion.formats.refusal import refusal
from samesight.conversion.precisions import PrecisionName
from samesight.conversion.quiet import mute, quiet
from samesight.conversion.runners.litert import SIGNATURE, start

if TYPE_CHECKING:
    from torch import nn

    from samesight.conversion.preparation.prepare import Prepared

TITLE = "TFLite"
# Part of the names of a file's tensors: fixed, so that a file's bytes do not depend on the name of this module.
NAME_IN_FILES = "conversion.formats.litert"
SMALLEST_QUANTIZED = 1024
"""Float programs with integer weights leave smaller ones alone: the normalisation would lose half of its levels."""
INT8_INPUT = ("int8", 1.0, -128)
FLOAT_INPUT = ("float32", None, None)


@dataclass(frozen=True)
class Recast:
    """How ai-edge-quantizer stores a float model's weights.

    `dequantized`: the file has operators that make floats of them, so that all arithmetic is float.
    """

    algorithm: str
    kind: str
    bits: int
    granularity: str
    dequantized: bool
    smallest: int = SMALLEST_QUANTIZED


RECASTS: dict[PrecisionName, Recast] = {
    "fp16": Recast("float_casting", "FLOAT", 16, "TENSORWISE", dequantized=True, smallest=0),
    "dynamic-int8": Recast("min_max_uniform_quantize", "INT", 8, "CHANNELWISE", dequantized=False),
    "int8-weights": Recast("min_max_uniform_quantize", "INT", 8, "CHANNELWISE", dequantized=True),
    "int4-weights": Recast("min_max_uniform_quantize", "INT", 4, "CHANNELWISE", dequantized=True),
}

_float_models: "WeakKeyDictionary[Prepared, bytes]" = WeakKeyDictionary()


def convert(job: Lowering) -> Lowered:
    """Write `job.output` (see the table above)."""
    if job.integer and job.precision == "w8a16":
        from samesight.conversion.formats.same_padding import with_same_padding
        from samesight.conversion.formats.wide_activations import finish_wide

        padded = with_same_padding(job.integer.unfolded, job.prepared.example)
        model = finish_wide(lower(padded, job.prepared, job.spec.roles, quantized=True))
    elif job.integer:
        from samesight.conversion.formats.strided_pointwise import widen_strided_pointwise

        network = widen_strided_pointwise(job.integer.unfolded, job.prepared.example, quantized=True)
        model = lower(network, job.prepared, job.spec.roles, quantized=True)
    elif job.precision == "fp32":
        model = float_model(job.prepared)
    else:
        model = recast(float_model(job.prepared, job.precision), RECASTS[job.precision])
    job.output.write_bytes(model + archive(job.spec))
    return describe(job, model)


def float_model(prepared: "Prepared", precision: PrecisionName = "fp32") -> bytes:
    """The fp32 model; made once for the precisions that start from it, but for weights that become int8 alone."""
    from samesight.conversion.formats.strided_pointwise import has_strided_pointwise, widen_strided_pointwise

    if precision == "dynamic-int8" and has_strided_pointwise(prepared.module):
        network = widen_strided_pointwise(prepared.module, prepared.example)
        return lower(network, prepared, prepared.spec.roles, quantized=False)
    if prepared not in _float_models:
        _float_models[prepared] = lower(prepared.module, prepared, prepared.spec.roles, quantized=False)
    return _float_models[prepared]


def lower(network: "nn.Module", prepared: "Prepared", names: Sequence[str], quantized: bool) -> bytes:
    """Run litert_torch on a network that takes NCHW and returns one tensor per name."""
    import torch

    with quiet():
        import litert_torch
        from litert_torch import _config
        from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
        from litert_torch.quantize.quant_config import QuantConfig

        _config.config.show_progress = False

    class ChannelsLast(torch.nn.Module):
        """Takes NHWC, and names the outputs."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            return dict(zip(names, self.network(image.permute(0, 3, 1, 2)), strict=True))

    ChannelsLast.__module__ = NAME_IN_FILES
    module = ChannelsLast()
    module.training = False  # PT2E's graphs refuse eval(), which would reach them
    config = None
    if quantized:
        # The converter reads only that it is static; without it the file would hold a float simulation.
        config = QuantConfig(
            pt2e_quantizer=PT2EQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        )
    example = prepared.example.permute(0, 2, 3, 1).contiguous()
    try:
        with quiet(), torch.no_grad():
            lowered = litert_torch.convert(module, sample_kwargs={"image": example}, quant_config=config)
            return bytes(lowered.model_content())
    except Exception as error:
        raise refusal(TITLE, prepared.exported, error) from error


def recast(model: bytes, how: Recast) -> bytes:
    """Store a float model's weights otherwise, with ai-edge-quantizer."""
    with quiet():
        from ai_edge_quantizer import quantizer  # type: ignore[import-untyped]

        weights = {"num_bits": how.bits, "symmetric": True, "granularity": how.granularity, "dtype": how.kind}
        rule = {
            "regex": ".*",
            "operation": "*",
            "algorithm_key": how.algorithm,
            "op_config": {
                "weight_tensor_config": weights,
                "compute_precision": "FLOAT" if how.dequantized else "INTEGER",
                "explicit_dequantize": how.dequantized,
                "skip_checks": False,
                "min_weight_elements": how.smallest,
            },
        }
        quantizer_ = quantizer.Quantizer(bytearray(model))
        quantizer_.load_quantization_recipe([rule])
        return bytes(quantizer_.quantize().quantized_model)


def archive(spec: ModelSpec) -> bytes:
    """A zip archive with the spec and the labels, the same bytes for the same spec."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as files:
        for name, text in (("model.json", spec.to_json()), ("labels.txt", "\n".join(spec.labels) + "\n")):
            files.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def describe(job: Lowering, model: bytes) -> Lowered:
    """Read the tensors and the least runtime version from the file itself, and check them.

    Raises:
        SamesightError: the input is not int8 or float32 NHWC as expected, or the outputs are not one per role in order.
    """
    from importlib.metadata import version

    with mute():
        from ai_edge_litert import schema_py_generated as schema

        try:
            interpreter = start(model)
        except (RuntimeError, ValueError) as error:
            raise refusal(f"{TITLE}'s runtime", job.prepared.exported, error) from error
        signature = interpreter.get_signature_runner(SIGNATURE)
        inputs, outputs = signature.get_input_details(), signature.get_output_details()
        file = schema.Model.GetRootAs(model, 0)
    image = tensor_info("image", "image", inputs["image"], "nhwc")
    infos = tuple(tensor_info(role, role, outputs[role]) for role in job.spec.roles)
    order = [detail["name"] for detail in interpreter.get_output_details()]
    if [info.name for info in infos] != order:
        raise SamesightError(
            f"{job.output}: the outputs stand in the order {order}, not in that of the roles; report this"
        )
    expected = (INT8_INPUT if job.integer else FLOAT_INPUT, FLOAT_INPUT if job.precision == "mixed" else None)
    if (image.dtype, image.scale, image.zero_point) not in expected:
        raise SamesightError(
            f"{job.output}: the input became {image.dtype} with scale {image.scale} and zero point {image.zero_point}, "
            f"not {expected[0]}; the network's first operator cannot be quantized, put a convolution first"
        )
    input_layout: TensorLayout = "int8_nhwc" if image.dtype == "int8" else "float32_nhwc"
    tools = ("litert-torch", "torch", *(("ai-edge-quantizer",) if job.precision in RECASTS else ()))
    return Lowered(
        path=job.output,
        input_layout=input_layout,
        input=image,
        outputs=infos,
        runtime="LiteRT",
        runtime_version=least_version(file),
        tools={name: version(name) for name in tools},
    )


def tensor_info(name: str, role: Any, detail: Mapping[str, Any], layout: Any = "") -> TensorInfo:
    """One tensor as the manifest describes it; `signature` is its name in the signature."""
    scale, zero_point = detail["quantization"]
    quantized = scale != 0.0
    return TensorInfo(
        name=detail["name"],
        role=role,
        shape=tuple(int(side) for side in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        layout=layout,
        scale=float(np.float32(scale)) if quantized else None,
        zero_point=int(zero_point) if quantized else None,
        signature=name,
    )


def least_version(file: Any) -> str:
    """The least TFLite runtime that has every operator of the file, as its metadata says."""
    for index in range(file.MetadataLength()):
        entry = file.Metadata(index)
        if entry.Name() == b"min_runtime_version":
            stored = file.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            return str(stored.rstrip(b"\0").decode("ascii"))
    return "2.0.0"
