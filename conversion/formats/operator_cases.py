"""Operators of PyTorch's core set, each alone between two convolutions: the cases of `operator_sweep.py`.

Each takes a map [1, 8, 12, 12] (the output of a convolution) and returns one that a convolution, or after flattening a
linear layer, can read.
"""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

Operator = Callable[[torch.Tensor], torch.Tensor]
CHANNELS = 8


def _fixed(*shape: int) -> torch.Tensor:
    return torch.linspace(-1, 1, math.prod(shape)).reshape(shape)


def _attention(x: torch.Tensor) -> torch.Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    mixed = F.scaled_dot_product_attention(tokens, tokens.flip(2), tokens)
    return mixed.transpose(1, 2).reshape(x.shape)


def _matmul(x: torch.Tensor) -> torch.Tensor:
    tokens = x.flatten(2)
    return ((tokens @ tokens.transpose(1, 2)) @ tokens).reshape(x.shape) / 144


def _channel_shuffle(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(1, 2, 4, 12, 12).transpose(1, 2).reshape(1, 8, 12, 12)


def _window_partition(x: torch.Tensor) -> torch.Tensor:
    windows = x.reshape(1, 8, 3, 4, 3, 4).permute(0, 2, 4, 1, 3, 5).reshape(9, 8, 16)
    return windows.reshape(1, 3, 3, 8, 4, 4).permute(0, 3, 1, 4, 2, 5).reshape(1, 8, 12, 12)


def _class_token(x: torch.Tensor) -> torch.Tensor:
    tokens = torch.cat([_fixed(1, 1, 8), x.flatten(2).transpose(1, 2)], 1)
    return (tokens[:, 1:] + tokens[:, :1]).transpose(1, 2).reshape(x.shape)


def _squeeze_and_excite(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(x.mean((2, 3), keepdim=True))


def _distribution(x: torch.Tensor) -> torch.Tensor:
    """The box head of the YOLO family (Generalized Focal Loss, Li et al. 2020): a softmax, then its expectation."""
    weights = x.reshape(1, 2, 4, 144).transpose(1, 2).softmax(1)
    return F.conv2d(weights, torch.arange(4.0).reshape(1, 4, 1, 1)).reshape(1, 2, 12, 12).repeat(1, 4, 1, 1)


CASES: dict[str, Operator | nn.Module] = {
    # activations
    "relu": torch.relu,
    "relu6": F.relu6,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "prelu": nn.PReLU(CHANNELS),
    "elu": F.elu,
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 0.5),
    "gelu": F.gelu,
    "gelu (tanh)": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 0.7),
    "hardshrink": lambda x: F.hardshrink(x, 0.1),
    "softshrink": lambda x: F.softshrink(x, 0.1),
    "tanhshrink": F.tanhshrink,
    "threshold": lambda x: F.threshold(x, 0.1, -0.2),
    "log_sigmoid": F.logsigmoid,
    "glu": lambda x: F.glu(x, 1).repeat(1, 2, 1, 1),
    # element by element
    "exp": torch.exp,
    "log": lambda x: torch.log(x.abs() + 0.5),
    "sqrt": lambda x: torch.sqrt(x.abs() + 0.01),
    "rsqrt": lambda x: torch.rsqrt(x.abs() + 0.5),
    "reciprocal": lambda x: torch.reciprocal(x.abs() + 0.5),
    "abs": torch.abs,
    "neg": torch.neg,
    "square": torch.square,
    "pow": lambda x: x**3,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "floor": lambda x: torch.floor(4 * x),
    "ceil": lambda x: torch.ceil(4 * x),
    "round": lambda x: torch.round(4 * x),
    "sign": torch.sign,
    "clamp": lambda x: x.clamp(-0.3, 0.4),
    "clamp_min": lambda x: x.clamp_min(-0.2),
    "add": lambda x: x + x.flip(1),
    "add constant": lambda x: x + _fixed(1, CHANNELS, 1, 1),
    "sub": lambda x: x - x.flip(1),
    "mul": lambda x: x * x.flip(1),
    "mul constant": lambda x: x * _fixed(1, CHANNELS, 1, 1),
    "div": lambda x: x / (x.flip(1).abs() + 0.5),
    "rsub": lambda x: 1 - x,
    "addcmul": lambda x: torch.addcmul(x, x, x.flip(1), value=0.5),
    "addcdiv": lambda x: torch.addcdiv(x, x, x.flip(1).abs() + 0.5, value=2),
    "maximum": lambda x: torch.maximum(x, x.flip(1)),
    "minimum": lambda x: torch.minimum(x, x.flip(1)),
    "where": lambda x: torch.where(x > 0.1, x, x.flip(1) * 3),
    "masked_fill": lambda x: x.masked_fill(x > 0.2, 0.0),
    # over an axis
    "mean over the map": lambda x: x.mean((2, 3), keepdim=True).expand(1, 8, 12, 12) + x,
    "mean over channels": lambda x: x.mean(1, keepdim=True) * x,
    "sum": lambda x: x.sum(1, keepdim=True) * x,
    "amax": lambda x: x.amax(1, keepdim=True) * x,
    "amin": lambda x: x.amin((2, 3), keepdim=True) * x,
    "max": lambda x: x.max(1, keepdim=True).values + x,
    "var": lambda x: x.var(1, keepdim=True) + x,
    "std": lambda x: x.std((2, 3), keepdim=True) + x,
    "norm": lambda x: F.normalize(x, dim=1),
    "logsumexp": lambda x: x.logsumexp(1, keepdim=True) + x,
    "softmax over channels": lambda x: x.softmax(1),
    "softmax over a row": lambda x: x.softmax(3),
    "log_softmax": lambda x: x.log_softmax(1),
    "cumsum": lambda x: x.cumsum(1),
    "topk": lambda x: x.topk(4, 1).values.repeat(1, 2, 1, 1),
    "sort": lambda x: x.sort(1).values,
    # shape
    "flip": lambda x: x.flip(3),
    "roll": lambda x: x.roll((3, 2), (2, 3)),
    "permute": lambda x: x.permute(0, 1, 3, 2),
    "reshape": lambda x: x.reshape(1, 8, 6, 24),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2).repeat(1, 4, 1, 1),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2)[:, ::4],
    "channel shuffle": _channel_shuffle,
    "window partition": _window_partition,
    "slice": lambda x: x[:, ::2].repeat(1, 2, 1, 1),
    "strided slices": lambda x: torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2]], 1)[:, ::2],
    "chunk": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "split": lambda x: torch.cat([part * (n + 1) for n, part in enumerate(x.split((3, 5), 1))], 1),
    "unbind and stack": lambda x: torch.stack(x.unbind(1)[::-1], 1),
    "cat": lambda x: torch.cat([x[:, :4], torch.sigmoid(x[:, 4:])], 1),
    "cat of silu": lambda x: torch.cat([F.silu(x[:, :4]), F.silu(x[:, 4:])], 1),
    "cat of one twice": lambda x: torch.cat([x, x], 1)[:, 3:11],
    "cat swapped": lambda x: torch.cat([x[:, :4], F.silu(x)], 1)[:, :8] + torch.cat([F.silu(x), x[:, :4]], 1)[:, :8],
    "class token": _class_token,
    "index_select": lambda x: x[:, [7, 0, 3, 3, 1, 2, 6, 5]],
    "gather": lambda x: x.gather(1, torch.arange(8).flip(0).reshape(1, 8, 1, 1).expand(1, 8, 12, 12)),
    "repeat": lambda x: x[:, :2].repeat(1, 4, 1, 1),
    "repeat_interleave": lambda x: x[:, :4].repeat_interleave(2, 1),
    "repeat before pixel shuffle": lambda x: F.pixel_shuffle(x.repeat(1, 4, 1, 1), 2),
    "expand": lambda x: x[:, :1].expand(1, 8, 12, 12),
    "pad": lambda x: F.pad(x, (1, 2, 0, 1), value=0.3),
    "pad with a negative number": lambda x: F.pad(x, (-2, 2, 1, -1)),
    "pad by reflection": lambda x: F.pad(x, (1, 2, 2, 1), mode="reflect"),
    "pad by replication": lambda x: F.pad(x, (1, 2, 2, 1), mode="replicate"),
    "pad circular": lambda x: F.pad(x, (1, 2, 2, 1), mode="circular"),
    "unfold": lambda x: F.unfold(x, 3, stride=3).reshape(1, 72, 4, 4)[:, :8],
    # pools
    "max_pool": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max_pool with a ceiling": lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True),
    "max_pool with dilation": lambda x: F.max_pool2d(x, 2, 1, dilation=2),
    "avg_pool": lambda x: F.avg_pool2d(x, 2),
    "avg_pool with padding": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "avg_pool without padding's zeros": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "avg_pool with a ceiling": lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True),
    "avg_pool of abs": lambda x: F.avg_pool2d(torch.exp(x), 2),
    "adaptive_avg_pool": lambda x: F.adaptive_avg_pool2d(x, 3),
    "adaptive_avg_pool, uneven": lambda x: F.adaptive_avg_pool2d(x, 5),
    "adaptive_max_pool": lambda x: F.adaptive_max_pool2d(x, 4),
    "lp_pool": lambda x: F.lp_pool2d(x, 2, 2),
    # normalisation
    "batch_norm": nn.BatchNorm2d(CHANNELS),
    "batch_norm without statistics": nn.InstanceNorm2d(CHANNELS, affine=True),
    "group_norm": nn.GroupNorm(2, CHANNELS),
    "layer_norm": lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (CHANNELS,)).permute(0, 3, 1, 2),
    "layer_norm over the map": lambda x: F.layer_norm(x, (CHANNELS, 12, 12)),
    "rms_norm": lambda x: F.rms_norm(x.permute(0, 2, 3, 1), (CHANNELS,)).permute(0, 3, 1, 2),
    "local_response_norm": lambda x: F.local_response_norm(x, 3),
    # layers
    "depthwise conv": nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS),
    "grouped conv": nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=2),
    "dilated conv": nn.Conv2d(CHANNELS, CHANNELS, 3, padding=2, dilation=2),
    "conv with padding by reflection": nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, padding_mode="reflect"),
    "conv_transpose": nn.ConvTranspose2d(CHANNELS, CHANNELS, 2, 2),
    "depthwise conv_transpose": nn.ConvTranspose2d(CHANNELS, CHANNELS, 2, 2, groups=CHANNELS),
    "linear over channels": nn.Sequential(nn.Flatten(2), nn.Linear(144, 144), nn.Unflatten(2, (12, 12))),
    "upsample bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "upsample bilinear, corners": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
    "upsample nearest": lambda x: F.interpolate(x, scale_factor=2, mode="nearest"),
    "upsample nearest, uneven": lambda x: F.interpolate(x, size=(17, 29), mode="nearest"),
    "downsample nearest": lambda x: F.interpolate(x, size=(5, 6), mode="nearest-exact"),
    "upsample bicubic": lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"),
    "downsample bilinear": lambda x: F.interpolate(x, size=(6, 6), mode="bilinear"),
    "attention": _attention,
    "matmul": _matmul,
    "einsum": lambda x: torch.einsum("bchw,cd->bdhw", x, _fixed(8, 8)),
    "squeeze and excite": _squeeze_and_excite,
    "distribution of boxes": _distribution,
}


class Between(nn.Module):
    """A convolution, the operator, another convolution, the mean and a linear layer; all weights from one seed."""

    def __init__(self, operator: Operator | nn.Module) -> None:
        """`operator` is a row of `CASES`."""
        super().__init__()
        torch.manual_seed(7)
        self.first = nn.Conv2d(3, CHANNELS, 3, 2, 1)
        self.operator = operator
        self.second = nn.Conv2d(CHANNELS, 12, 3, 1, 1)
        self.last = nn.Linear(12, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits [1, 5] of an image [1, 3, 24, 24]."""
        features = torch.relu(self.second(self.operator(self.first(image))))
        return torch.as_tensor(self.last(features.mean((2, 3))))
