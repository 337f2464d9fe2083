"""A `.pte` that returns every float value inside of it: of its XNNPACK delegates, and of the operators outside of them.

The delegates hand over their inner values (`xnnpack_values.py`), each into memory of its own. What stands in memory
that later operators use again is copied where it was computed. Weights, kernels and their order are those of the file.
"""

import struct
from dataclasses import dataclass
from math import prod
from types import ModuleType
from typing import Any

from samesight.conversion.runners.xnnpack_values import DelegateValue, show_values

FORWARD = b"forward"
BACKEND = b"XnnpackBackend"
# Values of program.fbs and scalar_type.fbs, and the header of a file with segments behind the program (`_program.py` of
# ExecuTorch): magic, length, size of the program, offset and size of the segments.
INT8, FLOAT32 = 1, 6
IN_SEGMENT = 1
HEADER = struct.Struct("<4sIQQQ")
HEADER_AT, HEADER_MAGIC, HEADER_BYTES = 8, b"eh00", 64
ALIGNMENT, SEGMENT_ALIGNMENT = 16, 128
ARENA = 1
"""The memory that a program's values stand in; 0 is that of constants."""
COPY = ("aten::clone", "out")


@dataclass(frozen=True)
class ShownValue:
    """What a file returns at `position`: its name, the operator, and scale and zero point where it is int8."""

    position: int
    name: str
    operator: str
    scale: float | None = None
    zero_point: int = 0


def with_all_outputs(data: bytes, program: ModuleType, graph: ModuleType) -> tuple[bytes, list[ShownValue]]:
    """A file that returns its outputs and then all values, and those values in the order of execution.

    Args:
        data: the `.pte`.
        program: the classes of `executorch_schemas.PROGRAM`.
        graph: the classes of `executorch_schemas.GRAPH`.

    Raises:
        ValueError: a delegate is not XNNPACK's.
    """
    size, segments = len(data), b""
    if data[HEADER_AT : HEADER_AT + 4] == HEADER_MAGIC:
        _, _, size, start, _ = HEADER.unpack_from(data, HEADER_AT)
        segments = data[start:] if start else b""
    file = program.ProgramT.InitFromPackedBuf(data[:size], 0)
    plan = next(plan for plan in file.executionPlan if plan.name == FORWARD)
    writer = _Plan(program, plan)
    delegates: dict[int, list[DelegateValue]] = {}
    for number, delegate in enumerate(plan.delegates or ()):
        if delegate.id != BACKEND:
            raise ValueError(f"a delegate of {delegate.id.decode()}")
        payload, delegates[number] = show_values(_payload(file, segments, delegate), graph)
        segments += bytes(-len(segments) % SEGMENT_ALIGNMENT)
        delegate.processed.location, delegate.processed.index = IN_SEGMENT, len(file.segments)
        segment = program.DataSegmentT()
        segment.offset, segment.size = len(segments), len(payload)
        file.segments.append(segment)
        segments += payload
    (chain,) = plan.chains
    writer.show(chain, delegates)
    return _pack(file, segments), writer.shown


