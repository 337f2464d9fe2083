"""Core AI's own runtime on the CPU. It interprets the program, slowly: its time says nothing about a phone."""

import asyncio
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout, pack
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8
from samesight.conversion.quiet import mute
from samesight.conversion.runners.interface import Tensors

ENTRY = "main"


@dataclass(frozen=True)
class CoreAIModel:
    """A loaded asset. Its runtime is asynchronous: every call runs in the runner's own event loop."""

    loop: asyncio.AbstractEventLoop
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
    loaded = CoreAIModel(loop, function, tensors.input_layout, roles)
    weakref.finalize(loaded, _close, loop, opened)
    return loaded


def _close(loop: asyncio.AbstractEventLoop, opened: Any) -> None:
    loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.close()
