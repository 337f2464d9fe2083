"""One small integer generator (SplitMix64), so that every language makes the same random test images.

Guy L. Steele, Doug Lea, Christine H. Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014.
Only wrapping 64-bit additions, multiplications, shifts and exclusive ors. Not for secrets.
"""

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_MULTIPLY_1 = 0xBF58476D1CE4E5B9
_MULTIPLY_2 = 0x94D049BB133111EB


class Generator:
    """A stream of 64-bit numbers from a seed (0 <= seed < 2^64); equal seeds give equal streams."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next(self) -> int:
        """The next number, 0 <= n < 2^64."""
        self._state = (self._state + _GAMMA) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * _MULTIPLY_1) & _MASK
        z = ((z ^ (z >> 27)) * _MULTIPLY_2) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """A number 0 <= n < bound, for 1 <= bound <= 2^31: the upper 32 bits of `next` scaled down."""
        return ((self.next() >> 32) * bound) >> 32

    def bytes(self, count: int) -> NDArray[np.uint8]:
        """`count` bytes: those of successive `next` values, least significant first; bytes left over are dropped."""
        values = -(-count // 8)
        steps = np.arange(1, values + 1, dtype=np.uint64) * np.uint64(_GAMMA)
        z = np.uint64(self._state) + steps
        self._state = (self._state + values * _GAMMA) & _MASK
        z = (z ^ (z >> np.uint64(30))) * np.uint64(_MULTIPLY_1)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(_MULTIPLY_2)
        z = z ^ (z >> np.uint64(31))
        return z.astype("<u8").view(np.uint8)[:count]


def random_side(generator: Generator, largest: int) -> int:
    """A side length 1..`largest`, each octave equally likely: small, odd and large sizes all come up."""
    octave = generator.below(largest.bit_length())
    return min((1 << octave) + generator.below(1 << octave), largest)


def random_image(generator: Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A test image, uint8 [height, width, 3]: smooth gradients, rectangles with hard edges, noise over all."""
    image = _gradients(generator, width, height)
    for _ in range(1 + generator.below(6)):
        left, top = generator.below(width), generator.below(height)
        across, down = 1 + generator.below(width - left), 1 + generator.below(height - top)
        colour = [generator.below(256) for _ in range(3)]
        image[top : top + down, left : left + across] = colour
    amplitude = generator.below(64)
    noise = (generator.bytes(width * height * 3).astype(np.int32) * (2 * amplitude + 1)) >> 8
    noisy = image + noise.reshape(image.shape) - amplitude
    clipped: NDArray[np.int32] = np.clip(noisy, 0, 255)
    return clipped.astype(np.uint8)


def _gradients(generator: Generator, width: int, height: int) -> NDArray[np.int32]:
    """Per channel the mean of a horizontal and a vertical ramp between random levels."""
    x = np.arange(width, dtype=np.int32)[None, :]
    y = np.arange(height, dtype=np.int32)[:, None]
    channels = []
    for _ in range(3):
        left, right, top, bottom = (generator.below(256) for _ in range(4))
        across = (left * (width - x) + right * x) // width
        down = (top * (height - y) + bottom * y) // height
        channels.append((across + down) >> 1)
    return np.stack(channels, axis=2)
