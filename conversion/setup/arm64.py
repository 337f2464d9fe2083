"""An ARM processor in software: qemu, a small system of Debian's packages for arm64, and the runtimes' own builds.

qemu translates the program's instructions, so the kernels that run are those of a phone's CPU. Its speed is not.
"""

import shutil
from pathlib import Path

from samesight.conversion.setup import debian, wheels
from samesight.conversion.setup.install import is_whole
from samesight.conversion.setup.interface import Found, Say, Setup, answer_of

NAME = "arm64"
RELEASE = "trixie"
PYTHON = "3.13"
SYSTEM = ("base-files", "python3.13-minimal", "libpython3.13-stdlib", "libgomp1", "libstdc++6")
# What the runtimes and our own modules import, in the versions of this installation.
SHARED = (
    "numpy",
    "pillow",
    "pydantic",
    "pydantic-core",
    "annotated-types",
    "typing-extensions",
    "typing-inspection",
    "flatbuffers",
    "ai-edge-litert",
    "onnxruntime",
)
# ExecuTorch's own wheel for aarch64 needs a torch for CUDA; this one is its runtime with XNNPACK alone.
EXECUTORCH = "executorch-numpy-runtime==1.4.0"
# With dot products (2018), and with 8-bit matrix products (2021).
PROCESSORS = ("cortex-a76", "cortex-a710")
# Runtimes ask the system for the processor; they would read this computer's, and some die of what they find.
CPUINFO = """\
processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 0

"""
LAUNCHER = """\
#!/bin/sh
# Python for arm64 on an emulated {processor}; what is not in `system` beside this file is read from this computer.
here=$(cd "$(dirname "$0")" && pwd -P)
exec "$here/qemu-aarch64" -cpu {processor} -L "$here/system" -E PYTHONPATH="$here/site:$PYTHONPATH" \\
    "$here/system/usr/bin/python{python}" "$@"
"""


def _install(folder: Path, say: Say) -> None:
    debian.unpack_packages(folder / "qemu", RELEASE, ["qemu-user"], say)
    shutil.copy(folder / "qemu" / "root" / "usr" / "bin" / "qemu-aarch64", folder / "qemu-aarch64")
    shutil.rmtree(folder / "qemu")
    debian.unpack_packages(folder, RELEASE, SYSTEM, say, architecture="arm64")
    shutil.rmtree(folder / "system", ignore_errors=True)
    (folder / "root").rename(folder / "system")
    (folder / "system" / "proc").mkdir(exist_ok=True)
    (folder / "system" / "proc" / "cpuinfo").write_text(CPUINFO)
    say("Python packages for aarch64")
    wheels.unpack_wheels(folder / "site", [*wheels.pinned(SHARED), EXECUTORCH], PYTHON, "aarch64")
    for processor in PROCESSORS:
        path = folder / f"python-{processor}"
        path.write_text(LAUNCHER.format(processor=processor, python=PYTHON))
        path.chmod(0o755)


def _find(folder: Path) -> Found | None:
    """Only what runs counts: each processor, and the three runtimes."""
    if not (folder / "site").is_dir():
        return None
    for processor in PROCESSORS:
        command = [str(folder / f"python-{processor}"), "-c", "import platform; print(platform.machine())"]
        if answer_of(command) != "aarch64":
            return None
    told = answer_of([str(folder / "qemu-aarch64"), "--version"]) or ""
    return Found(told.partition("\n")[0].removeprefix("qemu-aarch64 version "), folder)


def _found(folder: Path) -> Found | None:
    return _find(folder) if is_whole(folder) else None


def _source() -> str:
    return f"{debian.archive_address()} ({RELEASE}), whose signatures apt checks; Python packages from pip's index"


ARM64 = Setup(
    name=NAME,
    title="ARM64 in software (qemu 10, Debian's Python for arm64, LiteRT, ONNX Runtime and ExecuTorch)",
    purpose="samesight verify --runner arm64",
    licences="qemu: GPL-2.0; Python: PSF; LiteRT: Apache-2.0; ONNX Runtime: MIT; ExecuTorch: BSD-3-Clause",
    download_bytes=140_000_000,
    disk_bytes=270_000_000,
    source=_source,
    obstacle=debian.obstacle_to_unpacking,
    find=_found,
    install=_install,
)
