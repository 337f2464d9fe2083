"""The best network leaves training as an exported program: float32, CPU, batch 1."""

import copy
from pathlib import Path

import torch
from torch import nn

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import Input

# Float noise between a network and its export is a few millionths; a real fault is far above this share.
TOLERANCE = 1e-4


def export_network(network: nn.Module, spec: Input, path: Path) -> None:
    """Write `network.pt2`: takes normalised float32 [1, C, H, W], contiguous.

    Raises:
        SamesightError: the network cannot be exported, or the export computes something else.
    """
    # Contiguous NCHW, weights and example: strides are baked into what conversion makes of this.
    network = contiguous(copy.deepcopy(network).cpu().float().eval())
    example = torch.randn(
        1, spec.channel_count, spec.height, spec.width, generator=torch.Generator().manual_seed(0)
    ).contiguous()
    try:
        with torch.no_grad():
            program = torch.export.export(network, (example,))
    except Exception as error:
        raise SamesightError(
            f"the trained network cannot be exported ({first_line(error)}); choose another --model"
        ) from None
    with torch.no_grad():
        expected, actual = (_flatten(one(example)) for one in (network, program.module()))
    for want, have in zip(expected, actual, strict=True):
        gap = float((want - have).abs().max())
        if not gap <= TOLERANCE * max(float(want.abs().max()), 1e-6):
            raise SamesightError(
                f"the exported network differs by {gap:.3g} from the trained one; choose another --model"
            )
    torch.export.save(program, path)


def contiguous(network: nn.Module) -> nn.Module:
    """All parameters and buffers of a network made contiguous, in place."""
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.data = tensor.data.contiguous()
    return network


def _flatten(outputs: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)
