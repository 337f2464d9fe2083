"""Reads a `.pte` and the graphs of its Vulkan delegates (`backends/vulkan/serialization/schema.fbs` of ExecuTorch).

A delegate's bytes begin with a header (`vulkan_graph_serialize.py`): the magic "VH00" at byte 4, then the graph's
offset and length at bytes 10 and 14. An operator's last argument is its result, or a list of its results.
"""

import struct
from math import prod
from pathlib import Path
from typing import Any

from samesight.conversion.known_faults.network import Network, Operator, Tensor
from samesight.conversion.known_faults.readers.pte_file import flatbuffer_as_json, read_delegates

SCHEMA = "backends/vulkan/serialization/schema.fbs"
BACKEND = "VulkanBackend"
MAGIC = b"VH00"
INT8 = "et_vk.q8ta_"
# Arguments of convolutions and linear layers in int8, by position; the others' have numbers.
WEIGHT, WEIGHT_SUMS, WEIGHT_SCALE, BIAS, KERNEL = 3, 4, 5, 8, 9
NAMES = {WEIGHT: "weight", WEIGHT_SUMS: "weight_sums", WEIGHT_SCALE: "weight_scale", BIAS: "bias"}


def read(path: Path) -> Network:
    """The operators of all Vulkan delegates (`aten.relu.default`, `et_vk.q8ta_add.default` …), then those outside.

    Weights in int8 have the shapes of the layer's own, without what pads them to whole texels.

    Raises:
        SamesightError: it cannot be read.
    """
    return read_delegates(path, BACKEND, "Vulkan", _delegated)


def _delegated(payload: bytes, root: Path, number: int) -> tuple[list[Operator], list[str]]:
    if payload[4:8] != MAGIC:
        raise ValueError("no Vulkan graph")
    offset, size = struct.unpack("<II", payload[10:18])
    graph = flatbuffer_as_json(payload[offset : offset + size], root, SCHEMA)
    prefix = f"{number}."
    return _operators(graph, prefix), [f"{prefix}{value}" for value in graph["output_ids"]]


def _operators(graph: dict[str, Any], prefix: str) -> list[Operator]:
    values = [(entry["value_type"], entry["value"]) for entry in graph["values"]]
    return [_operator(call, number, values, prefix) for number, call in enumerate(graph["chain"])]


def _operator(call: dict[str, Any], number: int, values: list[tuple[str, Any]], prefix: str) -> Operator:
    *arguments, result = call["args"]
    inputs: dict[str, Tensor] = {}
    options: dict[str, Any] = {}
    for position, value in enumerate(arguments):
        tensors = _tensors(value, values, prefix)
        if len(tensors) == 1 and values[value][0] == "VkTensor":
            inputs[str(position)] = tensors[0]
        elif tensors:
            inputs |= {f"{position}.{index}": tensor for index, tensor in enumerate(tensors)}
        elif values[value][1]:
            options[str(position)] = next(iter(values[value][1].values()))
    outputs = tuple(_tensors(result, values, prefix))
    kind = call["name"]
    if kind.startswith(INT8) and "4" in inputs:
        inputs = {NAMES.get(int(key), key): tensor for key, tensor in inputs.items()}
        inputs = _without_padding(inputs, outputs[0], options)
    return Operator(kind, f"{prefix}{kind} {number}", inputs, outputs, options)


def _tensors(value: int, values: list[tuple[str, Any]], prefix: str) -> list[Tensor]:
    """The tensor, or the tensors of a list; none for numbers and other values."""
    kind, content = values[value]
    if kind == "ValueList":
        return [tensor for item in content["items"] for tensor in _tensors(item, values, prefix)]
    if kind != "VkTensor":
        return []
    shape = tuple(content.get("dims", ()))
    return [Tensor(f"{prefix}{value}", shape, content["datatype"].lower(), content["constant_id"] >= 0)]


def _without_padding(inputs: dict[str, Tensor], output: Tensor, options: dict[str, Any]) -> dict[str, Tensor]:
    """The constants of a quantized layer in the layer's own shapes; weights are known by their scale."""
    source = next(iter(inputs.values())).shape or ()
    shape = output.shape or ()
    kernel = options.get(str(KERNEL))
    if isinstance(kernel, list):
        # The last number; behind it stands the activation's name. Equal values share a place: 1 may be written as 1.0.
        groups = int(options[max((key for key in options if not isinstance(options[key], (list, str))), key=int)])
        channels, taps = shape[-3], source[-3] // groups * prod(kernel)
    else:
        channels, taps = shape[-1], source[-1]

    def own(key: str, tensor: Tensor) -> Tensor:
        if not tensor.constant:
            return tensor
        size = (channels, taps) if key == "weight" else (channels,)
        return Tensor(tensor.name, size, tensor.dtype, True, scale=1.0 if key == "weight" else None)

    return {key: own(key, tensor) for key, tensor in inputs.items()}
