"""Qualcomm's compiler and simulator for the NPU of Snapdragon chips, out of wheels of the public index."""

import os
import sys
from pathlib import Path

from samesight.conversion.environments import PYTHON
from samesight.conversion.setup import wheels
from samesight.conversion.setup.install import is_whole
from samesight.conversion.setup.interface import Found, Say, Setup, answer_of

# The libraries of QAIRT 2.50, the series that LiteRT 2.3's compiler was built with.
QNN = "onnxruntime-qnn==2.6.0"
SDK = "ai-edge-litert-sdk-qualcomm"
# Where LiteRT's compiler looks for them.
LIBRARIES = Path("ai_edge_litert_sdk_qualcomm", "data", "lib", "x86_64-linux-clang")
# LiteRT's compiler asks for it by name and uses nothing of it: it is for another processor than the NPU.
ABSENT, PRESENT = "libQnnLpai.so", "libQnnSystem.so"
NEEDED = ("libQnnHtp.so", "libHtpPrepare.so", "libQnnSystem.so", "libonnxruntime_providers_qnn.so")
LAUNCHER = """\
#!/bin/sh
# This installation's Python with Qualcomm's libraries.
here=$(cd "$(dirname "$0")" && pwd -P)
export LD_LIBRARY_PATH="$here/site/{libraries}" PYTHONPATH="$here/site:$PYTHONPATH"
exec "$SAMESIGHT_PYTHON" "$@"
"""
PROBE = "import onnxruntime_qnn, ai_edge_litert_sdk_qualcomm as sdk; print(bool(sdk.path_to_sdk_libs()))"


def _install(folder: Path, say: Say) -> None:
    say("Qualcomm's wheels")
    version = wheels.pinned(["ai-edge-litert"])[0].partition("==")[2]
    site = folder / "site"
    wheels.unpack_wheels(site, [QNN, f"{SDK}=={version}"])
    libraries = site / LIBRARIES
    libraries.mkdir(parents=True, exist_ok=True)
    for source in (site / "onnxruntime_qnn", site / "onnxruntime_qnn.libs"):
        for path in source.glob("*.so*"):
            (libraries / path.name).symlink_to(os.path.relpath(path, libraries))
    if not (libraries / ABSENT).exists():
        (libraries / ABSENT).symlink_to(PRESENT)
    (folder / "python").write_text(LAUNCHER.format(libraries=LIBRARIES.as_posix()))
    (folder / "python").chmod(0o755)


def _find(folder: Path) -> Found | None:
    """Only libraries that are there count: the SDK's package can be installed and be empty."""
    libraries = folder / "site" / LIBRARIES
    if not is_whole(folder) or not all((libraries / name).is_file() for name in NEEDED):
        return None
    environment = {**os.environ, PYTHON: sys.executable, "PYTHONPATH": ""}
    return Found(QNN, folder) if answer_of([folder / "python", "-c", PROBE], environment) == "True" else None


def _obstacle() -> str | None:
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return "Qualcomm's compiler and simulator are for Linux on x86-64"
    return None


SNAPDRAGON = Setup(
    name="snapdragon",
    title="Qualcomm's NPU compiler and simulator (QAIRT 2.50)",
    purpose="samesight convert --unit npu and verify --runner snapdragon",
    licences="Qualcomm AI Stack License (Qualcomm_LICENSE.pdf in the folder): for developing your own applications, "
    "not to be passed on",
    download_bytes=90_000_000,
    disk_bytes=245_000_000,
    source=lambda: f"{QNN} and {SDK} from pip's index",
    obstacle=_obstacle,
    find=_find,
    install=_install,
)
