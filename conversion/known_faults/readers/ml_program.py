"""Reads a Core ML program: a `.mlpackage`, or the package inside a `.coreml.pte`."""

import tempfile
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError, first_line
from samesight.conversion.known_faults.network import Network, Operator, Tensor
from samesight.conversion.runners.coreml.program import Package, import_reader, read_package

SYSTEMS = {6: 15, 7: 16, 8: 17, 9: 18, 10: 26}
"""The iOS of a specification version."""


def read(path: Path) -> Network:
    """The function that Core ML runs; operators and parameters have MIL's names, constants are folded into options.

    Raises:
        SamesightError: it cannot be read.
    """
    import_reader()
    if path.suffix == ".pte":
        from samesight.conversion.runners.coreml.pte_package import extract_package

        with tempfile.TemporaryDirectory() as folder:
            return network_of(read_package(extract_package(path, Path(folder))))
    return network_of(read_package(path))


def network_of(package: Package) -> Network:
    """The network of a package that was read."""
    function = package.model.mlProgram.functions[package.function_name]
    block = function.block_specializations[function.opset]
    tensors: dict[str, Tensor] = {item.name: _declared(item) for item in function.inputs}
    values: dict[str, Any] = {}
    operators = []
    try:
        for operation in block.operations:
            for output in operation.outputs:
                tensors[output.name] = _declared(output)
            if operation.type == "const":
                name = operation.outputs[0].name
                values[name] = _value(operation.attributes["val"])
                tensors[name] = _constant(tensors[name], values[name])
                continue
            operators.append(_operator(operation, tensors, values))
    except (KeyError, IndexError, ValueError) as error:
        raise SamesightError(f"{package.path}: not a whole ML program ({first_line(error)}); convert again") from None
    return Network(tuple(operators), tuple(block.outputs), SYSTEMS.get(package.model.specificationVersion, 0))


def _operator(operation: Any, tensors: dict[str, Tensor], values: dict[str, Any]) -> Operator:
    inputs: dict[str, Tensor] = {}
    options: dict[str, Any] = {}
    for parameter, argument in sorted(operation.inputs.items()):
        bound = argument.arguments
        for place, item in enumerate(bound):
            key = parameter if len(bound) == 1 else f"{parameter}[{place}]"
            if item.WhichOneof("binding") == "value":
                options[key] = _value(item.value)
            else:
                inputs[key] = tensors.get(item.name, Tensor(item.name))
                if values.get(item.name) is not None:
                    options[key] = values[item.name]
    for name, value in operation.attributes.items():
        options.setdefault(name, _value(value))
        if name != "name" and value.WhichOneof("value") is not None:
            inputs.setdefault(name, Tensor(name, _shape(value.type), _dtype(value.type), True))
    ordered = {key: inputs[key] for key in sorted(inputs, key=lambda key: (key.partition("[")[0] != "x", key))}
    results = tuple(tensors[output.name] for output in operation.outputs)
    return Operator(operation.type, results[0].name if results else operation.type, ordered, results, options)


def _declared(item: Any) -> Tensor:
    return Tensor(item.name, _shape(item.type), _dtype(item.type))


def _constant(tensor: Tensor, value: Any) -> Tensor:
    numbers = value if isinstance(value, tuple) else (value,)
    known = all(isinstance(number, (int, float)) for number in numbers)
    return Tensor(tensor.name, tensor.shape, tensor.dtype, True, tuple(map(float, numbers)) if known else None)


def _shape(kind: Any) -> tuple[int, ...] | None:
    if kind.WhichOneof("type") != "tensorType":
        return None
    axes = kind.tensorType.dimensions
    return tuple(axis.constant.size for axis in axes) if all(axis.HasField("constant") for axis in axes) else None


def _dtype(kind: Any) -> str:
    """NumPy's name."""
    if kind.WhichOneof("type") != "tensorType":
        return ""
    from coremltools.proto import MIL_pb2

    return str(MIL_pb2.DataType.Name(kind.tensorType.dataType)).lower()


def _value(value: Any) -> Any:
    """A number, text, truth value or a tuple of them; None for weights that lie in a file of their own."""
    if value.WhichOneof("value") != "immediateValue":
        return None
    tensor = value.immediateValue.tensor
    kind = tensor.WhichOneof("value")
    if kind is None:
        return None
    if kind == "bytes":
        numbers = _halves(tensor.bytes.values) if _dtype(value.type) == "float16" else ()
    else:
        numbers = tuple(getattr(tensor, kind).values)
    scalar = not value.type.tensorType.dimensions
    return numbers[0] if scalar and numbers else numbers


def _halves(data: bytes) -> tuple[float, ...]:
    import numpy as np

    return tuple(float(number) for number in np.frombuffer(data, np.float16))
