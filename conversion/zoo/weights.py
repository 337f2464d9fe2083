"""Weights for a network that nobody trained: signals keep their scale, and batch statistics are those of images.

Fresh weights let signals vanish or explode with depth, and BatchNorm's fresh statistics (0 and 1) are nobody's: such a
network tells nothing about rounding. Here every convolution and linear layer is scaled in the order of execution so
that its output has a standard deviation of one on a batch of images (layer-sequential unit variance: Mishkin and Matas
2016, "All you need is a good init"), and BatchNorm then averages its statistics over batches.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

SCALED = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
# LayerScale starts at 1e-5 or so, which would hide the blocks behind it.
LAYER_SCALES = ("gamma", "gamma_1", "gamma_2", "layer_scale", "layer_scale_1", "layer_scale_2", "ls")
LAYER_SCALE = 0.3
SMALLEST_SCALE = 0.01


def settle(network: nn.Module, images: Tensor, seed: int = 0) -> nn.Module:
    """Give a fresh network weights that keep signals alive, in place.

    Args:
        network: with its library's initial weights.
        images: normalised, float32 [B, C, H, W].
        seed: of the values that are drawn for scales which began at zero.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            _wake(name, parameter, generator)
        _batch_statistics(network, images)
        _unit_variance(network, images)
        _batch_statistics(network, images)
    return network.eval()


def _wake(name: str, parameter: Tensor, generator: torch.Generator) -> None:
    """Parameters that begin so small that they switch a branch off."""
    last = name.rpartition(".")[2]
    if parameter.ndim == 1 and last == "weight" and not parameter.any():  # the last BatchNorm of a residual branch
        parameter.copy_(0.5 + 0.5 * torch.rand(parameter.shape, generator=generator))
    elif parameter.ndim > 1 and last == "weight" and not parameter.any():  # a head that begins silent
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    elif last in LAYER_SCALES and float(parameter.abs().max()) < SMALLEST_SCALE:
        parameter.copy_(LAYER_SCALE * (0.5 + torch.rand(parameter.shape, generator=generator)))


def _batch_statistics(network: nn.Module, images: Tensor) -> None:
    """BatchNorm's mean and variance over all batches of the images."""
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain average
        layer.train()
    if layers:
        for batch in images.split(max(2, len(images) // 4)):
            network(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()


def _unit_variance(network: nn.Module, images: Tensor) -> None:
    """Scale each layer, in the order of execution, to outputs of standard deviation one."""
    handles = [module.register_forward_hook(_scaling()) for module in network.modules() if isinstance(module, SCALED)]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()


def _scaling() -> Callable[[nn.Module, Any, Tensor], Tensor | None]:
    done = False

    def scale(module: nn.Module, _: Any, output: Tensor) -> Tensor | None:
        nonlocal done
        deviation = float(output.float().std())
        if done or not 1e-6 < deviation < 1e6:
            return None  # a layer that is used twice is scaled once
        done = True
        for parameter in module.parameters(recurse=False):
            parameter.div_(deviation)
        return output / deviation

    return scale
