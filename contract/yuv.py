"""Camera frames: YUV 4:2:0 to RGB and back, in exact integers.

Coefficients: ITU-R BT.601-7 and BT.709-6, times 65536, rounded to nearest, the green one of RGB to YUV taking the
rounding so that grey stays neutral. All sums fit 32-bit signed integers; >> is arithmetic (rounds down).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from samesight.contract.errors import SamesightError

Matrix = Literal["bt601", "bt709"]
Range = Literal["video", "full"]
Layout = Literal["i420", "nv12", "nv21"]

_HALF = 1 << 15
# (matrix, range): y, red from v, green from u, green from v, blue from u
_TO_RGB: dict[tuple[Matrix, Range], tuple[int, int, int, int, int]] = {
    ("bt601", "video"): (76309, 104597, 25675, 53279, 132201),
    ("bt601", "full"): (65536, 91881, 22553, 46802, 116130),
    ("bt709", "video"): (76309, 117489, 13975, 34925, 138438),
    ("bt709", "full"): (65536, 103206, 12276, 30679, 121609),
}
# (matrix, range): the shares of red, green and blue in y, in u and in v
_TO_YUV: dict[tuple[Matrix, Range], tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]] = {
    ("bt601", "video"): ((16829, 33039, 6416), (-9714, -19070, 28784), (28784, -24103, -4681)),
    ("bt601", "full"): ((19595, 38470, 7471), (-11058, -21710, 32768), (32768, -27439, -5329)),
    ("bt709", "video"): ((11966, 40254, 4064), (-6596, -22188, 28784), (28784, -26145, -2639)),
    ("bt709", "full"): ((13933, 46871, 4732), (-7509, -25259, 32768), (32768, -29763, -3005)),
}
_BLACK: dict[Range, int] = {"video": 16, "full": 0}


@dataclass(frozen=True)
class Plane:
    """One plane of a frame: sample (x, y) is the byte at y · row_stride + x · pixel_stride of `data`."""

    data: bytes | memoryview | NDArray[np.uint8]
    row_stride: int
    pixel_stride: int = 1


@dataclass(frozen=True)
class Yuv420:
    """A frame of `width` x `height` pixels: y at full size, u (Cb) and v (Cr) at half of it, halves rounded up.

    The last row of a plane may end with its last sample (Android leaves the padding out).
    """

    width: int
    height: int
    y: Plane
    u: Plane
    v: Plane


def chroma_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of u and v."""
    return (width + 1) // 2, (height + 1) // 2


def yuv420_from_bytes(data: bytes, width: int, height: int, layout: Layout) -> Yuv420:
    """A frame in one buffer without padding: y, then u and v (i420), or u and v in turn (nv12), or v and u (nv21).

    Raises:
        SamesightError: the buffer has another length than width · height + 2 · chroma width · chroma height.
    """
    across, down = chroma_size(width, height)
    expected = width * height + 2 * across * down
    if len(data) != expected:
        raise SamesightError(
            f"a {layout} frame of {width} x {height} has {expected} bytes, this one {len(data)}; check its size"
        )
    view = memoryview(data)
    y, chroma = Plane(view[: width * height], width), view[width * height :]
    if layout == "i420":
        return Yuv420(width, height, y, Plane(chroma[: across * down], across), Plane(chroma[across * down :], across))
    first, second = Plane(chroma, 2 * across, 2), Plane(chroma[1:], 2 * across, 2)
    return Yuv420(width, height, y, first, second) if layout == "nv12" else Yuv420(width, height, y, second, first)


def yuv420_to_rgb(frame: Yuv420, matrix: Matrix = "bt601", range: Range = "video") -> NDArray[np.uint8]:
    """The frame as uint8 [H, W, 3] RGB; a pixel takes the nearest chroma sample (x div 2, y div 2).

    Raises:
        SamesightError: an empty frame, or a plane too short for its strides.
    """
    if frame.width < 1 or frame.height < 1:
        raise SamesightError(f"a frame has sides of at least 1 pixel, not {frame.width} x {frame.height}")
    across, down = chroma_size(frame.width, frame.height)
    gain, red_v, green_u, green_v, blue_u = _TO_RGB[matrix, range]
    luma = (_samples(frame.y, frame.width, frame.height, "y") - _BLACK[range]) * gain + _HALF
    u = _samples(frame.u, across, down, "u") - 128
    v = _samples(frame.v, across, down, "v") - 128
    rgb = np.empty((frame.height, frame.width, 3), dtype=np.uint8)
    for channel, offset in enumerate((red_v * v, -green_u * u - green_v * v, blue_u * u)):
        spread = offset.repeat(2, axis=0)[: frame.height].repeat(2, axis=1)[:, : frame.width]
        rgb[:, :, channel] = np.clip((luma + spread) >> 16, 0, 255)
    return rgb


def _samples(plane: Plane, width: int, height: int, name: str) -> NDArray[np.int32]:
    data = np.frombuffer(plane.data, dtype=np.uint8)
    if plane.pixel_stride < 1 or plane.row_stride < (width - 1) * plane.pixel_stride + 1:
        raise SamesightError(
            f"plane {name}: a row of {width} samples does not fit row stride {plane.row_stride} "
            f"with pixel stride {plane.pixel_stride}"
        )
    needed = (height - 1) * plane.row_stride + (width - 1) * plane.pixel_stride + 1
    if len(data) < needed:
        raise SamesightError(
            f"plane {name}: {len(data)} bytes, but {width} x {height} samples with row stride {plane.row_stride} "
            f"and pixel stride {plane.pixel_stride} need {needed}"
        )
    samples: NDArray[np.uint8] = np.ndarray(
        (height, width), np.uint8, data, strides=(plane.row_stride, plane.pixel_stride)
    )
    return samples.astype(np.int32)


def rgb_to_yuv420(pixels: NDArray[np.uint8], layout: Layout, matrix: Matrix = "bt601", range: Range = "video") -> bytes:
    """RGB uint8 [H, W, 3] as one buffer without padding (see `yuv420_from_bytes`): test frames and golden cases.

    Chroma comes from the mean of each 2 x 2 block, (sum + 2) div 4; odd sides repeat their last column and row.
    """
    height, width, _ = pixels.shape
    even = np.pad(pixels.astype(np.int32), ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    mean = (even[0::2, 0::2] + even[0::2, 1::2] + even[1::2, 0::2] + even[1::2, 1::2] + 2) >> 2
    for_y, for_u, for_v = _TO_YUV[matrix, range]
    y = _weighted(pixels.astype(np.int32), for_y, _BLACK[range])
    u, v = _weighted(mean, for_u, 128), _weighted(mean, for_v, 128)
    if layout == "i420":
        return y.tobytes() + u.tobytes() + v.tobytes()
    pair = (u, v) if layout == "nv12" else (v, u)
    return y.tobytes() + np.stack(pair, axis=2).tobytes()


def _weighted(rgb: NDArray[np.int32], shares: tuple[int, int, int], offset: int) -> NDArray[np.uint8]:
    r, g, b = (rgb[:, :, channel] for channel in (0, 1, 2))
    total = (shares[0] * r + shares[1] * g + shares[2] * b + _HALF) >> 16
    clipped: NDArray[np.int32] = np.clip(total + offset, 0, 255)
    return clipped.astype(np.uint8)
