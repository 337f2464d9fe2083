"""TensorFlow with onnx-tf and with onnx2tf: two Python 3.11 environments from lists of names and versions.

They hold other versions of the same libraries, so neither shares this installation's packages or the other's.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.conversion.environments import pins_of
from samesight.conversion.setup import wheels
from samesight.conversion.setup.install import is_whole
from samesight.conversion.setup.interface import Found, Say, Setup, answer_of

NAME = "classic"
PYTHON = (3, 11)
# What our own modules import, in the versions of this installation.
SHARED = ("pydantic", "pydantic-core", "annotated-types", "typing-inspection", "pillow")
LAUNCHER = """\
#!/bin/sh
# A Python of its own, on the CPU; its programs come first because onnx2tf starts some by name.
here=$(cd "$(dirname "$0")" && pwd -P)
export PATH="$here/{name}/bin:$PATH" PYTHONNOUSERSITE=1 CUDA_VISIBLE_DEVICES= TF_CPP_MIN_LOG_LEVEL=3
exec "$here/{name}/bin/python" "$@"
"""


@dataclass(frozen=True)
class Contents:
    """One of the environments: `modules` are imported after it was made, `versions` are asked for later."""

    name: str
    modules: tuple[str, ...]
    versions: tuple[str, ...]


ENVIRONMENTS = (
    Contents("onnx-tf", ("onnx_tf.backend", "tensorflow", "pydantic"), ("onnx-tf", "tensorflow-cpu")),
    Contents("onnx2tf", ("onnx2tf", "tensorflow", "pydantic"), ("onnx2tf", "tensorflow")),
)


def find_python(path: str | None = None) -> str | None:
    """A Python 3.11: this one, or `python3.11` on `path` (by default PATH); None without one."""
    if sys.version_info[:2] == PYTHON:
        return sys.executable
    found = shutil.which("python" + ".".join(map(str, PYTHON)), path=path)
    return found if found and answer_of([found, "-c", "import venv"]) is not None else None


def _obstacle() -> str | None:
    if find_python() is None:
        return (
            f"onnx-tf and its TensorFlow need Python 3.11, this is {sys.version_info.major}.{sys.version_info.minor}; "
            "install Python 3.11 with venv, so that `python3.11` is on PATH"
        )
    return None


def _install(folder: Path, say: Say) -> None:
    python = find_python()
    assert python is not None
    for contents in ENVIRONMENTS:
        environment = folder / contents.name
        shutil.rmtree(environment, ignore_errors=True)
        say(f"{contents.name}: {len(pins_of(contents.name))} packages")
        _run([python, "-m", "venv", "--without-pip", str(environment)], "a Python environment cannot be made")
        requirements = [*pins_of(contents.name), *wheels.pinned(SHARED)]
        _run([*wheels.installer_into(environment / "bin" / "python"), "--no-deps", *requirements], wheels.NOT_FETCHED)
        launcher = folder / f"python-{contents.name}"
        launcher.write_text(LAUNCHER.format(name=contents.name))
        launcher.chmod(0o755)
        say(f"{contents.name}: trying it")
        _run([str(launcher), "-c", f"import {', '.join(contents.modules)}"], f"{contents.name} does not run here")


def _run(command: list[str], problem: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise SamesightError(f"{problem} ({wheels.complaint(done.stderr)}); look at the network and disk and try again")


def _find(folder: Path) -> Found | None:
    """Each environment's interpreter is run; importing TensorFlow would take seconds, so its version is asked for."""
    if not is_whole(folder):
        return None
    told = []
    for contents in ENVIRONMENTS:
        probe = f"from importlib.metadata import version; print(*map(version, {contents.versions!r}))"
        answer = answer_of([folder / f"python-{contents.name}", "-P", "-c", probe])
        if answer is None:
            return None
        told += [f"{name} {version}" for name, version in zip(contents.versions, answer.split(), strict=True)]
    return Found(", ".join(told), folder)


CLASSIC = Setup(
    name=NAME,
    title="TensorFlow 2.15 with onnx-tf and TensorFlow 2.19 with onnx2tf, for Python 3.11",
    purpose="samesight convert --via onnx-tf or onnx2tf",
    licences="TensorFlow, onnx-tf, ONNX: Apache-2.0; onnx2tf, ONNX Runtime: MIT; each package's own in its dist-info",
    download_bytes=1_100_000_000,
    disk_bytes=4_000_000_000,
    source=lambda: "pip's index, by the lists of versions in conversion/setup/pins",
    obstacle=_obstacle,
    find=_find,
    install=_install,
)
