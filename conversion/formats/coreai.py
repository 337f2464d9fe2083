"""Core AI (`.aimodel`, iOS and macOS 27): Apple's format beside Core ML.

Input and outputs are float32 at both precisions (image [1,C,H,W], values 0..255, contiguous); in an fp16 file all
intermediate values are float16. The spec is in the asset's metadata under `samesight.model.json`. coreai-core and
coreai-torch are pre-releases; here they interpret the program slowly: their times say nothing about a phone.
"""

import copy
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samesight.conversion.formats.decompositions import core_ai
from samesight.conversion.formats.float_tensors import describe_input, describe_outputs
from samesight.conversion.formats.interface import Lowered, Lowering
from samesight.conversion.formats.refusal import refusal
from samesight.conversion.quiet import quiet

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule

    from samesight.conversion.preparation.prepare import Prepared

TITLE = "Core AI"
SPEC_KEY = "samesight.model.json"
METADATA = "metadata.json"


def convert(job: Lowering) -> Lowered:
    """Write the folder `job.output`."""
    import torch

    network = without_excluded_padding(job.prepared)
    if job.precision == "fp32":
        program = exported(network, job.prepared)
    else:
        with_wider_sums(network)
        program = halved(network, job.prepared)
    shapes = [tuple(node.meta["val"].shape) for node in program.graph.output_node().args[0]]
    try:
        with quiet():
            import coreai_torch
            from coreai.runtime import AIModelAssetMetadata

            asset_metadata = AIModelAssetMetadata()
            asset_metadata.model_description = f"{job.spec.name}: {job.spec.task}, {len(job.spec.labels)} classes"
            asset_metadata.set_custom(SPEC_KEY, job.spec.to_json())
            converter = coreai_torch.TorchConverter(mode=coreai_torch.TorchConverter.Mode.RELEASE)
            with repeatable_names():
                converter.add_exported_program(
                    program.run_decompositions({**coreai_torch.get_decomp_table(), **core_ai()}),
                    input_names=["image"],
                    output_names=list(job.spec.roles),
                )
                converter.to_coreai().save_asset(job.output, asset_metadata)
    except Exception as error:
        raise refusal(TITLE, job.prepared.exported, error) from error
    _make_reproducible(job.output)
    return Lowered(
        path=job.output,
        input_layout="float32_nchw",
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


def without_excluded_padding(prepared: "Prepared") -> "GraphModule":
    """A copy of the network in which no mean leaves out its padding: coreai-torch counts it all the same."""
    from samesight.conversion.preparation.pools import rewrite_pools

    network = copy.deepcopy(prepared.module)
    if rewrite_pools(network, split_excluded=True):
        network.recompile()
    return network


def with_wider_sums(network: "GraphModule") -> None:
    """Write linear layers as convolutions, in place.

    Core AI adds the products of a matrix in halves, on this CPU at least: 1,024 of them leave 47 dB, where those of a
    convolution have 74.
    """
    from samesight.conversion.formats.linear_layers import rewrite_linear_layers
    from samesight.conversion.preparation.graph import drop_unread_tensors

    if rewrite_linear_layers(network):
        network.graph.eliminate_dead_code()
        drop_unread_tensors(network)
        network.recompile()


def exported(network: "GraphModule", prepared: "Prepared") -> "ExportedProgram":
    """The network as a program; the prepared one where nothing was changed."""
    import torch

    if str(network.graph) == str(prepared.module.graph):
        return prepared.exported
    with torch.no_grad():
        return torch.export.export(network, (prepared.example,))


def halved(network: "GraphModule", prepared: "Prepared") -> "ExportedProgram":
    """The network computed in float16, with float32 inputs and outputs."""
    import torch

    class Halved(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            for tensor in (*self.network.parameters(), *self.network.buffers()):
                if tensor.is_floating_point():
                    tensor.data = tensor.data.half()

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(output.float() for output in self.network(image.half()))

    with torch.no_grad():
        return torch.export.export(Halved(), (prepared.example,))


@contextmanager
def repeatable_names() -> Iterator[None]:
    """Inner graphs, of which a pool is one, are named by `secrets.choice`: the same names each time instead."""
    from coreai.authoring import func, graph_builder

    modules: tuple[Any, ...] = (func, graph_builder)
    drawn = [module.choice for module in modules]
    numbers = random.Random(0)
    for module in modules:
        module.choice = numbers.choice
    try:
        yield
    finally:
        for module, choice in zip(modules, drawn, strict=True):
            module.choice = choice


def _make_reproducible(asset: Path) -> None:
    """The same model gives the same bytes: no date, keys in order."""
    asset_metadata = json.loads((asset / METADATA).read_text())
    asset_metadata.pop("creationDate", None)
    (asset / METADATA).write_text(json.dumps(asset_metadata, indent=2, sort_keys=True) + "\n")
