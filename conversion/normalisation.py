"""The step from pixel values 0..255 to the original network's input, as numbers.

docs/contract.md: (low + p / 255 (high - low) - mean) / std per channel, which is one multiplication and one addition.
"""

from dataclasses import dataclass

import numpy as np

from samesight.contract.spec import Input
from samesight.conversion.qparams import Float32, UInt8


@dataclass(frozen=True)
class Affine:
    """x -> factor * x + offset per channel, in float64; `x` is a pixel value 0..255."""

    factor: tuple[float, ...]
    offset: tuple[float, ...]

    @property
    def identity(self) -> bool:
        """Whether it changes nothing: value_range [0, 255], mean 0, std 1."""
        return all(f == 1.0 for f in self.factor) and all(o == 0.0 for o in self.offset)

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value that any channel can take; zero (the padding value) is inside."""
        values = [f * pixel + o for f, o in zip(self.factor, self.offset, strict=True) for pixel in (0.0, 255.0)]
        return min(0.0, *values), max(0.0, *values)


def affine_of(spec: Input) -> Affine:
    """(low + p / 255 * (high - low) - mean) / std, written as one multiplication and one addition."""
    low, high = spec.value_range
    return Affine(
        factor=tuple((high - low) / (255.0 * std) for std in spec.std),
        offset=tuple((low - mean) / std for mean, std in zip(spec.mean, spec.std, strict=True)),
    )


def network_values(tensor: UInt8 | Float32, spec: Input) -> Float32:
    """The original network's input: the contract's input tensor uint8 [H, W, C], normalised; float32.

    Floats are taken for levels too, in 0..255 or not.
    """
    affine = affine_of(spec)
    return (tensor.astype(np.float64) * np.array(affine.factor) + np.array(affine.offset)).astype(np.float32)


def pixels_for(values: Float32, spec: Input) -> UInt8:
    """The pixel levels that give these network values, rounded and clipped to 0..255; uint8 [H, W, C]."""
    return np.clip(np.round(levels_for(values, spec)), 0, 255).astype(np.uint8)


def levels_for(values: Float32, spec: Input) -> Float32:
    """The levels, neither rounded nor clipped, that give these network values; float32 [H, W, C]."""
    affine = affine_of(spec)
    levels = (values.astype(np.float64) - np.array(affine.offset)) / np.array(affine.factor)
    return levels.astype(np.float32)
