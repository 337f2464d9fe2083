"""ONNX (`.onnx`), one file, through torch's exporter.

Input and outputs are float32 at both precisions (image [1,C,H,W], values 0..255). In an int8 file the first operator
quantizes the input exactly, and every output value is (q - zero_point) * scale for an integer q, with scale and zero
point from the metadata. Activations and weights are both signed (S8S8), as in the other formats. U8S8 runs about twice
as fast on x86 CPUs with VNNI, but it saturates on those without.

dynamic-int8 is the float file behind onnxruntime's own quantizer: weights are stored as bytes, activations quantized
while it runs.

The file's metadata holds `model.json` (the spec) and, for int8 and mixed, `quanta.json` (scale and zero point per int8
output).
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from samesight.conversion.formats.float_tensors import describe_input, describe_outputs
from samesight.conversion.formats.interface import Lowered, Lowering
from samesight.conversion.formats.refusal import refusal
from samesight.conversion.qparams import write_qparams
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.onnxruntime import QPARAMS_KEY

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from samesight.contract.spec import ModelSpec
    from samesight.conversion.preparation.prepare import Prepared

TITLE = "ONNX"
SPEC = "model.json"
HIGHEST = 127
RUNTIME_OF_IR = {8: "1.10", 9: "1.17", 10: "1.18", 11: "1.20", 12: "1.23"}
"""The first ONNX Runtime that reads each version of the intermediate representation."""


def convert(job: Lowering) -> Lowered:
    """Write `job.output`."""
    model = export(job.program, job.prepared, job.spec.roles)
    strip(model)
    if job.precision == "dynamic-int8":
        model = with_dynamic_integers(model)
    if job.integer:
        add_transposed_biases(model)
        keep_narrow_softmaxes_apart(model)
    qparams = {QPARAMS_KEY: write_qparams(job.integer.outputs)} if job.integer else {}
    quantizer = ("onnxruntime",) if job.precision == "dynamic-int8" else ()
    return write(model, job.output, job.spec, ("torch", "onnx", "onnxscript", *quantizer), qparams)


def write(
    model: Any,
    output: Path,
    spec: "ModelSpec",
    tools: Sequence[str],
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> Lowered:
    """Write a ModelProto with the spec and other metadata; `tools` are the distributions that it was made with."""
    from importlib.metadata import version

    for key, value in ({SPEC: spec.to_json()} | dict(metadata)).items():
        model.metadata_props.add(key=key, value=value)
    output.write_bytes(model.SerializeToString(deterministic=True))
    shapes = [[side.dim_value for side in value.type.tensor_type.shape.dim] for value in model.graph.output]
    return Lowered(
        path=output,
        input_layout="float32_nchw",
        input=describe_input(spec),
        outputs=describe_outputs(spec, shapes),
        runtime="ONNX Runtime",
        runtime_version=RUNTIME_OF_IR.get(model.ir_version, version("onnxruntime")),
        tools={name: version(name) for name in tools},
    )


def export(program: "ExportedProgram", prepared: "Prepared", names: Sequence[str]) -> Any:
    """Run torch's exporter on a program that returns one tensor per name. Returns a ModelProto."""
    import copy

    import torch

    try:
        with quiet():
            exported = torch.onnx.export(
                copy.deepcopy(program),
                (prepared.example,),
                dynamo=True,
                external_data=False,
                verbose=False,
                input_names=["image"],
                output_names=list(names),
            )
        return exported.model_proto  # type: ignore[union-attr]
    except Exception as error:
        raise refusal(TITLE, prepared.exported, error) from error


def with_dynamic_integers(model: Any) -> Any:
    """A float model whose convolutions and products are of integers: unsigned weights, a scale per channel."""
    with quiet():
        from onnxruntime.quantization import QuantType, quantize_dynamic

        with tempfile.TemporaryDirectory(prefix="samesight-") as folder:
            path = Path(folder) / "dynamic.onnx"
            quantize_dynamic(model, path, per_channel=True, weight_type=QuantType.QUInt8)
            import onnx

            quantized = onnx.load(str(path))
    strip(quantized)
    return quantized


def add_transposed_biases(model: Any) -> None:
    """Add the bias of each transposed convolution with float weights by an operator of its own, in place.

    ONNX Runtime quantizes such weights by itself when it loads the file (its transformer WeightBiasQuantization, with
    one scale for all channels), where an integer follows at once. Quantized programs leave the weights of grouped ones
    in float.
    """
    from onnx import helper, numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type != "ConvTranspose" or len(node.input) < 3 or node.input[1] not in constants:
            model.graph.node.append(node)
            continue
        bias = numpy_helper.to_array(constants[node.input[2]])
        name, output = f"{node.output[0]}_bias", node.output[0]
        model.graph.initializer.append(numpy_helper.from_array(bias.reshape(1, -1, 1, 1), name))
        if not any(node.input[2] in other.input for other in nodes if other is not node):
            model.graph.initializer.remove(constants[node.input[2]])
        del node.input[2]
        node.output[0] = f"{output}_unbiased"
        model.graph.node.extend([node, helper.make_node("Add", [node.output[0], name], [output])])


def keep_narrow_softmaxes_apart(model: Any) -> None:
    """Put an absolute value, which changes nothing, behind each softmax whose integers do not reach 1, in place.

    ONNX Runtime fuses a softmax between integers to QLinearSoftmax, which does not saturate: a value above the largest
    one that an integer stands for comes out near zero. What stands between keeps it from doing so.
    """
    from onnx import helper, numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}

    def reaches_one(reader: Any) -> bool:
        if reader.op_type != "QuantizeLinear":
            return True
        scale, zero_point = (float(numpy_helper.to_array(constants[name])) for name in reader.input[1:])
        return (HIGHEST - zero_point) * scale >= 1 - scale / 2

    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        output = node.output[0]
        if node.op_type != "Softmax" or all(map(reaches_one, readers.get(output, []))):
            model.graph.node.append(node)
            continue
        node.output[0] = f"{output}_apart"
        model.graph.node.extend([node, helper.make_node("Abs", [node.output[0]], [output])])


def strip(model: Any) -> None:
    """Remove the exporter's debugging data: stack traces, scopes and intermediate shapes."""
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        graph.ClearField("doc_string")
        graph.ClearField("metadata_props")
        graph.ClearField("value_info")
        for node in graph.node:
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
    for tensor in (*model.graph.initializer, *model.graph.input, *model.graph.output):
        tensor.ClearField("metadata_props")
        tensor.ClearField("doc_string")
    model.ClearField("metadata_props")
    model.ClearField("doc_string")
