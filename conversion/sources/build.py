"""Builds the network of a source that is not a program yet, and exports it. Runs in a worker, never in the command."""

from pathlib import Path
from typing import TYPE_CHECKING

from samesight.contract.spec import ModelSpec
from samesight.conversion.sources import hugging_face
from samesight.conversion.sources.export import export_network
from samesight.conversion.sources.function import call_function
from samesight.conversion.sources.library import is_named, library_of
from samesight.conversion.sources.weights import load_weights

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module

# Random weights are the same each time, so that their conversion is found in the cache.
SEED = 0


def export_built(
    source: str, folder: Path, spec: ModelSpec, weights: Path | None = None, random: bool = False
) -> "ExportedProgram":
    """The network of a source, exported for one image of the spec's size.

    Args:
        source: `module:function`, `timm:NAME`, `torchvision:NAME` or a folder in Hugging Face's form.
        folder: where a person's module is looked for.
        spec: its input and its classes.
        weights: put into the network.
        random: a named network may have random weights.

    Raises:
        SamesightError: it cannot be built, the weights do not fit or cannot be had, or torch.export cannot follow it.
    """
    return export_network(build_network(source, folder, spec, weights, random), spec.input, source)


def build_network(source: str, folder: Path, spec: ModelSpec | None, weights: Path | None, random: bool) -> "Module":
    """The network of a source (as in `export_built`); a function needs no spec."""
    import torch

    torch.manual_seed(SEED)
    if is_named(source):
        assert spec is not None
        library, name = library_of(source)
        return library.build(name, spec, weights, random)
    if hugging_face.is_model_folder(Path(source)):
        return hugging_face.build(Path(source))
    network = call_function(source, folder)
    if weights:
        load_weights(network, weights, source)
    return network
