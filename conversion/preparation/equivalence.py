"""Proves by comparison that a prepared program computes the same outputs as the original network."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from samesight.contract.errors import SamesightError
from samesight.contract.spec import ModelSpec, Role
from samesight.contract.tasks import TASKS
from samesight.conversion.snr import decibels

LEAST_DECIBELS = 90.0
"""Deep untrained networks amplify float32 rounding to 102 dB; a real fault is below 40 dB."""
FLOAT32_DECIBELS = 120.0
RANDOM_IMAGES = 4
SAMPLE_IMAGES = 8


def compare(reference: torch.Tensor, candidate: torch.Tensor) -> tuple[float, float]:
    """Signal-to-noise ratios in dB of `candidate` against `reference`, both [n, ..., channels].

    The signal of the first is the reference's energy about its mean per channel, that of the second its energy about
    zero: float32 rounding is relative to the second.
    """
    expected, actual = reference.double().flatten(0, -2), candidate.double().flatten(0, -2)
    noise = float((expected - actual).square().sum())
    about_mean = float((expected - expected.mean(0, keepdim=True)).square().sum())
    return decibels(about_mean, noise), decibels(float(expected.square().sum()), noise)


def slice_roles(outputs: Sequence[torch.Tensor], spec: ModelSpec) -> dict[Role, torch.Tensor]:
    """The roles cut from the original network's outputs with plain indexing, as the spec defines them."""
    by_name = dict(zip(spec.outputs.tensors, outputs, strict=True))
    roles: dict[Role, torch.Tensor] = {}
    for role in spec.roles:
        part = spec.outputs.roles[role]
        tensor = by_name[part.tensor]
        if not TASKS[spec.task].per_position:
            roles[role] = tensor.flatten(1)[:, part.start : part.stop]
            continue
        axis = part.channel_axis or (1 if tensor.dim() == 4 else 2)
        last = tensor.movedim(axis, -1)
        roles[role] = last.reshape(1, -1, last.shape[-1])[..., part.start : part.stop]
    return roles


def pictures(spec: ModelSpec, samples: torch.Tensor | None) -> torch.Tensor:
    """Pixel values 0..255 to compare on, float32 [n,C,H,W]: noise from a fixed seed and some of the samples."""
    generator = torch.Generator().manual_seed(0)
    shape = (RANDOM_IMAGES, spec.input.channel_count, spec.input.height, spec.input.width)
    noise = torch.randint(0, 256, shape, generator=generator).float()
    return noise if samples is None else torch.cat([noise, samples[:SAMPLE_IMAGES]])


def prove(original: Any, prepared: Any, normalise: Any, spec: ModelSpec, samples: torch.Tensor | None) -> float:
    """Run both on the same pictures. Returns the least ratio in dB over the roles.

    Raises:
        SamesightError: a role differs by more than float32 rounding explains.
    """
    expected: dict[Role, list[torch.Tensor]] = {role: [] for role in spec.roles}
    actual: dict[Role, list[torch.Tensor]] = {role: [] for role in spec.roles}
    with torch.no_grad():
        for picture in pictures(spec, samples).split(1):
            for role, tensor in slice_roles(original(normalise(picture.contiguous())), spec).items():
                expected[role].append(tensor)
            for role, tensor in zip(spec.roles, prepared(picture.contiguous()), strict=True):
                actual[role].append(tensor)
    lowest = math.inf
    for role in spec.roles:
        about_mean, about_zero = compare(torch.cat(expected[role]), torch.cat(actual[role]))
        if not (about_mean >= LEAST_DECIBELS or about_zero >= FLOAT32_DECIBELS):
            raise SamesightError(
                f"{spec.name}: the prepared network's {role} differ from the original's ({about_mean:.1f} dB, "
                f"{LEAST_DECIBELS:.0f} are needed); take randomness out of the network, or report this network"
            )
        lowest = min(lowest, about_mean)
    return lowest
