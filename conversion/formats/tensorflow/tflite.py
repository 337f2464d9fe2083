"""From a network that TensorFlow has to a `.tflite` at every precision, described as the manifest has it.

Input and outputs are float32 at every precision, with pixel values 0..255. What is inside differs:

| precision | made by TensorFlow's converter |
|---|---|
| fp32 | as it is |
| fp16 | weights as float16 |
| dynamic-int8 | int8 weights, activations quantized while it runs |
| int8 | integers throughout, between a quantization of the input and a dequantization of each output; ranges from the calibration images |

Runs in an environment that has TensorFlow, and neither torch nor LiteRT's own package.
"""  # noqa: E501 (a row of the table)

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, describe_error
from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.formats.interface import Lowered, OnnxLowering
from samesight.conversion.formats.litert import archive, least_version, tensor_info
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.qparams import Float32
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.litert import SIGNATURE

SEED = 0
# Outputs that lie further from the ONNX file's than this belong to another role, or to a network that went wrong.
LEAST_DECIBELS = 40.0


@dataclass(frozen=True)
class Network:
    """A function from TensorFlow's image to its outputs, in any order; `owner` keeps its variables alive."""

    call: Callable[[Any], Sequence[Any]]
    owner: Any


_saved: set[Path] = set()
Load = Callable[[OnnxLowering, Path], Network]


def write(job: OnnxLowering, title: str, load: Load, layout: TensorLayout, tools: dict[str, str]) -> Lowered:
    """Convert the network and write `job.output`; it is loaded once for all precisions.

    Args:
        job: what is asked for.
        title: of the converter, for sentences.
        load: reads the ONNX file; it may use the empty folder given.
        layout: of the image that the network takes: float32_nchw or float32_nhwc.
        tools: names and versions, for the manifest.

    Raises:
        SamesightError: the converter cannot take the network, or changes what it computes.
    """
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    try:
        with quiet():
            folder = job.network.with_suffix(f".{title}")
            if folder not in _saved:
                shutil.rmtree(folder, ignore_errors=True)
                (folder / "loading").mkdir(parents=True)
                network = load(job, folder / "loading")
                save(job, network, role_order(job, title, network, layout), layout, folder / "saved")
                _saved.add(folder)
            model = with_outputs_in_order(lower(job, layout, folder / "saved"), job.spec.roles)
            described = describe(job, model, layout)
    except SamesightError:
        raise
    except Exception as error:  # converters raise anything
        raise SamesightError(
            f"{title} cannot take this network ({describe_error(error)}); change the network, or take another --via"
        ) from error
    job.output.write_bytes(model + archive(job.spec))
    return Lowered(**described, tools=tools)


def role_order(job: OnnxLowering, title: str, network: Network, layout: TensorLayout) -> list[int]:
    """For each role, which of the network's outputs it is: the one with the values that ONNX Runtime computes.

    Raises:
        SamesightError: one is missing, for the converter changed what the network computes.
    """
    import onnxruntime

    size = job.spec.input
    shape = (size.height, size.width, size.channel_count)
    pixels = np.random.default_rng(SEED).integers(0, 256, shape, np.uint8)
    session = onnxruntime.InferenceSession(str(job.network), providers=["CPUExecutionProvider"])
    expected = session.run(list(job.spec.roles), {"image": pack(pixels, "float32_nchw")})
    returned = [np.asarray(output) for output in network.call(pack(pixels, layout))]
    order = []
    for role, values in zip(job.spec.roles, expected, strict=True):
        noise = {
            index: float(np.square(actual.astype(np.float64) - values).sum())
            for index, actual in enumerate(returned)
            if actual.shape == values.shape and index not in order
        }
        nearest = min(noise, key=noise.__getitem__, default=None)
        signal = float(np.square(values.astype(np.float64)).sum())
        if nearest is None or noise[nearest] > signal * 10 ** (-LEAST_DECIBELS / 10):
            raise SamesightError(
                f"{title} makes another network of it: no output has the values of {role} that ONNX Runtime computes; "
                "take another --via"
            )
        order.append(nearest)
    return order


def save(job: OnnxLowering, network: Network, order: Sequence[int], layout: TensorLayout, folder: Path) -> None:
    """Save the network, with its image and its roles by name."""
    import tensorflow as tf

    size = job.spec.input
    shape = pack(np.zeros((size.height, size.width, size.channel_count), np.uint8), layout).shape

    class Module(tf.Module):
        """Holds the variables, and names the outputs."""

        def __init__(self) -> None:
            super().__init__()
            self.owner = network.owner

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, "image")])
        def infer(self, image: Any) -> dict[str, Any]:
            outputs = network.call(image)
            return {role: outputs[index] for role, index in zip(job.spec.roles, order, strict=True)}

    module = Module()
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: module.infer})


def lower(job: OnnxLowering, layout: TensorLayout, folder: Path) -> bytes:
    """Run TensorFlow's converter on a saved network."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    if job.precision != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if job.precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if PRECISIONS[job.precision].calibrated:
        converter.representative_dataset = lambda: samples(job, layout)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return bytes(converter.convert())


def samples(job: OnnxLowering, layout: TensorLayout) -> Iterator[dict[str, Float32]]:
    """The calibration images as the network takes them."""
    if job.images is None:
        raise ValueError(f"{job.precision} needs calibration images")
    for image in job.images:
        yield {"image": pack(image, layout)}


def with_outputs_in_order(model: bytes, roles: Sequence[str]) -> bytes:
    """The model with its outputs in the order of the roles, as readers that go by position expect."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    file = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    (signature,) = file.signatureDefs
    indexes = {output.name.decode(): output.tensorIndex for output in signature.outputs}
    ordered = [indexes[role] for role in roles]
    if list(file.subgraphs[0].outputs) == ordered:
        return model
    file.subgraphs[0].outputs = ordered
    builder = flatbuffers.Builder(len(model))
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def describe(job: OnnxLowering, model: bytes, layout: TensorLayout) -> dict[str, Any]:
    """Run the file once and read its tensors from it: the fields of `Lowered` but for the tools."""
    import tensorflow as tf
    from tensorflow.lite.python import schema_py_generated as schema

    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    signature = interpreter.get_signature_runner(SIGNATURE)
    inputs = signature.get_input_details()
    signature(image=np.zeros(inputs["image"]["shape"], np.float32))
    outputs = signature.get_output_details()
    return {
        "path": job.output,
        "input_layout": layout,
        "input": tensor_info("image", "image", inputs["image"], "nchw" if layout == "float32_nchw" else "nhwc"),
        "outputs": tuple(tensor_info(role, role, outputs[role]) for role in job.spec.roles),
        "runtime": "LiteRT",
        "runtime_version": least_version(schema.Model.GetRootAs(model, 0)),
    }
