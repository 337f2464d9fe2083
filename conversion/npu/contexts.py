"""What is inside of a `.tflite` that was compiled ahead of time: programs for an NPU, and operators left to the CPU."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

DISPATCH = b"DISPATCH_OP"
Border = list[tuple[str, list[int], int]]


@dataclass(frozen=True)
class Context:
    """A compiled program for the NPU.

    Attributes:
        binary: its bytes.
        name: the graph inside.
        inputs, outputs: (name, shape, LiteRT's element type).
    """

    binary: bytes
    name: str
    inputs: Border
    outputs: Border


@dataclass(frozen=True)
class Contents:
    """The programs of a file in their order, how many operators of each kind stand beside them, and the outputs.

    `outputs` has the tensor's name by the name in the signature.
    """

    contexts: tuple[Context, ...]
    left: dict[str, int]
    outputs: dict[str, str]


def read_contents(model: bytes) -> Contents:
    """Read the first subgraph of a compiled file; whatever damaged bytes raise is raised."""
    from ai_edge_litert import schema_py_generated as schema

    file = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    graph = file.subgraphs[0]
    kinds = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    contexts, left = [], Counter[str]()
    for operator in graph.operators:
        code = file.operatorCodes[operator.opcodeIndex]
        if code.customCode == DISPATCH:
            contexts.append(_context(model, graph, operator))
        else:
            left[kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")] += 1
    signatures = [(each.name, each.tensorIndex) for signature in file.signatureDefs or [] for each in signature.outputs]
    outputs = {name.decode(): graph.tensors[index].name.decode() for name, index in signatures}
    return Contents(tuple(contexts), dict(left), outputs)


def _context(model: bytes, graph: Any, operator: Any) -> Context:
    from flatbuffers import flexbuffers

    options = operator.customOptions
    start, length = operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize
    fields = flexbuffers.Loads(bytes(options) if options is not None else model[start : start + length])
    binary = model[fields["bytecode_offset"] :][: fields["bytecode_size"]]
    return Context(binary, str(fields["name"]), _border(graph, operator.inputs), _border(graph, operator.outputs))


def _border(graph: Any, indices: Any) -> Border:
    tensors = [graph.tensors[index] for index in indices]
    return [(tensor.name.decode(), [int(side) for side in tensor.shape], int(tensor.type)) for tensor in tensors]