class _Plan:
    """Adds values, copies and outputs to an execution plan."""

    def __init__(self, program: ModuleType, plan: Any) -> None:
        self.program, self.plan = program, plan
        self.arena = int(plan.nonConstBufferSizes[ARENA])
        self.outputs = list(plan.outputs)
        self.shown: list[ShownValue] = []
        self.operators = [b"::".join((entry.name, entry.overload or b"")).decode() for entry in plan.operators or ()]
        self.nothing, self.copy = -1, -1

    def show(self, chain: Any, delegates: dict[int, list[DelegateValue]]) -> None:
        """Rewrite the one chain of instructions, and the plan with it."""
        instructions = list[Any]()
        kinds = self.program.InstructionArguments
        jumps = any(instruction.instrArgsType == kinds.JumpFalseCall for instruction in chain.instructions)
        for place, instruction in enumerate(chain.instructions):
            instructions.append(instruction)
            call = instruction.instrArgs
            if instruction.instrArgsType == kinds.DelegateCall:
                instructions += self._delegate(call, delegates.get(call.delegateIndex, []), jumps)
            elif instruction.instrArgsType == kinds.KernelCall and not jumps:
                operator = self.operators[call.opIndex].split("::")[-2]
                for value in self._tensors(int(call.args[-1])):
                    instructions += self._copied(value, f"{place}.{value}", operator)
        chain.instructions, chain.stacktrace = instructions, None
        sizes = list(self.plan.nonConstBufferSizes)
        sizes[ARENA] = self.arena
        self.plan.outputs, self.plan.nonConstBufferSizes = self.outputs, sizes

    def _delegate(self, call: Any, values: list[DelegateValue], jumps: bool) -> list[Any]:
        arguments, copies = list(call.args), list[Any]()
        for value in values:
            name = f"{call.delegateIndex}.{value.number}"
            if value.new:
                dtype = FLOAT32 if value.scale is None else INT8
                arguments.append(self._tensor(dtype, value.shape))
                self._output(arguments[value.external], name, value.operator, value.scale, value.zero_point)
            elif not jumps and value.scale is None:
                copies += self._copied(int(arguments[value.external]), name, value.operator)
        call.args = arguments
        return copies

    def _copied(self, value: int, name: str, operator: str) -> list[Any]:
        """An instruction that copies a float value; none for another."""
        tensor = self.plan.values[value].val
        if tensor.scalarType != FLOAT32:
            return []
        if self.copy < 0:
            self.copy = len(self.operators)
            self.nothing = self._value(self.program.KernelTypes.Null, self.program.NullT())
            entry = self.program.OperatorT()
            entry.name, entry.overload = COPY
            self.plan.operators = [*(self.plan.operators or ()), entry]
        copied = self._tensor(FLOAT32, tuple(int(side) for side in tensor.sizes), tensor.dimOrder)
        self._output(copied, name, operator, None, 0)
        call = self.program.KernelCallT()
        call.opIndex, call.args = self.copy, [value, self.nothing, copied, copied]
        instruction = self.program.InstructionT()
        instruction.instrArgsType, instruction.instrArgs = self.program.InstructionArguments.KernelCall, call
        return [instruction]

    def _tensors(self, value: int) -> list[int]:
        """The tensors that a value is or holds."""
        entry, kinds = self.plan.values[value], self.program.KernelTypes
        if entry.valType == kinds.TensorList:
            return [int(item) for item in entry.val.items]
        return [value] if entry.valType == kinds.Tensor else []

    def _tensor(self, dtype: int, shape: tuple[int, ...], order: Any = None) -> int:
        """A new tensor with memory of its own behind all that there is."""
        tensor = self.program.TensorT()
        tensor.scalarType, tensor.sizes = dtype, list(shape)
        tensor.dimOrder = list(range(len(shape))) if order is None else list(order)
        place = self.program.AllocationDetailsT()
        self.arena += -self.arena % ALIGNMENT
        place.memoryId = ARENA
        place.memoryOffsetHigh, place.memoryOffsetLow = divmod(self.arena, 1 << 32)
        tensor.allocationInfo = place
        self.arena += prod(shape) * (4 if dtype == FLOAT32 else 1)
        return self._value(self.program.KernelTypes.Tensor, tensor)

    def _value(self, kind: int, content: Any) -> int:
        entry = self.program.EValueT()
        entry.valType, entry.val = kind, content
        self.plan.values.append(entry)
        return len(self.plan.values) - 1

    def _output(self, value: int, name: str, operator: str, scale: float | None, zero_point: int) -> None:
        self.shown.append(ShownValue(len(self.outputs), name, operator, scale, zero_point))
        self.outputs.append(value)


def _payload(file: Any, segments: bytes, delegate: Any) -> bytes:
    reference = delegate.processed
    if reference.location != IN_SEGMENT:
        return bytes(file.backendDelegateData[reference.index].data)
    segment = file.segments[reference.index]
    return segments[segment.offset : segment.offset + segment.size]


def _pack(file: Any, segments: bytes) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder()
    builder.Finish(file.Pack(builder), b"ET12")
    packed = bytes(builder.Output())
    size = len(packed) + HEADER_BYTES
    start = size + -size % SEGMENT_ALIGNMENT
    header = HEADER.pack(HEADER_MAGIC, HEADER.size, size, start, len(segments))
    (root,) = struct.unpack("<I", packed[:4])
    head = struct.pack("<I", root + HEADER_BYTES) + packed[4:8] + header.ljust(HEADER_BYTES, b"\0")
    return head + packed[8:] + bytes(start - size) + segments
