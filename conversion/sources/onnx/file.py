"""ONNX files that people bring: opened without running anything, their one input fixed to the spec's size.

A file is data; operators are those of the ONNX standard, and nothing outside of its folder is read.
"""

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.files import check_plain
from samesight.contract.limits import NETWORK_BYTES
from samesight.contract.spec import ModelSpec
from samesight.conversion.quiet import mute

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD = ("", "ai.onnx")
FLOAT32 = 1
EXTERNAL = 1
# Such as "[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:/onnxruntime_src/core/x.cc:5 void f(int) why".
CODE_PLACE = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .*? failed: ?|/onnxruntime_src/\S+ .*?\) "
)

Shape = tuple[int, int, int]


def read_model(path: Path, spec: ModelSpec) -> Any:
    """The file as a ModelProto with all weights inside, for one float32 image [1, C, H, W] of the spec's size.

    Raises:
        SamesightError: damaged, weights outside of its folder, operators that ONNX does not define, or another input
            than the spec's; the sentence begins with the path.
    """
    return read_sized(path, (spec.input.channel_count, spec.input.height, spec.input.width))


def input_sides(path: Path) -> tuple[int | None, ...]:
    """The sides that the file gives its one input, None for free ones (errors as in `read_model`)."""
    model = _parsed(path)
    return _sides(_image(model, path))


def read_sized(path: Path, shape: Shape) -> Any:
    """Like `read_model`, for channels, height and width."""
    import onnx
    from onnx import external_data_helper

    model = _parsed(path)
    _check_external(model, path)
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # the library's own checks of lengths and links, or a file that cannot be read
        raise SamesightError(f"{path}: its weights cannot be read ({first_line(error)}); export it again") from None
    for node in _nodes(model.graph):
        if node.domain not in STANDARD:
            raise SamesightError(
                f"{path}: uses {node.op_type} of {node.domain}, which ONNX does not define; "
                "export it with standard operators"
            )
    _fix_input(model, path, shape)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise SamesightError(f"{path}: is no valid ONNX model ({first_line(error)}); export it again") from None
    return model


def run_session(model: Any, path: Path, optimised: Path | None = None) -> Any:
    """A session of ONNX Runtime on one thread; with `optimised` its constants are folded and written there.

    Raises:
        SamesightError: the runtime refuses the model; the sentence begins with `path`.
    """
    with mute():
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        level = onnxruntime.GraphOptimizationLevel
        # Only what keeps to the operators of the standard.
        options.graph_optimization_level = level.ORT_ENABLE_BASIC if optimised else level.ORT_DISABLE_ALL
        if optimised:
            options.optimized_model_filepath = str(optimised)
        try:
            return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's errors share no base class of their own
            raise SamesightError(f"{path}: ONNX Runtime cannot run it ({_reason(error)}); export it again") from None


def _reason(error: Exception) -> str:
    """The runtime's own sentence, without the place in its source code that said it."""
    return first_line(RuntimeError(CODE_PLACE.sub("", str(error)).strip()))


def folded(model: Any, path: Path, scratch: Path) -> Any:
    """The model with its constants folded by ONNX Runtime, in the operators of the standard; `scratch` is a folder.

    Raises:
        SamesightError: as in `run_session`.
    """
    import onnx

    file = scratch / "folded.onnx"
    try:
        # The first pass writes out operators that the standard defines by others; the second knows their lengths.
        for _ in range(2):
            run_session(model, path, file)
            model = onnx.load(str(file))
    finally:
        file.unlink(missing_ok=True)
    return model


def _parsed(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    if not check_plain(path).is_file():
        raise SamesightError(f"{path}: no such file; torch.onnx.export writes one")
    if path.stat().st_size > NETWORK_BYTES:
        raise SamesightError(f"{path}: has more than {NETWORK_BYTES:,} bytes; export it with its weights beside it")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise SamesightError(f"{path}: cannot be read ({error.strerror or error}); check it and its rights") from None
    except DecodeError:
        raise SamesightError(f"{path}: damaged or not an ONNX file; get it or export it again") from None
    if not model.graph.node or not model.opset_import:
        raise SamesightError(f"{path}: holds no network of ONNX; get it or export it again")
    version, newest = max(entry.version for entry in model.opset_import), onnx.defs.onnx_opset_version()
    if version > newest:
        raise SamesightError(
            f"{path}: uses opset {version}, and ONNX here ends with {newest}; export it with an older one"
        )
    return model


def _nodes(graph: Any) -> "Iterator[Any]":
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *((attribute.g,) if attribute.HasField("g") else ())):
                yield from _nodes(inner)


def _check_external(model: Any, path: Path) -> None:
    """A name from the file must stay in the file's folder, also where a link leads."""
    folder = path.parent.resolve()
    tensors = [*model.graph.initializer]
    tensors += [a.t for node in _nodes(model.graph) for a in node.attribute if a.HasField("t")]
    for tensor in tensors:
        if tensor.data_location != EXTERNAL:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        inside = PurePosixPath(location)
        file = (folder / location).resolve()
        if inside.is_absolute() or ".." in inside.parts or not file.is_relative_to(folder):
            raise SamesightError(
                f"{path}: its weights are outside of its folder ({location}); export it anew, with them beside it"
            )
        if not file.is_file():
            raise SamesightError(f"{path}: its weights are missing ({location}); put that file beside it")


def _image(model: Any, path: Path) -> Any:
    """The one input."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise SamesightError(f"{path}: takes {len(inputs)} inputs ({names}), but must take one image")
    return inputs[0]


def _sides(image: Any) -> tuple[int | None, ...]:
    dimensions = image.type.tensor_type.shape.dim
    return tuple(side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else None for side in dimensions)


def _fix_input(model: Any, path: Path, shape: Shape) -> None:
    """Give the free sides of the one input these lengths, in place."""
    image = _image(model, path)
    tensor, sides, wanted = image.type.tensor_type, _sides(image), (1, *shape)
    if tensor.elem_type != FLOAT32:
        raise SamesightError(f"{path}: its input {image.name} is not float32; export the network in float32")
    if len(sides) != len(wanted) or any(s not in (None, w) for s, w in zip(sides, wanted, strict=True)):
        told = ["free" if side is None else side for side in sides]
        if len(sides) == len(wanted) and sides[-1] == shape[0] != sides[1]:
            raise SamesightError(
                f"{path}: takes an input {told}, with its channels last; export it with channels first, as "
                f"{list(wanted)} (tf2onnx: --inputs-as-nchw {image.name})"
            )
        raise SamesightError(
            f"{path}: takes an input {told}, but the spec says {list(wanted)}; correct input in model.json, "
            "or export it for that input"
        )
    for side, length in zip(tensor.shape.dim, wanted, strict=True):
        side.dim_value = length
    # Shapes that were inferred for free sides contradict the fixed ones.
    del model.graph.value_info[:]
    for output in model.graph.output:
        for side in output.type.tensor_type.shape.dim:
            if not side.HasField("dim_value") or side.dim_value <= 0:
                side.ClearField("dim_value")
                side.dim_param = f"free_{output.name}_{len(side.dim_param)}"
