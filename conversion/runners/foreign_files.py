"""Files that somebody else made, in the child process that runs them: their one input and their outputs as they are.

Nothing of the contract is assumed: names, layouts and quantization are read from the file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from samesight.contract.errors import SamesightError, first_line
from samesight.conversion.qparams import Float32
from samesight.conversion.quiet import mute

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ForeignFile:
    """A loaded file.

    Attributes:
        shape: of its input, with one image.
        dtype: of its input; with a `scale`, real = (q - zero_point) * scale.
        names: of its outputs.
        quantized: whether it computes with integers, as far as its input and outputs tell.
        run: an input array to the outputs, float32, in the order of the names.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int
    names: tuple[str, ...]
    quantized: bool
    run: Callable[[Array], list[Float32]]

    def feed(self, values: Float32) -> list[Float32]:
        """The outputs for real input values [H, W, C]; quantized and laid out as the file takes them."""
        height, width, channels = values.shape
        first = zip(self.shape, (1, channels, height, width), strict=True)
        if all(side <= 0 or side == wanted for side, wanted in first):  # free sides fit
            laid_out = np.ascontiguousarray(values.transpose(2, 0, 1))[None]
        else:
            laid_out = np.ascontiguousarray(values)[None]
        dtype = np.dtype(self.dtype)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            steps = np.rint(laid_out / np.float32(self.scale or 1.0)) + self.zero_point
            laid_out = np.clip(steps, limits.min, limits.max)
        return self.run(laid_out.astype(dtype))


def open_file(path: Path) -> ForeignFile:
    """Load a file by its suffix.

    Raises:
        SamesightError: damaged, of a kind that is not run here, or it takes more than one image.
    """
    try:
        with mute():
            return OPENERS[path.suffix](path)
    except SamesightError:
        raise
    except Exception as error:  # runtimes raise anything on damaged files
        raise SamesightError(f"{path}: cannot be loaded ({first_line(error)}); get it again") from None


def _litert(path: Path) -> ForeignFile:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
    image = _only(interpreter.get_input_details(), path)
    shape = tuple(int(side) for side in image["shape"])
    if any(side < 0 for side in image["shape_signature"]):
        interpreter.resize_tensor_input(image["index"], shape)
    interpreter.allocate_tensors()
    outputs = interpreter.get_output_details()

    def run(array: Array) -> list[Float32]:
        interpreter.set_tensor(image["index"], array)
        interpreter.invoke()
        return [_real(interpreter.get_tensor(output["index"]), *output["quantization"]) for output in outputs]

    scale, zero_point = image["quantization"]
    integer = any(np.dtype(tensor["dtype"]).kind in "iu" for tensor in (image, *outputs))
    integer = integer or any(
        tensor["dtype"] is np.int8 and len(tensor["shape"]) == 4 for tensor in _activations(interpreter)
    )
    names = tuple(str(output["name"]) for output in outputs)
    return ForeignFile(shape, np.dtype(image["dtype"]).name, scale or None, zero_point, names, integer, run)


def _activations(interpreter: Any) -> list[Mapping[str, Any]]:
    """The values between operators: they have one scale, weights one for each channel."""
    return [t for t in interpreter.get_tensor_details() if len(t["quantization_parameters"]["scales"]) == 1]


def _onnx(path: Path) -> ForeignFile:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    image = _only(session.get_inputs(), path)
    names = tuple(output.name for output in session.get_outputs())
    dtype = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8", "tensor(int8)": "int8"}
    if image.type not in dtype:
        raise SamesightError(f"{path}: takes {image.type}, not an image")

    def run(array: Array) -> list[Float32]:
        return [np.array(output, np.float32) for output in session.run(list(names), {image.name: array})]

    shape = tuple(side if isinstance(side, int) else 0 for side in image.shape)
    quantized = b"QuantizeLinear" in path.read_bytes()
    return ForeignFile(shape, dtype[image.type], None, 0, names, quantized, run)


def _executorch(path: Path) -> ForeignFile:
    import executorch.extension.pybindings._C as native
    import torch

    native._unsafe_reset_threadpool(1)
    module = native._load_for_executorch(str(path))
    about = module.method_meta("forward")
    if about.num_inputs() != 1:
        raise SamesightError(f"{path}: takes {about.num_inputs()} inputs, but must take one image")
    shape = tuple(about.input_tensor_meta(0).sizes())
    names = tuple(str(number) for number in range(about.num_outputs()))

    def run(array: Array) -> list[Float32]:
        outputs = module.forward((torch.from_numpy(array),))
        return [np.array(output.float().numpy()) for output in outputs]

    return ForeignFile(shape, "float32", None, 0, names, b"quantized_decomposed" in path.read_bytes(), run)


def _core_ml(path: Path) -> ForeignFile:
    from samesight.conversion.runners.coreml.evaluator import load_evaluator

    evaluator = load_evaluator(path)
    image = _only(evaluator.inputs, path)
    name = image.declared.name
    # An image's planes are fed as the program takes them, whatever pixel buffer a phone would fill.
    shape = (1, image.image.planes, image.image.height, image.image.width) if image.image else image.declared.shape

    def run(array: Array) -> list[Float32]:
        if image.image and image.image.colour == "BGR":
            array = array[:, ::-1]
        return list(evaluator({name: array}).values())

    return ForeignFile(tuple(shape or ()), "float32", None, 0, evaluator.outputs, evaluator.quantized, run)


OPENERS: dict[str, Callable[[Path], ForeignFile]] = {
    ".tflite": _litert,
    ".onnx": _onnx,
    ".pte": _executorch,
    ".mlpackage": _core_ml,
}


def _only(inputs: Sequence[Any], path: Path) -> Any:
    if len(inputs) != 1:
        raise SamesightError(f"{path}: takes {len(inputs)} inputs, but must take one image")
    return inputs[0]


def _real(array: Array, scale: float, zero_point: int) -> Float32:
    if not scale:
        return np.array(array, np.float32)
    return (array.astype(np.int32) - np.int32(zero_point)).astype(np.float32) * np.float32(scale)
