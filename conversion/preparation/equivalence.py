"""Proves by comparison that a prepared program computes the same outputs as the original network."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
OWN_MARGIN = 10.0
"""Two networks that round alike are 3 dB further from each other than each from the exact one; some are unlucky."""

Network = Callable[[torch.Tensor], Any]


@dataclass(frozen=True)
class Proof:
    """The least ratio in dB over the roles and images, and what a person should know."""

    decibels: float
    notes: tuple[str, ...]


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


def pictures(spec: ModelSpec, samples: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Pixel values 0..255 to compare on, float32 [n,C,H,W]: some of the samples first, and noise from a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    shape = (RANDOM_IMAGES, spec.input.channel_count, spec.input.height, spec.input.width)
    noise = torch.randint(0, 256, shape, generator=generator).float()
    named = {"calibration images": samples[:SAMPLE_IMAGES]} if samples is not None else {}
    return {**named, "noise": noise}


def prove(
    original: Network,
    prepared: Network,
    exact: Callable[[], Network],
    normalise: Any,
    spec: ModelSpec,
    samples: torch.Tensor | None,
) -> Proof:
    """Run both on the same pictures.

    A deep network may round so much in float32 that no other order of the same arithmetic comes near. Where the
    prepared network differs by more than `LEAST_DECIBELS`, its distance is held against that of the original network
    from itself in float64: below that, a difference says nothing.

    Args:
        original: takes a normalised image and returns the outputs of the spec; float32.
        prepared: takes pixels and returns the roles.
        exact: makes the original network in float64; called where it is needed.
        normalise: from pixels to the original's input.
        spec: of the model.
        samples: calibration images as pixels, float32 [n,C,H,W].

    Raises:
        SamesightError: a role differs by more than rounding explains.
    """
    lowest, notes = math.inf, []
    for kind, images in pictures(spec, samples).items():
        expected = roles_of(lambda pixels: slice_roles(original(normalise(pixels)), spec), images, spec)
        actual = roles_of(lambda pixels: dict(zip(spec.roles, prepared(pixels), strict=True)), images, spec)
        for role in spec.roles:
            about_mean, about_zero = compare(expected[role], actual[role])
            if not (about_mean >= LEAST_DECIBELS or about_zero >= FLOAT32_DECIBELS):
                own = _own_decibels(original, exact, normalise, spec, images, role, expected[role])
                if about_mean < own - OWN_MARGIN:
                    raise SamesightError(
                        f"{spec.name}: on {kind}, the prepared network's {role} differ from the original's "
                        f"({about_mean:.1f} dB, {min(LEAST_DECIBELS, own - OWN_MARGIN):.0f} are needed); "
                        "report this network"
                    )
                notes.append(
                    f"on {kind}, {spec.name}'s {role} are only {own:.0f} dB from the same network in float64: its "
                    "float32 arithmetic rounds so much that phones, too, will differ from the server"
                )
            lowest = min(lowest, about_mean)
    return Proof(lowest, tuple(notes))


def roles_of(
    run: Callable[[torch.Tensor], Mapping[Role, torch.Tensor]], images: torch.Tensor, spec: ModelSpec
) -> dict[Role, torch.Tensor]:
    """Each role's tensors of all images."""
    collected: dict[Role, list[torch.Tensor]] = {role: [] for role in spec.roles}
    with torch.no_grad():
        for picture in images.split(1):
            for role, tensor in run(picture.contiguous()).items():
                collected[role].append(tensor)
    return {role: torch.cat(tensors) for role, tensors in collected.items()}


def _own_decibels(
    original: Network,
    exact: Callable[[], Network],
    normalise: Any,
    spec: ModelSpec,
    images: torch.Tensor,
    role: Role,
    expected: torch.Tensor,
) -> float:
    """How near the original network is to itself in float64; infinite where it cannot be run so.

    Raises:
        SamesightError: it is not even the same twice.
    """
    again = roles_of(lambda pixels: slice_roles(original(normalise(pixels)), spec), images, spec)[role]
    if not torch.equal(again, expected):
        raise SamesightError(
            f"{spec.name}: two runs of the network on one image give different {role}; take randomness out of it"
        )
    try:
        network = exact()
        doubled = roles_of(lambda pixels: slice_roles(network(normalise(pixels).double()), spec), images, spec)[role]
    except (RuntimeError, TypeError, ValueError):  # a network that names float32 itself
        return math.inf
    return compare(doubled, expected)[0]
