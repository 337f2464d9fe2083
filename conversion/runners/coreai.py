"""Core AI's own runtime on the CPU. It interprets the program, slowly: its time says nothing about a phone."""

import asyncio
import hashlib
import json
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8
from samesight.conversion.quiet import mute
from samesight.conversion.runners.interface import Tensors
from samesight.conversion.runners.traced import TracedValue

ENTRY = "main"


@dataclass(frozen=True)
class CoreAIModel:
    """A loaded asset. Its runtime is asynchronous: every call runs in the runner's own event loop."""

    loop: asyncio.AbstractEventLoop
    model: Any
    function: Any
    input_layout: TensorLayout
    roles: tuple[Role, ...]
    qparams: Mapping[Role, QuantParams] = field(default_factory=dict)

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        from coreai.runtime import NDArray

        image = NDArray(np.ascontiguousarray(pack(tensor, self.input_layout)))
        outputs = self.loop.run_until_complete(self.function({"image": image}))
        return {role: np.array(outputs[role].numpy(), np.float32) for role in self.roles}

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """Nothing is quantized."""
        return {}


def load(path: Path, tensors: Tensors) -> CoreAIModel:
    """Compile an asset for the CPU and load it; the compiled files are removed with the model object.

    Raises:
        SamesightError: damaged, or of another version.
    """
    roles: tuple[Any, ...] = tuple(output.role for output in tensors.outputs)
    loop = asyncio.new_event_loop()
    with mute():
        from coreai.authoring import AIModelAsset

        try:
            opened = AIModelAsset.load(path).executable()
            model = loop.run_until_complete(opened.__aenter__())
            function = model.load_function(ENTRY)
        except Exception as error:  # the runtime raises RuntimeError, KeyError, OSError or kinds of its own
            loop.close()
            raise SamesightError(f"{path}: Core AI cannot load it ({first_line(error)}); convert again") from None
    loaded = CoreAIModel(loop, model, function, tensors.input_layout, roles)
    weakref.finalize(loaded, _close, loop, opened)
    return loaded


def trace(path: Path, tensors: Tensors) -> Callable[[UInt8], list[TracedValue]]:
    """Every float value that the runtime computes from the image, as its own logger of intermediate values reports it.

    A compiled program has numbers for its operators, no names.
    """
    from coreai.runtime import CompileIdentifiers, IntermediateLogger, NDArray

    loaded = load(path, tensors)
    found: list[TracedValue] = []
    computed = set[bytes]()
    reads = False

    def log(arrays: list[Any], kind: str, identifiers: Any) -> None:
        """Called with what an operator reads and then with what it gives.

        Each array is a copy, so that what depends on the image is known by its content; a view of the arena, in which
        the results are placed, is not.
        """
        nonlocal reads
        values = [NDArray._wrap(array).numpy() for array in arrays if array is not None]
        if kind == "input":
            reads = any(_content(value) in computed for value in values)
            return
        for value in values:
            if reads and value.dtype.kind == "f":
                computed.add(_content(value))
                found.append(TracedValue(str(identifiers.id), "operator", np.array(value, np.float32)))

    numbers = [entry["odixId"] for record in json.loads(loaded.model._debug_infos) for entry in record["operations"]]
    with mute():
        logger = IntermediateLogger([CompileIdentifiers(number) for number in numbers], log)
        function = loaded.model.load_function(ENTRY, intermediate_logger=logger)

    def values(tensor: UInt8) -> list[TracedValue]:
        found.clear()
        computed.clear()
        computed.add(_content(pack(tensor, tensors.input_layout)))
        replace(loaded, function=function)(tensor)
        return list(found)

    return values


def _content(value: Any) -> bytes:
    """The same for equal arrays alone."""
    return hashlib.sha256(f"{value.dtype}{value.shape}".encode() + value.tobytes()).digest()


def _close(loop: asyncio.AbstractEventLoop, opened: Any) -> None:
    loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.close()
