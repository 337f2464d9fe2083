"""Picture: an image as stored, 8-bit RGB, with the orientation that turns it upright; and decoding files into one."""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from samesight.contract.errors import SamesightError
from samesight.contract.files import check_plain, read_plain
from samesight.contract.orientation import UPRIGHT, Orientation, from_exif

MAX_PIXELS = 178_956_970  # Pillow's own limit against decompression bombs: 512 MiB as 24-bit pixels.
MAX_SIDE = 65_535  # JPEG's limit; keeps every integer of the framing within 31 bits.
WHITE = (255, 255, 255)

# Raster formats only (no EPS, which Pillow hands to Ghostscript); the first ones cost no import of other decoders.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "WEBP", "TIFF", "AVIF", "JPEG2000")
# Suffixes of files in those formats: files in a folder with one of these are images. MPO is JPEG with more pictures.
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
_OTHERS = (".png", ".bmp", ".dib", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".webp", ".tif", ".tiff", ".avif")
IMAGE_SUFFIXES = frozenset((*_JPEG, *_OTHERS, ".jp2", ".j2k", ".jpf", ".jpx"))
# Read where the package pillow-heif is installed.
HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_ORIENTATION_TAG = 0x0112
_GREY_MODES = ("1", "L", "LA", "La")
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
# Pixels that are converted at a time, so that copies of a large image are never there as a whole.
_BAND_PIXELS = 1 << 22
_DIRECT_MODES = (*_GREY_MODES, *_ALPHA_MODES, "P", "RGB", "RGBX", "CMYK", "YCbCr")


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as stored.

    Attributes:
        pixels: uint8 [H, W, 3], RGB 0..255, sRGB; sides 1..65535.
        orientation: what makes it upright.
    """

    pixels: NDArray[np.uint8]
    orientation: Orientation = UPRIGHT

    def __post_init__(self) -> None:
        pixels = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            actual = f"{pixels.dtype} {list(pixels.shape)}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise SamesightError(f"a picture is a numpy array uint8 [height, width, 3] in RGB, not {actual}")
        if not all(1 <= side <= MAX_SIDE for side in pixels.shape[:2]):
            raise SamesightError(f"a picture has sides of 1 to {MAX_SIDE} pixels, not {self.width} x {self.height}")

    @property
    def width(self) -> int:
        """Of the stored image, in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Of the stored image, in pixels."""
        return int(self.pixels.shape[0])

    def upright(self) -> NDArray[np.uint8]:
        """The pixels as a person sees them: uint8 [H', W', 3]."""
        return self.orientation.upright(self.pixels)


def load_picture(source: Path | bytes, background: tuple[int, int, int] = WHITE, name: str | None = None) -> Picture:
    """Decode an image file (JPEG, PNG, WebP, TIFF, GIF, BMP, PPM, AVIF, JPEG 2000, and HEIC
    where pillow-heif is installed; of several frames the first).

    The orientation found in the file is reported, not applied. An embedded colour profile is converted to sRGB.

    Args:
        source: a path, or the bytes of a file.
        background: RGB colour under transparent pixels: the spec's `input.background`.
        name: what to call the image in errors; the path by default.

    Raises:
        SamesightError: missing, unreadable, empty, not an image, truncated, too large, or of 32 bits a sample.
    """
    name = name or ("the image" if isinstance(source, bytes) else str(source))
    data = source if isinstance(source, bytes) else _read(source, name)
    if not data:
        raise SamesightError(f"{name}: the file is empty (0 bytes); give an image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(data, background, name)
    except SamesightError:
        raise
    except UnidentifiedImageError:
        raise SamesightError(f"{name}: not an image of a known format ({', '.join(_FORMATS)})") from None
    except Image.DecompressionBombError:
        raise SamesightError(f"{name}: more than {MAX_PIXELS:,} pixels; scale it down first") from None
    except MemoryError:
        raise SamesightError(f"{name}: not enough memory to decode it; scale it down first") from None
    except Exception as error:  # Pillow's decoders raise anything from OSError to struct.error on damaged files.
        raise SamesightError(f"{name}: the image is damaged or cut off ({error}); replace it") from None


def image_suffixes() -> frozenset[str]:
    """Suffixes, in small letters, of the files that are read as images: in training, calibration and predictions."""
    return IMAGE_SUFFIXES | HEIF_SUFFIXES if find_spec("pillow_heif") else IMAGE_SUFFIXES


def list_images(folder: Path) -> list[Path]:
    """The image files in a folder and below it by their suffix, sorted.

    Hidden files and all in hidden folders, whose names begin with a dot, are left out: Jupyter keeps copies of images
    in `.ipynb_checkpoints`, macOS writes `._photo.jpg` beside `photo.jpg`.
    """
    suffixes = image_suffixes()
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and not is_hidden(path, folder) and path.is_file()
    )


def is_hidden(path: Path, folder: Path) -> bool:
    """Whether a file, or a folder between `folder` and it, has a name that begins with a dot."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def read_header(path: Path) -> tuple[int, int, Orientation]:
    """Width, height and orientation of an image file as stored, without decoding its pixels.

    Raises:
        SamesightError: missing, or not an image.
    """
    try:
        with check_plain(path).open("rb") as file:
            formats = _formats_of(file.read(12), str(path))
        with warnings.catch_warnings(), Image.open(path, formats=formats) as image:
            warnings.simplefilter("ignore")
            return image.width, image.height, _orientation(image)
    except SamesightError:
        raise
    except FileNotFoundError:
        raise SamesightError(f"{path}: no such file; check the path") from None
    # Pillow's readers raise anything from OSError to struct.error on damaged headers.
    except Exception:
        raise SamesightError(f"{path}: not an image, or damaged; replace it or leave it out") from None


