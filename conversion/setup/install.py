"""Installs a row of the table once, for all processes; an interrupted installation counts as none."""

from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.contract.files import locked, unwritable, write_atomically
from samesight.conversion.cache_folder import tools_root
from samesight.conversion.environments import STAMP
from samesight.conversion.setup.interface import Found, Say, Setup


def folder_of(setup: Setup, root: Path | None = None) -> Path:
    """Where a row is installed, or would be."""
    return (root or tools_root()).absolute() / setup.name


def find(setup: Setup, root: Path | None = None) -> Found | None:
    """What is usable of a row; None where it was not installed, or not to the end."""
    return setup.find(folder_of(setup, root))


def is_whole(folder: Path) -> bool:
    """Whether an installation in this folder came to its end."""
    return (folder / STAMP).is_file()


def install(setup: Setup, say: Say, root: Path | None = None) -> Found:
    """Install a row where nothing usable is there yet; what an interrupted installation fetched is used again.

    Raises:
        SamesightError: it cannot be installed here, or the installation failed; a later one goes on.
    """
    folder = folder_of(setup, root)
    if found := setup.find(folder):
        return found
    if obstacle := setup.obstacle():
        raise SamesightError(obstacle)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, wait=True):
            # Another process may have installed it while this one waited.
            if found := setup.find(folder):
                return found
            (folder / STAMP).unlink(missing_ok=True)
            setup.install(folder, say)
            write_atomically(folder / STAMP, f"{setup.title}\n".encode())
            found = setup.find(folder)
    except OSError as error:
        raise unwritable(folder, error) from None
    if found is None:
        (folder / STAMP).unlink(missing_ok=True)
        raise SamesightError(f"{folder}: was installed and does not run; remove the folder and try again")
    return found
