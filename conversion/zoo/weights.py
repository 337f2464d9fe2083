"""Weights for a network that nobody trained: it carries signals and errors from layer to layer as trained ones do.

Fresh weights let signals vanish or explode with depth, BatchNorm's fresh statistics (0 and 1) are nobody's, and random
directions with BatchNorm multiply any error from layer to layer (Yang et al. 2019, "A Mean Field Theory of Batch
Normalization"): half precision alone leaves 25 dB of a deep one. Such a network tells nothing about converters.

Here, in the order of execution, convolutions and linear layers

- are turned a little, where there is BatchNorm, towards the directions in which images differ (a trained layer listens
  to its inputs' principal components; Kraehenbuehl et al. 2016, "Data-dependent Initializations of Convolutional Neural
  Networks"),
- and scaled so that their outputs have a standard deviation of one on a batch of images (layer-sequential unit
  variance: Mishkin and Matas 2016, "All you need is a good init"),

BatchNorm begins with a shift, so that most activations are alive, and averages its statistics over batches, and the
last layer of a classifier is fitted so that images that look differently get different answers.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from samesight.conversion.zoo.parallel_branches import share_scale

SCALED = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
# LayerScale starts at 1e-5 or so, which would hide the blocks behind it.
LAYER_SCALES = ("gamma", "gamma_1", "gamma_2", "layer_scale", "layer_scale_1", "layer_scale_2", "ls")
LAYER_SCALE = 0.3
SMALLEST_SCALE = 0.01
SHIFT = 0.5
# 0.5 and more leaves one direction alone.
TURN = 0.2
# Between so few inputs there is nothing to choose; of so many the directions take too long to find.
FEWEST, MOST = 5, 1536
# Of the ridge regression, as a share of the features' energy; and how far apart logits then are.
RIDGE, SPREAD = 1.0, 3.0
LOOK = 4


def settle(network: nn.Module, images: Tensor, seed: int = 0, turn: float = TURN) -> nn.Module:
    """Give a fresh network weights that keep signals alive, in place.

    Args:
        network: with its library's initial weights.
        images: normalised, float32 [B, C, H, W].
        seed: of the values that are drawn for scales which began at zero.
        turn: the power of the inputs' covariance that weights are multiplied by.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            _wake(name, parameter, generator)
        for module in network.modules():
            if isinstance(module, _BatchNorm) and module.bias is not None:
                module.bias.fill_(SHIFT)
        share_scale(network, LAYER_SCALE, SHIFT)
        _batch_statistics(network, images)
        # Without BatchNorm errors do not grow, and turned layers of transformers make tokens of noise all alike.
        has_batch_norm = any(isinstance(module, _BatchNorm) for module in network.modules())
        _unit_variance(network, images, turn if has_batch_norm else 0.0)
        _batch_statistics(network, images)
    return network.eval()


def fit_answers(network: nn.Module, images: Tensor, classes: int, seed: int = 0) -> None:
    """Fit a classifier's last linear layers, by ridge regression, to random functions of the images' coarse look.

    Networks whose last layer is none of `nn.Linear` are left alone.

    Args:
        network: settled.
        images: normalised, float32 [B, C, H, W].
        classes: outputs of the last layers.
        seed: of the functions.
    """
    generator = torch.Generator().manual_seed(seed)
    look = F.adaptive_avg_pool2d(images, LOOK).flatten(1)
    wanted = (look - look.mean(0)) @ torch.randn(look.shape[1], classes, generator=generator)
    wanted = (wanted / wanted.std(0)).double()
    features: dict[nn.Linear, Tensor] = {}

    def keep(module: Any, inputs: Any, _: Any) -> None:
        features[module] = inputs[0]

    layers = [each for each in network.modules() if isinstance(each, nn.Linear) and each.out_features == classes]
    handles = [layer.register_forward_hook(keep) for layer in layers]
    with torch.no_grad():
        network(images)
        for handle in handles:
            handle.remove()
        for layer, given in features.items():
            if given.shape != (len(images), layer.in_features) or layer.bias is None:
                continue
            middle = given.mean(0)
            centred = (given - middle).double()
            products = centred @ centred.T
            products += RIDGE * products.diagonal().mean() * torch.eye(len(products))
            weight = (centred.T @ torch.linalg.solve(products, wanted)).T
            weight *= SPREAD / (centred @ weight.T).std()
            layer.weight.copy_(weight)
            layer.bias.copy_(-(layer.weight @ middle))


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


def _unit_variance(network: nn.Module, images: Tensor, turn: float) -> None:
    """Turn and scale each layer, in the order of execution, to outputs of standard deviation one."""
    layers = [module for module in network.modules() if isinstance(module, SCALED)]
    handles = [layer.register_forward_pre_hook(_turning(turn)) for layer in layers if turn]
    handles += [layer.register_forward_hook(_scaling()) for layer in layers]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()


def _turning(power: float) -> Callable[[nn.Module, Any], None]:
    done = False

    def turn(module: nn.Module, given: Any) -> None:
        nonlocal done
        if isinstance(module, nn.Linear):
            rows = given[0].reshape(-1, module.in_features)
        elif isinstance(module, nn.Conv2d) and module.groups == 1:
            rows = given[0].transpose(0, 1).flatten(1).T
        else:
            return
        if done or not FEWEST <= rows.shape[1] <= MOST:
            return
        done = True
        rows = rows - rows.mean(0)
        energies, directions = _eigenvectors(rows.T @ rows)
        shares = energies.clamp(min=0) / energies.clamp(min=0).mean().clamp(min=1e-30)
        turned = (directions * shares.clamp(min=1e-6) ** power) @ directions.T
        module.weight.copy_(torch.einsum("oi...,ij->oj...", module.weight, turned))

    return turn


def _eigenvectors(products: Tensor) -> tuple[Tensor, Tensor]:
    """Of a symmetric matrix; with many equal ones LAPACK's solver does not end in float32."""
    try:
        energies, directions = torch.linalg.eigh(products)
    except RuntimeError:
        energies, directions = (each.to(products.dtype) for each in torch.linalg.eigh(products.double()))
    return energies, directions


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
