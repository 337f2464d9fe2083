"""Images in a person's own files."""

from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.contract.image import load_picture
from samesight.datasets.example import Pixels


def load_upright(path: Path) -> Pixels:
    """An image file as people see it: RGB uint8 [H, W, 3], turned as its EXIF orientation says.

    Raises:
        SamesightError: missing, corrupt or too large.
    """
    return load_picture(path).upright()


def list_folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, sorted; hidden ones left out.

    Raises:
        SamesightError: there is no such folder, or it cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise SamesightError(f"{folder}: {error.strerror or error}; give the folder that holds the images") from None