def _formats_of(start: bytes, name: str) -> tuple[str, ...]:
    """The formats to try on a file that starts so; HEIF's reader is another package, imported where it is needed.

    Raises:
        SamesightError: a HEIF file, and that package is not installed.
    """
    if start[4:8] != b"ftyp" or start[8:12] not in _HEIF_BRANDS:
        return _FORMATS
    if find_spec("pillow_heif") is None:
        raise SamesightError(
            f"{name}: a HEIC image, which the package pillow-heif reads; install it or save the image as JPEG"
        )
    import pillow_heif

    pillow_heif.register_heif_opener()
    return ("HEIF", *_FORMATS)


def _read(path: Path, name: str) -> bytes:
    try:
        return read_plain(path)
    except FileNotFoundError:
        raise SamesightError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise SamesightError(f"{name}: is a folder; give an image file") from None
    except OSError as error:
        raise SamesightError(f"{name}: cannot be read ({error.strerror or error}); check it and its rights") from None


def _decode(data: bytes, background: tuple[int, int, int], name: str) -> Picture:
    with Image.open(io.BytesIO(data), formats=_formats_of(data[:12], name)) as image:
        width, height = image.size
        if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
            raise SamesightError(
                f"{name}: {width} x {height} pixels, but at most {MAX_PIXELS:,} in all "
                f"and {MAX_SIDE} a side are read; scale it down first"
            )
        image.load()
        # Every conversion is one of single pixels, so that bands give what the whole image would.
        pixels = np.empty((image.height, image.width, 3), np.uint8)
        for top, band in _bands(image):
            pixels[top : top + band.height] = _rgb(band, background, name)
        return Picture(pixels, _orientation(image))


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The image cut across into bands of at most some million pixels, each with the row that it begins at."""
    rows = max(_BAND_PIXELS // image.width, 1)
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _orientation(image: Image.Image) -> Orientation:
    """After `load`: Pillow's TIFF reader turns the pixels itself and then removes the tag."""
    try:
        return from_exif(image.getexif().get(_ORIENTATION_TAG))
    except Exception:  # Damaged metadata says nothing about the pixels.
        return UPRIGHT


def _rgb(image: Image.Image, background: tuple[int, int, int], name: str) -> NDArray[np.uint8]:
    alpha = None
    if image.mode.startswith("I;16"):
        samples = np.asarray(image)
        if "transparency" in image.info:
            alpha = np.where(samples == image.info["transparency"], 0, 255).astype(np.uint8)
        colours = Image.fromarray((samples >> 8).astype(np.uint8))
    elif image.mode not in _DIRECT_MODES:
        raise SamesightError(
            f"{name}: its samples (Pillow mode {image.mode}) are not 8 or 16-bit grey, RGB or CMYK; "
            "save it as 8-bit RGB"
        )
    elif image.mode in _ALPHA_MODES or "transparency" in image.info:
        rgba = image.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"))
        colours = rgba.getchannel("R") if image.mode in _GREY_MODES else rgba.convert("RGB")
    else:
        colours = image
    profile = image.info.get("icc_profile")
    if profile:
        from samesight.contract.colour_profile import to_srgb  # Imports ImageCms; most images have no profile.

        colours = to_srgb(colours, profile)
    pixels = np.array(colours.convert("RGB"))
    return pixels if alpha is None else over(pixels, alpha, background)


def over(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Pixels [H, W, 3] with alpha [H, W] over a colour: (p · a + b · (255 - a) + 127) div 255, per channel."""
    a = alpha.astype(np.uint16)[:, :, None]
    total = np.array(background, dtype=np.uint16) * (255 - a)
    total += 127
    total += pixels * a
    # x div 255 of x < 65,535, in additions and shifts, which are several times faster.
    total += (total >> 8) + 1
    return (total >> 8).astype(np.uint8)
