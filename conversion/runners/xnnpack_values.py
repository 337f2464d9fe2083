"""An XNNPACK delegate that hands over every value: the graph inside a `.pte` with its inner values as outputs.

Nothing else of the graph changes, so XNNPACK computes with the kernels and weights of the file. A delegate's bytes are
a header (`xnnpack_graph_serialize.py` of ExecuTorch: the magic "XH00" at byte 4; from byte 10 on offset and size of the
graph, uint32, and of the constants, uint32 and uint64), the graph, and the constants that have no name.
"""

import struct
from dataclasses import dataclass
from types import ModuleType
from typing import Any

MAGIC = b"XH00"
HEADER = struct.Struct("<IIIQ")
HEADER_AT = 10
HEADER_BYTES = 32
ALIGNMENT = 16
MOVES = ("Convert", "Copy", "StaticTranspose")
"""Operators that change the layout or the dtype of a value alone."""
# xnnpack.h: no number among the external values, and the flag of an external output.
NO_EXTERNAL = 0xFFFFFFFF
EXTERNAL_OUTPUT = 2


@dataclass(frozen=True)
class DelegateValue:
    """What an operator of a delegate computes.

    Attributes:
        operator: such as "Conv2d".
        number: of the value in the graph.
        external: the number among the delegate's arguments.
        shape: as XNNPACK has it, with channels last where it computes so.
        scale: of an int8 value; None for float32.
        zero_point: likewise.
        new: it was no output before.
    """

    operator: str
    number: int
    external: int
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int
    new: bool


def show_values(payload: bytes, schema: ModuleType) -> tuple[bytes, list[DelegateValue]]:
    """A delegate's bytes with all float32 and int8 values as outputs, and those values in the order of execution.

    What only brings an input into XNNPACK's layout and dtype is no value of the network.

    Args:
        payload: the delegate's bytes.
        schema: the classes of `executorch_schemas.GRAPH`.

    Raises:
        ValueError: not XNNPACK's.
    """
    if payload[4:8] != MAGIC:
        raise ValueError("no XNNPACK graph")
    at, size, constants_at, constants_size = HEADER.unpack_from(payload, HEADER_AT)
    packed = payload[at : at + size]
    graph = schema.XNNGraphT.InitFromPackedBuf(packed, 0)
    values = dict(_tensor(entry.xvalueUnion, schema) for entry in graph.xvalues)
    names = {code: name for name, code in vars(schema.XNodeUnion).items() if isinstance(code, int)}
    outputs, externals, shown = list(graph.outputIds), int(graph.numExterns), list[DelegateValue]()
    moved = {int(number) for number in graph.inputIds}
    for node in graph.xnodes:
        name = names[node.xnodeUnionType].removeprefix("XNN")
        if name in MOVES and node.xnodeUnion.inputId in moved:
            moved.add(node.xnodeUnion.outputId)
            continue
        for number in _outputs(node.xnodeUnion):
            tensor, scale, zero_point, readable = values[number]
            if not readable:
                continue
            if new := tensor.externalId == NO_EXTERNAL:
                tensor.externalId, tensor.flags = externals, tensor.flags | EXTERNAL_OUTPUT
                outputs.append(number)
                externals += 1
            shape = tuple(int(side) for side in tensor.dims)
            shown.append(DelegateValue(name, number, tensor.externalId, shape, scale, zero_point, new))
    graph.outputIds, graph.numExterns = outputs, externals
    return _pack(graph, packed[4:8], payload[constants_at : constants_at + constants_size]), shown


def _outputs(fields: Any) -> list[int]:
    return [value for name, value in vars(fields).items() if name.startswith("output") and name.endswith("Id")]


def _tensor(value: Any, schema: ModuleType) -> tuple[int, tuple[Any, float | None, int, bool]]:
    """The value's number; its tensor, scale and zero point, and whether it can be an output as it is."""
    if not isinstance(value, schema.XNNQuantizedTensorValueT):
        readable = value.datatype == schema.XNNDatatype.xnn_datatype_fp32
        return value.idOut, (value, None, 0, readable and value.dqDatatype == schema.XNNDatatype.xnn_datatype_invalid)
    tensor, quantized = value.tensorValue, value.quantParams
    if tensor.datatype != schema.XNNDatatype.xnn_datatype_qint8:
        return tensor.idOut, (tensor, None, 0, False)
    return tensor.idOut, (tensor, quantized.scale, quantized.zeroPoint, True)


def _pack(graph: Any, identifier: bytes, constants: bytes) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder()
    builder.Finish(graph.Pack(builder), identifier)
    packed = bytes(builder.Output())
    padded = packed + bytes(-len(packed) % ALIGNMENT)
    header = bytes(4) + MAGIC + struct.pack("<H", HEADER_AT + HEADER.size)
    header += HEADER.pack(HEADER_BYTES, len(packed), HEADER_BYTES + len(padded), len(constants))
    return header + bytes(HEADER_BYTES - len(header)) + padded + constants
