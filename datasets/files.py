"""Images in a person's own files."""

from pathlib import Path

from PIL import Image

from samesight.contract.errors import SamesightError
from samesight.contract.image import load_picture
from samesight.contract.orientation import Orientation, from_exif
from samesight.datasets.example import Pixels

ORIENTATION_TAG = 0x0112


def load_upright(path: Path) -> Pixels:
    """An image file as people see it: RGB uint8 [H, W, 3], turned as its EXIF orientation says.

    Raises:
        SamesightError: missing, corrupt or too large.
    """
    return load_picture(path).upright()


def read_header(path: Path) -> tuple[int, int, Orientation]:
    """Width, height and orientation of an image file as stored, without decoding its pixels.

    Raises:
        SamesightError: missing, or not an image.
    """
    try:
        with Image.open(path) as image:
            return image.width, image.height, from_exif(image.getexif().get(ORIENTATION_TAG))
    except FileNotFoundError:
        raise SamesightError(f"{path}: no such file; check the path") from None
    # Pillow's readers raise anything from OSError to struct.error on damaged headers.
    except Exception:
        raise SamesightError(f"{path}: not an image, or damaged; replace it or leave it out") from None


def list_folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, sorted; hidden ones left out.

    Raises:
        SamesightError: there is no such folder, or it cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise SamesightError(f"{folder}: {error.strerror or error}; give the folder that holds the images") from None
