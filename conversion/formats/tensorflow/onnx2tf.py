"""TFLite by onnx2tf: an ONNX file becomes a Keras model in NHWC, in which few transposes remain."""

import contextlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from samesight.conversion.formats.interface import Lowered, OnnxLowering
from samesight.conversion.formats.tensorflow.tflite import Network, write
from samesight.conversion.quiet import quiet

TITLE = "onnx2tf"
# onnx2tf downloads a file of this name and shape, calibrated or not, unless it lies in the working directory.
SAMPLES, SAMPLES_SHAPE = "calibration_image_sample_data_20x128x128x3_float32.npy", (20, 128, 128, 3)


def convert(job: OnnxLowering) -> Lowered:
    """Write `job.output`."""
    tools = {name: version(name) for name in ("onnx2tf", "tensorflow", "onnx")}
    return write(job, TITLE, _load, "float32_nhwc", tools)


def _load(job: OnnxLowering, scratch: Path) -> Network:
    np.save(scratch / SAMPLES, np.zeros(SAMPLES_SHAPE, np.float32))
    network = job.network.absolute()
    with quiet(), _inside(scratch):
        import onnx2tf

        try:
            model = onnx2tf.convert(
                input_onnx_file_path=str(network), output_folder_path="model", disable_model_save=True, non_verbose=True
            )
        except SystemExit as error:  # how it ends on an operator that it does not know
            raise RuntimeError("it gave the network up") from error

    def call(image: Any) -> list[Any]:
        returned = model(image)
        return list(returned) if isinstance(returned, list | tuple) else [returned]

    return Network(call, model)


@contextlib.contextmanager
def _inside(folder: Path) -> Any:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
