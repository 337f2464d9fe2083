"""Exported programs checked before they are loaded: nothing is unpickled but tensors, and every text means one thing.

`torch.export.load` unpickles sample inputs, constants and weights, evaluates symbolic sizes (sympy's `sympify`) and
guards (`exec`), imports modules that its description of inputs names, and generates Python from the names in the
graph. So each part has to be of the kind that `torch.export.save` writes, and each text of a pattern that cannot be
anything else. A field that is not known here may hold plain names alone.
"""

import io
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from samesight.conversion.sources.checked_expression import check_guard, check_symbolic
from samesight.conversion.sources.hazard import Hazard

NAMESPACES = frozenset({"aten", "prims", "quantized_decomposed", "torchao", "torchvision"})
DENIED = frozenset({"from_file", "save", "load", "_print", "record_stream"})
HIGHER_ORDER = frozenset(
    {
        "cond",
        "while_loop",
        "map_impl",
        "scan",
        "associative_scan",
        "invoke_subgraph",
        "wrap",
        "strict_mode",
        "out_dtype",
        "flex_attention",
        "tag_activation_checkpoint",
        "wrap_activation_checkpoint",
        "wrap_with_autocast",
        "wrap_with_set_grad_enabled",
    }
)
CONTAINERS = frozenset({"builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})

MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
SAMPLE_INPUTS = "data/sample_inputs/model.pt"
ENTRIES = re.compile(
    r"models/model\.json|data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)|data/sample_inputs/model\.pt"
    r"|extra/.+|archive_format|archive_version|version|byteorder|\.data/\w+",
    re.ASCII,
)
# A variable in generated Python; empty where there is none.
IDENTIFIER = re.compile(r"([^\W\d]\w*)?")
# A path of modules, a version, a kind of device: nothing that ends a text in quotes.
NAME = re.compile(r"[\w.\-+/ :@]*")
OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)(\.\w+)?", re.ASCII)
SYMBOLIC_OPERATOR = re.compile(r"_operator\.[a-z]+_?|math\.[a-z]+|torch\._?sym_\w+", re.ASCII)

# Fields whose texts torch only keeps, or writes in quotes of its own.
FREE_TEXTS = frozenset({"as_string", "as_strings"})
VARIABLES = frozenset({"name", "as_name", "forward_arg_names"})
# Objects whose keys are variables.
BY_VARIABLE = frozenset({"tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values", "range_constraints"})


def check_program(parts: Mapping[str, bytes]) -> None:
    """Refuse an archive that is more than a program with its tensors.

    Raises:
        Hazard: names what it holds.
        ValueError: not an exported program.
    """
    for name in parts:
        if not ENTRIES.fullmatch(name):
            raise Hazard(f"it holds {name!r}, which an exported program of tensors does not have")
    for name in (MODEL, WEIGHTS, CONSTANTS, SAMPLE_INPUTS):
        if name not in parts:
            raise ValueError(f"it has no {name}")
    _check_payload(parts, WEIGHTS, re.compile(r"weight_\d+", re.ASCII))
    _check_payload(parts, CONSTANTS, re.compile(r"tensor_\d+", re.ASCII))
    _check_value(_json(parts, MODEL), "")
    _check_tensors_alone(parts[SAMPLE_INPUTS])


def _json(parts: Mapping[str, bytes], name: str) -> Any:
    try:
        return json.loads(parts[name])
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply") from None


def _check_payload(parts: Mapping[str, bytes], name: str, file: re.Pattern[str]) -> None:
    document = _json(parts, name)
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise ValueError(f"{name} has no config")
    _check_value(document, "")
    for key, payload in config.items():
        if not isinstance(payload, dict) or payload.get("use_pickle") is not False:
            raise Hazard(f"{key} is pickled")
        path = payload.get("path_name")
        stored = f"{name.rpartition('/')[0]}/{path}"
        if not isinstance(path, str) or not file.fullmatch(path) or stored not in parts:
            raise Hazard(f"{key} is in {path!r}, which is no file of tensors")
        if not parts[stored] and _elements(payload.get("tensor_meta")) != 0:
            raise ValueError(f"{key} has no values, but a size")


def _elements(meta: Any) -> int:
    try:
        return math.prod(int(size["as_int"]) for size in meta["sizes"])
    except (TypeError, KeyError):
        return -1


def _check_value(value: Any, field: str) -> None:
    """Check a JSON value; `field` is the name under which it stands, that of its list inside of one."""
    if isinstance(value, dict):
        for key, child in value.items():
            _check_key(key, field)
            # Of a program's own entries, such as tensors by their name, the fields are known again one below.
            _check_field(child, "" if field in BY_VARIABLE or field == "config" else key)
    elif isinstance(value, list):
        for child in value:
            _check_field(child, field)


def _check_field(value: Any, field: str) -> None:
    if field == "metadata" and isinstance(value, dict):
        return
    if field == "as_custom_obj" or (field == "custom_obj_values" and value):
        raise Hazard("it holds an object that is no tensor")
    if isinstance(value, str):
        _check_text(value, field)
    else:
        _check_value(value, field)


def _check_key(key: str, field: str) -> None:
    _match(IDENTIFIER if field in BY_VARIABLE else NAME, key, field or "a field's name")


def _check_text(text: str, field: str) -> None:
    if field in FREE_TEXTS:
        return
    if field in ("target", "as_operator") and text:
        check_operator(text)
    elif field == "expr_str":
        check_symbolic(text)
    elif field == "guards_code":
        check_guard(text)
    elif field in ("in_spec", "out_spec"):
        _check_structure(text)
    else:
        _match(IDENTIFIER if field in VARIABLES else NAME, text, field)


def _match(pattern: re.Pattern[str], text: str, field: str) -> None:
    # Names with two underscores before them are Python's own; a module's attributes are found by these texts.
    if not pattern.fullmatch(text) or any(part.startswith("__") for part in text.split(".")):
        raise Hazard(f"{text[:60]!r} is no name ({field})")


def check_operator(target: str) -> None:
    """Refuse the target of a node that does not compute.

    Raises:
        Hazard: names it.
    """
    match = OPERATOR.fullmatch(target)
    known = (
        (match[1] in NAMESPACES and match[2] not in DENIED)
        or (match[1] == "higher_order" and match[2] in HIGHER_ORDER and not match[3])
        if match
        else SYMBOLIC_OPERATOR.fullmatch(target)
    )
    if not known:
        raise Hazard(f"it calls the operator {target[:60]!r}")


def _check_structure(text: str) -> None:
    """Refuse a description of inputs or outputs with anything but plain containers (torch would import the rest)."""
    try:
        version, spec = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        raise Hazard("its inputs and outputs are described in an unknown way") from None
    if version != 1:
        raise Hazard("its inputs and outputs are described in an unknown way")
    _check_container(spec)


def _check_container(spec: Any) -> None:
    if not isinstance(spec, dict) or spec.keys() != {"type", "context", "children_spec"}:
        raise Hazard("its inputs and outputs are described in an unknown way")
    kind, context = spec["type"], spec["context"]
    if kind is not None and kind not in CONTAINERS:
        raise Hazard(f"its inputs or outputs are of the type {str(kind)[:60]!r}")
    keys = json.loads(context) if isinstance(context, str) else context
    if keys is not None and not (isinstance(keys, list) and all(isinstance(key, str | int) for key in keys)):
        raise Hazard("its inputs or outputs have keys that are no names")
    for key in keys or ():
        _match(NAME, str(key), "a key of its inputs or outputs")
    for child in spec["children_spec"]:
        _check_container(child)


def _check_tensors_alone(data: bytes) -> None:
    """Refuse a pickle that torch's reader of weights does not take; `torch.export.load` tries the same, then any."""
    import torch

    try:
        torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception:  # torch raises anything from RuntimeError to UnpicklingError
        raise Hazard("its sample inputs are more than tensors") from None
