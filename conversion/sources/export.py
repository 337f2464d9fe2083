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
        SamesightError: torch.export cannot follow it, or it does not compute in float32; the sentence begins with
            `title`.
    """
    import torch

    network = network.to("cpu")
    for name, tensor in network.named_parameters():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise SamesightError(
                f"{title}: {name} is {dtype_name(tensor.dtype)}; convert float32 networks: call .float() on it first "
                "(formats with half precision make it themselves)"
            )
    # An exported program's module refuses eval(); preparation refuses what training left in its graph.
    with suppress(NotImplementedError):
        network.eval()
    example = torch.zeros(1, spec.channel_count, spec.height, spec.width)
    try:
        program = torch.export.export(network, (example,))
    except Exception as error:  # whatever the person's forward or torch's tracing raises
        raise SamesightError(
            f"{title}: torch.export cannot follow it on an input {list(example.shape)}: {describe_error(error)}; "
            "make its forward free of Python that depends on values, and its size that of the spec's input"
        ) from None
    refuse_other_precisions(program, title)
    return program


def refuse_other_precisions(program: "ExportedProgram", title: str) -> None:
    """A network that computes in half precision ends in another error in each format.

    Raises:
        SamesightError: naming the module and what to do.
    """
    import torch

    from samesight.conversion.preparation.graph import module_of

    modules = [module for module in program.graph_module.modules() if isinstance(module, torch.fx.GraphModule)]
    # The innermost first: a region under autocast is a module of its own, and its operators know where they are.
    for node in (node for module in reversed(modules) for node in module.graph.nodes):
        value = node.meta.get("val")
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, torch.Tensor) and each.dtype in (torch.float16, torch.bfloat16):
                raise SamesightError(
                    f"{title}: computes in {dtype_name(each.dtype)} at {module_of(node)}; take the casts out of its "
                    "forward, or switch autocast off for the export (torch.autocast(..., enabled=False))"
                )


def dtype_name(dtype: object) -> str:
    """`float16` for `torch.float16`."""
    return str(dtype).removeprefix("torch.")
