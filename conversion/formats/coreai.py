"""Core AI (`.aimodel`, iOS and macOS 27): Apple's format beside Core ML, run here by Apple's own CPU runtime.

Input and outputs are float32 at both precisions (image [1,C,H,W], values 0..255, contiguous); in an fp16 file all
between is float16. The spec stands in the asset's metadata under `samesight.model.json`. coreai-core and coreai-torch
are pre-releases; here they interpret the program, slowly: their time says nothing about a phone.
"""

import asyncio
import copy
import json
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import Storage, pack
from samesight.conversion.errors import refusal
from samesight.conversion.formats.interface import Lowered, Lowering, Tensors
from samesight.conversion.qparams import Float32, Integers, Quantum, UInt8
from samesight.conversion.quiet import mute, quiet
from samesight.conversion.runners.torch import describe_input, describe_outputs

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from samesight.conversion.preparation.prepare import Prepared

TITLE = "Core AI"
SPEC_KEY = "samesight.model.json"
METADATA = "metadata.json"
ENTRY = "main"


def convert(job: Lowering) -> Lowered:
    """Write the folder `job.output`."""
    import torch

    program = job.prepared.exported if job.precision == "fp32" else halved(job.prepared)
    shapes = [tuple(node.meta["val"].shape) for node in program.graph.output_node().args[0]]
    try:
        with quiet():
            import coreai_torch
            from coreai.runtime import AIModelAssetMetadata

            converter = coreai_torch.TorchConverter(mode=coreai_torch.TorchConverter.Mode.RELEASE)
            converter.add_exported_program(
                program.run_decompositions(coreai_torch.get_decomp_table()),
                input_names=["image"],
                output_names=list(job.spec.roles),
            )
            notes = AIModelAssetMetadata()
            notes.model_description = f"{job.spec.name}: {job.spec.task}, {len(job.spec.labels)} classes"
            notes.set_custom(SPEC_KEY, job.spec.to_json())
            converter.to_coreai().save_asset(job.output, notes)
    except Exception as error:
        raise refusal(TITLE, job.prepared.exported, error) from error
    _make_reproducible(job.output)
    return Lowered(
        path=job.output,
        storage="float32_nchw",
        input=describe_input(job.spec),
        outputs=describe_outputs(job.spec, shapes),
        runtime=TITLE,
        runtime_version="27",
        os_minimum={"ios": "27.0", "macos": "27.0"},
        tools={
            "coreai-core": metadata.version("coreai-core"),
            "coreai-torch": metadata.version("coreai-torch"),
            "torch": torch.__version__,
        },
    )


def halved(prepared: "Prepared") -> "ExportedProgram":
    """The prepared program computed in float16, float32 at its borders."""
    import torch

    class Halved(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = copy.deepcopy(prepared.module)
            for tensor in (*self.network.parameters(), *self.network.buffers()):
                if tensor.is_floating_point():
                    tensor.data = tensor.data.half()

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(output.float() for output in self.network(image.half()))

    with torch.no_grad():
        return torch.export.export(Halved(), (prepared.example,))


def _make_reproducible(asset: Path) -> None:
    """The same model gives the same bytes: no date, keys in order."""
    notes = json.loads((asset / METADATA).read_text())
    notes.pop("creationDate", None)
    (asset / METADATA).write_text(json.dumps(notes, indent=2, sort_keys=True) + "\n")


@dataclass(frozen=True)
class CoreAIRunner:
    """A loaded asset. Its runtime is asynchronous: every call runs in the runner's own event loop."""

    loop: asyncio.AbstractEventLoop
    function: Any
    storage: Storage
    roles: tuple[Role, ...]
    quanta: Mapping[Role, Quantum] = field(default_factory=dict)

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        from coreai.runtime import NDArray

        image = NDArray(np.ascontiguousarray(pack(tensor, self.storage)))
        made = self.loop.run_until_complete(self.function({"image": image}))
        return {role: np.array(made[role].numpy(), np.float32) for role in self.roles}

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """Nothing is quantized."""
        return {}


def load(path: Path, tensors: Tensors) -> CoreAIRunner:
    """Compile an asset for the CPU and load it; what was compiled is removed with the runner.

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
            line = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise SamesightError(f"{path}: Core AI cannot load it ({line}); convert again") from None
    runner = CoreAIRunner(loop, function, tensors.storage, roles)
    weakref.finalize(runner, _close, loop, opened)
    return runner


def _close(loop: asyncio.AbstractEventLoop, opened: Any) -> None:
    loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.close()
