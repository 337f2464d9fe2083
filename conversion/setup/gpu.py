"""A GPU in software: Mesa's Vulkan driver for the CPU, which runs the shaders of LiteRT's GPU accelerator."""

import json
import os
import sys
from pathlib import Path

from samesight.conversion.environments import PYTHON
from samesight.conversion.setup import debian
from samesight.conversion.setup.install import is_whole
from samesight.conversion.setup.interface import Found, Say, Setup, answer_of

# LiteRT asks for features that Mesa has from 23 on; built against a C library that most systems have or surpass.
RELEASE, BASE = "bookworm-backports", "bookworm"
PACKAGES = ("mesa-vulkan-drivers", "libvulkan1")
# The process that loads the driver has these already.
OWN = ("libc6", "libgcc-s1", "libstdc++6", "gcc-12-base")
DRIVER = Path("usr/share/vulkan/icd.d/lvp_icd.json")
LAUNCHER = """\
#!/bin/sh
# This installation's Python with Mesa's Vulkan driver for the CPU.
here=$(cd "$(dirname "$0")" && pwd -P)
export LD_LIBRARY_PATH="$here/libraries" VK_DRIVER_FILES="$here/driver.json" VK_ICD_FILENAMES="$here/driver.json"
export XDG_RUNTIME_DIR="${TMPDIR:-/tmp}" MESA_SHADER_CACHE_DISABLE=1
exec "$SAMESIGHT_PYTHON" "$@"
"""
ADAPTERS = "from samesight.conversion.runners.vulkan import adapters; print('; '.join(adapters()))"


def _install(folder: Path, say: Say) -> None:
    debian.unpack_packages(folder, RELEASE, PACKAGES, say, also=(BASE,), without=OWN)
    libraries = folder / "libraries"
    libraries.mkdir(exist_ok=True)
    for path in libraries.iterdir():
        path.unlink()
    for path in sorted((folder / "root" / "usr" / "lib").glob("*-linux-gnu*/*.so*")):
        (libraries / path.name).symlink_to(os.path.relpath(path, libraries))
    driver = json.loads((folder / "root" / DRIVER).read_text())
    driver["ICD"]["library_path"] = str(libraries / Path(driver["ICD"]["library_path"]).name)
    (folder / "driver.json").write_text(json.dumps(driver))
    (folder / "python").write_text(LAUNCHER)
    (folder / "python").chmod(0o755)


def _find(folder: Path) -> Found | None:
    if not is_whole(folder):
        return None
    adapters = answer_of([folder / "python", "-c", ADAPTERS], {**os.environ, PYTHON: sys.executable})
    return Found(adapters, folder) if adapters else None


def _source() -> str:
    return f"{debian.archive_address()} ({RELEASE}), the archive of this system's apt, which checks signatures"


GPU = Setup(
    name="gpu",
    title="Vulkan in software (Mesa's llvmpipe)",
    purpose="samesight verify --runner gpu",
    licences="Mesa: MIT; LLVM: Apache-2.0 with LLVM exception",
    download_bytes=59_000_000,
    disk_bytes=250_000_000,
    source=_source,
    obstacle=debian.obstacle_to_unpacking,
    find=_find,
    install=_install,
)
