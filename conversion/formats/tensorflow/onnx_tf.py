"""TFLite by onnx-tf: an ONNX file becomes a SavedModel operator by operator, which stays NCHW, with transposes."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from samesight.conversion.formats.interchange import OPSET
from samesight.conversion.formats.interface import Lowered, OnnxLowering
from samesight.conversion.formats.tensorflow.tflite import Network, write
from samesight.conversion.quiet import quiet

TITLE = "onnx-tf"


def convert(job: OnnxLowering) -> Lowered:
    """Write `job.output`."""
    tools = {"onnx-tf": version("onnx-tf"), "tensorflow": version("tensorflow-cpu"), "onnx": version("onnx")}
    return write(job, TITLE, _load, "float32_nchw", tools)


def _load(job: OnnxLowering, scratch: Path) -> Network:
    with quiet():
        import onnx.version_converter
        import tensorflow
        from onnx_tf.backend import prepare

        model = onnx.load(str(job.network))
        # A person's own file may use newer operators.
        if max(entry.version for entry in model.opset_import) > OPSET:
            model = onnx.version_converter.convert_version(model, OPSET)
        prepare(model).export_graph(str(scratch))
        loaded = tensorflow.saved_model.load(str(scratch))
    signature = loaded.signatures["serving_default"]

    def network(image: Any) -> list[Any]:
        returned: Mapping[str, Any] = signature(image=image)
        return [returned[role] for role in job.spec.roles]

    # The variables live as long as the object that holds them.
    return Network(network, loaded)
