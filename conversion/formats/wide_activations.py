"""What litert_torch leaves undone in a `.tflite` of int8 weights and int16 activations, put right in the file.

| what it leaves | what is done |
|---|---|
| the input is int16 where the first layer takes 16 bits | it is int8 (pixel - 128), and requantized |
| a layer of 16 bits reads a value of 8 bits | the value is requantized before it |
| biases are int32: depthwise kernels refuse them, others give saturated values | they are int64 |
| the outputs are int16, which the contract does not have | they are dequantized to float32 |
"""

import copy
from typing import Any

import numpy as np

PIXELS = (1.0, -128)
LARGEST = 32767
WITH_BIAS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
DEEP = 2
"""The least number of inputs that a layer has: image, weights, and mostly a bias."""


def finish_wide(model: bytes) -> bytes:
    """The file with all of the table done."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    file = schema.ModelT.InitFromPackedBuf(model, 0)
    editor = _Editor(schema, file)
    editor.narrow_input()
    editor.requantize_inputs()
    editor.widen_biases()
    editor.dequantize_outputs()
    builder = flatbuffers.Builder(len(model))
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Editor:
    """Edits the one graph of a file."""

    def __init__(self, schema: Any, file: Any) -> None:
        self.schema, self.file, self.graph = schema, file, file.subgraphs[0]

    def narrow_input(self) -> None:
        index = int(self.graph.inputs[0])
        if self.graph.tensors[index].type != self.schema.TensorType.INT16:
            return
        new = self._like(index, self.schema.TensorType.INT8, b"_int8", PIXELS)
        self.graph.operators.insert(0, self._operator("QUANTIZE", [new], [index]))
        self.graph.inputs = np.array([new], np.int32)
        for signature in self.file.signatureDefs:
            signature.inputs[0].tensorIndex = new

    def requantize_inputs(self) -> None:
        made: dict[int, int] = {}
        for operator in list(self.graph.operators):
            first, output = int(operator.inputs[0]), int(operator.outputs[0])
            if self._code(operator) == "QUANTIZE" or (self._type(first), self._type(output)) != ("INT8", "INT16"):
                continue
            if first not in made:
                scale, zero_point = self._qparams(first)
                largest = max(abs(-128 - zero_point), abs(127 - zero_point)) * scale
                made[first] = self._like(first, self.schema.TensorType.INT16, b"_int16", (largest / LARGEST, 0))
                place = self.graph.operators.index(operator)
                self.graph.operators.insert(place, self._operator("QUANTIZE", [first], [made[first]]))
            operator.inputs = np.array([made[first], *operator.inputs[1:]], np.int32)
            if len(operator.inputs) > DEEP and operator.inputs[DEEP] >= 0:
                self._rescale_bias(operator)

    def _rescale_bias(self, operator: Any) -> None:
        """A bias counts in products of the scales of image and weights, of which the first has changed."""
        image, weight, bias = (self.graph.tensors[int(index)] for index in operator.inputs)
        steps = np.asarray(image.quantization.scale, np.float64) * np.asarray(weight.quantization.scale, np.float64)
        steps = steps.astype(np.float32)
        stored = self._values(bias, np.int32) * np.asarray(bias.quantization.scale, np.float64)
        bias.quantization.scale = steps
        self._store(bias, np.round(stored / steps).astype(np.int32))

    def widen_biases(self) -> None:
        for operator in self.graph.operators:
            if self._code(operator) not in WITH_BIAS or self._type(int(operator.outputs[0])) != "INT16":
                continue
            if len(operator.inputs) > DEEP and self._type(int(operator.inputs[DEEP])) == "INT32":
                bias = self.graph.tensors[int(operator.inputs[DEEP])]
                self._store(bias, self._values(bias, np.int32).astype(np.int64))
                bias.type = self.schema.TensorType.INT64

    def dequantize_outputs(self) -> None:
        self.graph.outputs = np.array(self.graph.outputs)  # not the file's own memory
        for position, index in enumerate([int(index) for index in self.graph.outputs]):
            if self._type(index) == "FLOAT32":
                continue
            new = self._like(index, self.schema.TensorType.FLOAT32, b"_float", None)
            self.graph.operators.append(self._operator("DEQUANTIZE", [index], [new]))
            self.graph.outputs[position] = new
            for signature in self.file.signatureDefs:
                for entry in signature.outputs:
                    if entry.tensorIndex == index:
                        entry.tensorIndex = new

    def _type(self, index: int) -> str:
        names = {value: name for name, value in vars(self.schema.TensorType).items()}
        return str(names[self.graph.tensors[index].type]) if index >= 0 else ""

    def _qparams(self, index: int) -> tuple[float, int]:
        quantization = self.graph.tensors[index].quantization
        return float(quantization.scale[0]), int(quantization.zeroPoint[0])

    def _code(self, operator: Any) -> str:
        names = {value: name for name, value in vars(self.schema.BuiltinOperator).items()}
        return str(names[self.file.operatorCodes[operator.opcodeIndex].builtinCode])

    def _like(self, index: int, kind: int, suffix: bytes, qparams: tuple[float, int] | None) -> int:
        """A new tensor of the shape of another; its index."""
        tensor = copy.copy(self.graph.tensors[index])
        tensor.name, tensor.type, tensor.buffer = bytes(tensor.name) + suffix, kind, 0
        tensor.quantization = None
        if qparams is not None:
            tensor.quantization = self.schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([qparams[0]], np.float32)
            tensor.quantization.zeroPoint = np.array([qparams[1]], np.int64)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _operator(self, name: str, inputs: list[int], outputs: list[int]) -> Any:
        code = getattr(self.schema.BuiltinOperator, name)
        known = [each.builtinCode for each in self.file.operatorCodes]
        if code not in known:
            entry = self.schema.OperatorCodeT()
            entry.builtinCode = entry.deprecatedBuiltinCode = code
            entry.version = 2
            self.file.operatorCodes.append(entry)
            known.append(code)
        operator = self.schema.OperatorT()
        operator.opcodeIndex = known.index(code)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        return operator

    def _values(self, tensor: Any, kind: Any) -> Any:
        return np.frombuffer(bytes(self.file.buffers[tensor.buffer].data), kind)

    def _store(self, tensor: Any, values: Any) -> None:
        """Give a tensor a buffer of its own: others may share the one that it has."""
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.file.buffers.append(buffer)
        tensor.buffer = len(self.file.buffers) - 1
