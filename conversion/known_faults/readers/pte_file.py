"""Reads a `.pte` and the graphs of its XNNPACK delegates, with the flatbuffers compiler that ExecuTorch brings.

ExecuTorch's own readers import the exporter and torch with it, which takes seconds; `flatc` answers in 40 ms.
"""

import json
import re
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError, first_line
from samesight.conversion.known_faults.network import Network, Operator, Tensor
from samesight.conversion.runners.executorch_schemas import FLATC, GRAPH, PROGRAM, executorch_root

BACKEND = "XnnpackBackend"
INFINITE = re.compile(r"(?<=[ \[:,])([+-]?)inf(?=[,\s\]}])")
NOT_A_NUMBER = re.compile(r"(?<=[ \[:,])[+-]?nan(?=[,\s\]}])")
DTYPES = {"xnn_datatype_fp32": "float32", "xnn_datatype_fp16": "float16"}


def read(path: Path) -> Network:
    """The operators of all XNNPACK delegates (`XNNConv2d` …), then those that run outside (`aten::mean.out` …).

    Raises:
        SamesightError: it cannot be read.
    """
    return read_delegates(path, BACKEND, "XNNPACK", _delegated)


def read_delegates(
    path: Path, backend: str, title: str, read_graph: Callable[[bytes, Path, int], tuple[list[Operator], list[str]]]
) -> Network:
    """The operators of all of a backend's delegates, then those that run outside (`aten::mean.out` …).

    Args:
        path: the `.pte`.
        backend: the delegates' id.
        title: what the network's `delegate` is called.
        read_graph: (a delegate's bytes, ExecuTorch's folder, its number) to its operators and the names of its outputs.

    Raises:
        SamesightError: it cannot be read.
    """
    root = executorch_root()
    try:
        data = path.read_bytes()
        program = flatbuffer_as_json(data, root, PROGRAM)
        plan = program["execution_plan"][0]
        operators: list[Operator] = []
        outputs: list[str] = []
        for number, delegate in enumerate(plan["delegates"]):
            if delegate["id"] == backend:
                found, names = read_graph(_payload(data, program, delegate["processed"]), root, number)
                operators += found
                outputs += names
        # Nothing is known of the tensors of those that no delegate took.
        operators += [Operator(f"{entry['name']}.{entry['overload']}".rstrip(".")) for entry in plan["operators"]]
    except (KeyError, IndexError, TypeError, ValueError, OSError, struct.error) as error:
        raise SamesightError(f"{path}: not a .pte that flatc reads ({first_line(error)}); convert again") from None
    return Network(tuple(operators), tuple(outputs), int(program["version"]), title)


def flatbuffer_as_json(data: bytes, root: Path, schema: str) -> dict[str, Any]:
    """A flatbuffer as its schema names it.

    Raises:
        ValueError: it is none.
    """
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "file.bin"
        file.write_bytes(data)
        options = ["--json", "--strict-json", "--defaults-json", "--raw-binary", "-o", name]
        command = [str(root / FLATC), *options, str(root / schema), "--", str(file)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise ValueError(made.stderr.strip().splitlines()[-1] if made.stderr.strip() else "flatc failed")
        # flatc writes C's names of infinity and NaN; json reads others.
        text = INFINITE.sub(r"\1Infinity", file.with_suffix(".json").read_text(encoding="utf-8"))
        read: dict[str, Any] = json.loads(NOT_A_NUMBER.sub("NaN", text))
        return read


def _payload(data: bytes, program: dict[str, Any], processed: dict[str, Any]) -> bytes:
    """A delegate's bytes: inside the program, or in a segment behind it (the extended header says where they begin)."""
    if processed["location"] != "SEGMENT":
        return bytes(program["backend_delegate_data"][processed["index"]]["data"])
    if data[8:12] != b"eh00":
        raise ValueError("no extended header")
    (begin,) = struct.unpack("<Q", data[24:32])
    segment = program["segments"][processed["index"]]
    start = begin + segment.get("offset", 0)
    return data[start : start + segment["size"]]


def _delegated(payload: bytes, root: Path, number: int) -> tuple[list[Operator], list[str]]:
    if payload[4:8] == b"XH00":
        offset, size = struct.unpack("<II", payload[10:18])
        payload = payload[offset : offset + size]
    graph = flatbuffer_as_json(payload, root, GRAPH)
    tensors = dict(_tensor(entry) for entry in graph["xvalues"])
    operators = []
    for place, node in enumerate(graph["xnodes"]):
        kind, fields = node["xnode_union_type"].lstrip("_"), node["xnode_union"]
        found = {name: tensors[value] for name, value in fields.items() if name.endswith("_id") and value in tensors}
        results = tuple(tensor for name, tensor in found.items() if name.startswith("output"))
        inputs = {name: tensor for name, tensor in found.items() if not name.startswith("output")}
        limits = node.get("output_min_max") or {}
        operators.append(Operator(kind, f"{kind} {place}", inputs, results, {**fields, **limits}))
    return operators, []


def _tensor(entry: dict[str, Any]) -> tuple[int, Tensor]:
    value = entry["xvalue_union"]
    quantized = "tensor_value" in value
    plain = value["tensor_value"] if quantized else value
    scale = value.get("quant_params", {}).get("scale") if quantized else None
    dtype = DTYPES.get(plain["datatype"], "int8" if "int8" in plain["datatype"] else plain["datatype"])
    constant = bool(plain.get("constant_buffer_idx"))
    number = plain["id_out"]
    return number, Tensor(f"{number}", tuple(plain.get("dims", ())), dtype, constant, None, scale)
