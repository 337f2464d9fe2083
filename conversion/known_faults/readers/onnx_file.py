"""Reads a `.onnx`."""

from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.conversion.known_faults.network import Network, Operator, Tensor

SMALL = 16


def read(path: Path) -> Network:
    """The main graph, its shapes inferred by onnx.

    Raises:
        SamesightError: it cannot be read.
    """
    import onnx

    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(path))
    except Exception as error:  # protobuf's, the file system's and onnx' own
        raise SamesightError(f"{path}: not a .onnx that onnx reads ({first_line(error)}); convert again") from None
    graph = model.graph
    tensors = {info.name: _declared(info, onnx) for info in (*graph.input, *graph.value_info, *graph.output)}
    tensors |= {initializer.name: _constant(initializer, onnx) for initializer in graph.initializer}
    operators = []
    for node in graph.node:
        if node.op_type == "Constant":
            value = next((attribute.t for attribute in node.attribute if attribute.name == "value"), None)
            if value is not None:
                constant = _constant(value, onnx)
                tensors[node.output[0]] = Tensor(node.output[0], constant.shape, constant.dtype, True, constant.numbers)
                continue
        names = _parameters(node, onnx)
        operators.append(
            Operator(
                node.op_type,
                node.name,
                {names[place]: tensors.get(name, Tensor(name)) for place, name in enumerate(node.input) if name},
                tuple(tensors.get(name, Tensor(name)) for name in node.output),
                {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute},
            )
        )
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    return Network(tuple(operators), tuple(output.name for output in graph.output), opset)


def _parameters(node: Any, onnx: Any) -> list[str]:
    """The operator's own names of its inputs; variadic ones are numbered."""
    try:
        names = [item.name for item in onnx.defs.get_schema(node.op_type, node.domain).inputs]
    except onnx.defs.SchemaError:
        names = []
    repeated = len(node.input) > len(names)
    return [f"{place}" if repeated else names[place] for place in range(len(node.input))]


def _declared(info: Any, onnx: Any) -> Tensor:
    kind = info.type.tensor_type
    fixed = kind.HasField("shape") and all(axis.HasField("dim_value") for axis in kind.shape.dim)
    shape = tuple(axis.dim_value for axis in kind.shape.dim) if fixed else None
    return Tensor(info.name, shape, _dtype(kind.elem_type, onnx))


def _constant(value: Any, onnx: Any) -> Tensor:
    shape, dtype = tuple(value.dims), _dtype(value.data_type, onnx)
    numbers = None
    if int(np.prod(shape)) <= SMALL and dtype:
        numbers = tuple(float(number) for number in onnx.numpy_helper.to_array(value).reshape(-1))
    return Tensor(value.name, shape, dtype, True, numbers)


def _dtype(code: int, onnx: Any) -> str:
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(code))
    except (KeyError, ValueError):
        return ""
