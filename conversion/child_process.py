"""What all child processes share: environment variables, and a sentence about how one ended."""

import os
import signal
import site
from contextlib import suppress
from pathlib import Path

import samesight

LAST_LINES = 5
STDERR_BYTES = 8000


def child_environment() -> dict[str, str]:
    """The environment variables: one thread per library, a fixed hash seed, our packages importable."""
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment[name] = "1"
    environment["PYTHONHASHSEED"] = "0"
    root = package_root()
    if root not in (*site.getsitepackages(), site.getusersitepackages()):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return environment


def environment_of_others(folder: Path) -> dict[str, str]:
    """The same for a Python with packages of its own: of this one's it sees ours alone, through a link in `folder`."""
    packages = folder / "packages"
    packages.mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (packages / "samesight").symlink_to(Path(samesight.__file__).parent)
    return {**child_environment(), "PYTHONPATH": str(packages)}


def package_root() -> str:
    """The folder that has to be on the path of a Python that imports us."""
    return str(Path(samesight.__file__).parent.parent)


def death_reason(code: int, stderr_tail: bytes) -> str:
    """How a process ended, for "its converter …": the signal or exit code, and its last lines of standard error."""
    if code < 0:
        cause = f"was killed by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            cause += " (out of memory, as a rule)"
    else:
        cause = f"ended with code {code}"
    lines = [line.strip() for line in stderr_tail.decode(errors="replace").splitlines() if line.strip()]
    return f"{cause}; its last lines: {' | '.join(lines[-LAST_LINES:]) or 'none'}"
