"""ONNX (`.onnx`) from an ONNX file whose network PyTorch cannot have (`sources/onnx/without_program.py`).

Input and outputs are float32 at every precision, as in the files of `onnx.py`. int8 is ONNX Runtime's own quantizer:
operators between a quantization and a dequantization (QDQ), weights signed and per channel, ranges of activations the
least and the largest value on the calibration images. Its scales are not those of the one quantized program, so these
files are not compared with others in steps.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, describe_error
from samesight.contract.tensor_layout import pack
from samesight.conversion.formats.interface import Lowered, OnnxLowering
from samesight.conversion.formats.onnx import (
    add_transposed_biases,
    keep_narrow_softmaxes_apart,
    strip,
    with_dynamic_integers,
    write,
)
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.qparams import Float32, UInt8
from samesight.conversion.quiet import quiet
from samesight.conversion.sources.onnx.file import run_session


def convert(job: OnnxLowering) -> Lowered:
    """Write `job.output`.

    Raises:
        SamesightError: ONNX Runtime's quantizer cannot take the network.
    """
    import onnx

    model = onnx.load(str(job.network))
    if job.precision != "fp32":
        try:
            model = (
                with_integers(model, job.images)
                if PRECISIONS[job.precision].calibrated
                else with_dynamic_integers(model)
            )
        except Exception as error:  # the quantizer raises anything
            raise SamesightError(
                f"ONNX Runtime's quantizer cannot take this network ({describe_error(error)}); "
                f"leave {job.precision} out with --precision"
            ) from error
    strip(model)
    model.ir_version = ir_version(model)
    run_session(model, job.output)
    return write(model, job.output, job.spec, ("onnx", "onnxruntime"))


def with_integers(model: Any, images: UInt8 | None) -> Any:
    """The model with quantizations and dequantizations around its operators; `images` are uint8 [n, H, W, C]."""
    if images is None:
        raise ValueError("int8 needs calibration images")
    write_means(model)
    with quiet(), tempfile.TemporaryDirectory(prefix="samesight-") as folder:
        import onnx
        from onnxruntime import quantization

        path = Path(folder) / "int8.onnx"
        quantization.quantize_static(
            onnx.shape_inference.infer_shapes(model),
            path,
            image_reader(images),
            per_channel=True,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        quantized = onnx.load(str(path))
    add_transposed_biases(quantized)
    keep_narrow_softmaxes_apart(quantized)
    return quantized


def image_reader(images: UInt8) -> Any:
    """The CalibrationDataReader of ONNX Runtime's quantizer: images, uint8 [n, H, W, C], one after another."""
    from onnxruntime.quantization import CalibrationDataReader

    class Images(CalibrationDataReader):
        """The images as the input `image`."""

        def __init__(self) -> None:
            self.images = iter(images)

        def get_next(self) -> dict[str, Float32] | None:
            image = next(self.images, None)
            return None if image is None else {"image": pack(image, "float32_nchw")}

    return Images()


def write_means(model: Any) -> None:
    """A mean in place of each average over whole maps, in place: ONNX Runtime has none of these in int8.

    (https://github.com/microsoft/onnxruntime/issues/10617)
    """
    from onnx import helper, numpy_helper

    opset = max(entry.version for entry in model.opset_import)
    axes = {"axes": [2, 3]} if opset < 18 else {}
    name = "network_height_and_width"
    pools = [node for node in model.graph.node if node.op_type == "GlobalAveragePool"]
    if pools and not axes:
        model.graph.initializer.append(numpy_helper.from_array(np.array([2, 3], np.int64), name))
    for node in pools:
        inputs = [node.input[0], *([] if axes else [name])]
        node.CopyFrom(helper.make_node("ReduceMean", inputs, list(node.output), node.name, keepdims=1, **axes))


def ir_version(model: Any) -> int:
    """The version of the representation that the first runtime which knows the operators reads, for `RUNTIME_OF_IR`."""
    from onnx import helper

    opset = max(entry.version for entry in model.opset_import)
    return max(model.ir_version, helper.find_min_ir_version_for(model.opset_import), 11 if opset > 21 else 10)
