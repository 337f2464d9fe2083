"""Reads a `.tflite`."""

from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.conversion.known_faults.network import Network, Operator, Tensor

SMALL = 16
IDENTIFIER = b"TFL3"


def read(path: Path) -> Network:
    """The first subgraph; operators have TensorFlow Lite's names, options their names in the schema.

    Raises:
        SamesightError: it cannot be read.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        data = path.read_bytes()
        if data[4:8] != IDENTIFIER:
            raise ValueError("no TFL3 in its header")
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        graph = model.subgraphs[0]
        kinds = _names(schema.BuiltinOperator)
        dtypes = {code: name.lower() for code, name in _names(schema.TensorType).items()}
        tensors = [_tensor(tensor, place, model, dtypes) for place, tensor in enumerate(graph.tensors)]
        operators = tuple(
            _operator(number, operator, model, tensors, kinds) for number, operator in enumerate(graph.operators)
        )
        outputs = tuple(tensors[place].name for place in graph.outputs)
    except Exception as error:  # flatbuffers raise whatever the damaged bytes lead to
        raise SamesightError(f"{path}: not a .tflite ({first_line(error)}); convert again") from None
    return Network(operators, outputs, model.version)


def _names(enumeration: Any) -> dict[int, str]:
    return {code: name for name, code in vars(enumeration).items() if isinstance(code, int)}


def _tensor(tensor: Any, place: int, model: Any, dtypes: dict[int, str]) -> Tensor:
    shape = () if tensor.shape is None else tuple(int(length) for length in tensor.shape)
    dtype = dtypes.get(tensor.type, "")
    buffer = model.buffers[tensor.buffer]
    constant = (buffer.data is not None and len(buffer.data) > 0) or bool(buffer.offset)
    numbers = None
    if buffer.data is not None and dtype in ("int32", "int64", "float32") and 0 < int(np.prod(shape)) <= SMALL:
        numbers = tuple(float(number) for number in np.frombuffer(bytes(buffer.data), dtype))
    scales = tensor.quantization.scale if tensor.quantization is not None else None
    scale = float(np.min(scales)) if scales is not None and len(scales) else None
    # Names are not unique in every file; the place is.
    return Tensor(f"{place}:{(tensor.name or b'').decode(errors='replace')}", shape, dtype, constant, numbers, scale)


def _operator(number: int, operator: Any, model: Any, tensors: list[Tensor], kinds: dict[int, str]) -> Operator:
    code = model.operatorCodes[operator.opcodeIndex]
    kind = kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
    options = vars(operator.builtinOptions) if operator.builtinOptions is not None else {}
    results = tuple(tensors[place] for place in operator.outputs)
    inputs = {str(index): tensors[place] for index, place in enumerate(operator.inputs) if place >= 0}
    return Operator(kind, f"{kind} {number}", inputs, results, options)
