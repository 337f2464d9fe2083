"""TorchScript checked before it is loaded: which operators its code names, and which files it is made of.

torch compiles the Python text below `code/` when it loads a `.pt`, and the lite interpreter runs `bytecode.pkl`. Both
read pickles by a reader of their own, which makes tensors, numbers and objects of the classes in `code/` alone. What
remains is operators that read and write files, start threads of other systems or call Python: they are refused by
name, wherever the name stands, so no way of writing a call hides one.
"""

import pickletools
import re
from collections.abc import Iterator, Mapping

from samesight.conversion.sources.hazard import Hazard

# Kinds of operators that compute.
NAMESPACES = frozenset({"aten", "prim", "prims", "quantized", "_quantized", "quantized_decomposed", "torchvision"})
# Of these namespaces, those that do something else: torch._C._jit_get_all_schemas() lists all that there are.
DENIED = frozenset(
    {
        "save",
        "load",
        "from_file",
        "read_file",
        "write_file",
        "rpc_async",
        "rpc_sync",
        "rpc_remote",
        "PythonOp",
        "IgnoredPythonOp",
        "AddStatValue",
        "record_stream",
        "profile",
        "profile_ivalue",
        "load_tensor",
    }
)
ENTRIES = re.compile(
    r"(code/.+\.py(\.debug_pkl)?|(data|constants|bytecode|traced_inputs|attributes|mobile_debug_handles|train|metadata)"
    r"\.pkl|(data|constants|bytecode|tensors|traced_inputs)/[\w.]+|extra/.+|version|byteorder|\.data/\w+)",
    re.ASCII,
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OPS = re.compile(r"(?<![.\w])ops(?!\w)(?:\.(\w+)\.\w)?", re.ASCII)
# Objects of classes that are written in C++, such as connections and compiled networks.
_CLASSES = re.compile(rb"torch\s*\.\s*classes")


def check_torchscript(parts: Mapping[str, bytes]) -> None:
    """Refuse an archive whose code does anything but compute.

    Raises:
        Hazard: names what it holds.
        ValueError: not TorchScript.
    """
    if "data.pkl" not in parts or not any(name.startswith("code/") for name in parts):
        raise ValueError("it has no data.pkl and code")
    for name, data in parts.items():
        if not ENTRIES.fullmatch(name):
            raise Hazard(f"it holds {name!r}, which does not belong into TorchScript")
        if name.endswith((".py", ".pkl")) and _CLASSES.search(data):
            raise Hazard(f"{name} makes objects of torch.classes")
        if name.endswith(".py"):
            _check_code(name, data.decode())
        elif name.endswith(".pkl"):
            _check_pickle(name, data)


def _check_code(name: str, text: str) -> None:
    denied = next((word for word in _WORD.findall(text) if word in DENIED), None)
    if denied is not None:
        raise Hazard(f"{name} names the operator {denied!r}")
    for match in _OPS.finditer(text):
        if match[1] not in NAMESPACES:
            raise Hazard(f"{name} calls {match[1] or 'unknown'} operators")


def _check_pickle(name: str, data: bytes) -> None:
    for text in _texts(data):
        namespace, colons, operator = text.partition("::")
        if colons and (namespace not in NAMESPACES or operator.partition(".")[0] in DENIED):
            raise Hazard(f"{name} names the operator {text!r}")


def _texts(data: bytes) -> Iterator[str]:
    """Every text in a pickle, which is decoded and not run."""
    for _, argument, _ in pickletools.genops(data):
        if isinstance(argument, bytes):
            yield argument.decode("latin-1")
        elif isinstance(argument, str):
            yield argument
