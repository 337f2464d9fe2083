"""Python packages for another interpreter or processor, unpacked into a folder: wheels alone, so nothing is built."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from samesight.contract.errors import SamesightError

# The systems that a wheel may be made for, newest first, as PEP 600 names them.
GLIBC = ("2_28", "2_27", "2_17")
NOT_FETCHED = "packages cannot be fetched"


def pinned(names: Sequence[str]) -> list[str]:
    """Requirements of the versions that are installed here.

    Raises:
        SamesightError: one of them is not.
    """
    try:
        return [f"{name}=={metadata.version(name)}" for name in names]
    except metadata.PackageNotFoundError as error:
        raise SamesightError(f"{error.name} is not installed here; pip install {error.name}") from None


def unpack_wheels(
    folder: Path, requirements: Sequence[str], python: str | None = None, machine: str | None = None
) -> None:
    """Unpack exactly these packages, without what they depend on.

    Args:
        folder: made anew.
        requirements: name==version.
        python: version of the interpreter ("3.13"); None for this one.
        machine: processor ("aarch64"); None for this one.

    Raises:
        SamesightError: no installer, or a package is not to be had as a wheel.
    """
    shutil.rmtree(folder, ignore_errors=True)
    command = [*_installer(machine), "--no-deps", "--target", str(folder)]
    if python:
        command += ["--python-version", python, "--only-binary", ":all:"]
    done = subprocess.run([*command, *requirements], capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise SamesightError(f"{NOT_FETCHED} ({complaint(done.stderr)}); look at the network and try again")


def installer_into(python: Path) -> list[str]:
    """The start of a command line that installs into the environment of this interpreter, which needs no pip."""
    if uv := _uv():
        return [uv, "pip", "install", "--quiet", "--python", str(python)]
    _require_pip()
    return [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]


def complaint(stderr: str) -> str:
    """The line of an installer's standard error that says what is wrong."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return next((line for line in lines if line.lower().startswith("error")), lines[-1] if lines else "no message")


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv")


def _require_pip() -> None:
    try:
        metadata.version("pip")
    except metadata.PackageNotFoundError:
        raise SamesightError("no uv and no pip here to fetch packages with; install uv") from None


def _installer(machine: str | None) -> list[str]:
    """The start of uv's or pip's command line."""
    if uv := _uv():
        system = ["--python-platform", f"{machine}-manylinux_2_28"] if machine else ["--python", sys.executable]
        return [uv, "pip", "install", "--quiet", *system]
    _require_pip()
    platforms = [f"--platform=manylinux_{version}_{machine}" for version in GLIBC] if machine else []
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *platforms]
