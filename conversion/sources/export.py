"""Exports a network with torch.export."""

from contextlib import suppress
from typing import TYPE_CHECKING

from samesight.contract.errors import SamesightError, describe_error
from samesight.contract.spec import Input

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module


def export_network(network: "Module", spec: Input, title: str) -> "ExportedProgram":
    """Export a network on the CPU, in evaluation mode, for one image of the spec's size; it is changed in place.

    Raises:
        SamesightError: torch.export cannot follow it; the sentence begins with `title`.
    """
    import torch

    network = network.to("cpu")
    # An exported program's module refuses eval(); preparation refuses what training left in its graph.
    with suppress(NotImplementedError):
        network.eval()
    example = torch.zeros(1, spec.channel_count, spec.height, spec.width)
    try:
        return torch.export.export(network, (example,))
    except Exception as error:  # whatever the person's forward or torch's tracing raises
        raise SamesightError(
            f"{title}: torch.export cannot follow it on an input {list(example.shape)}: {describe_error(error)}; "
            "make its forward free of Python that depends on values, and its size that of the spec's input"
        ) from None
