"""The iOS app's own code on this computer: its Swift packages, unmodified, over the real LiteRT library."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from samesight.contract.bundle import Bundle
from samesight.contract.device_results import DEVICE_PARITY, DeviceParity
from samesight.contract.errors import SamesightError
from samesight.contract.manifest import Unit
from samesight.conversion.apps.device_results import read_device_parity
from samesight.conversion.apps.host import (
    Progress,
    find_app,
    litert_library,
    litert_version,
    no_progress,
    run_self_test,
)
from samesight.conversion.setup.swift import Toolchain, find_toolchain

# All of the app's packages as one; `tests/ios` builds it with the same options, so that both share what was compiled.
PACKAGE = "Packages"
BUILD = ("-c", "release", "-Xswiftc", "-enable-testing", "-Xswiftc", "-warnings-as-errors")
HOST = "Host"
TOOLS = "`samesight setup swift` installs one"


def missing_tools() -> str | None:
    """Why the app's code cannot be built here, and what to do; None where it can."""
    return None if find_toolchain() else f"no Swift 6 here; {TOOLS}"


def run_ios_app(bundle: Bundle, progress: Progress = no_progress) -> DeviceParity:
    """Build the app's Swift where it changed, and run its self-test on this computer's CPU.

    Raises:
        SamesightError: no Swift, no sources beside the package, or the app's code fails.
    """
    app = find_app("ios_app", PACKAGE)
    swift = build(app)
    with tempfile.TemporaryDirectory(prefix="samesight-") as folder:
        results = Path(folder) / DEVICE_PARITY
        run_host(app, swift, bundle.folder, results, progress=progress)
        return read_device_parity(results, bundle)


def build(app: Path) -> Toolchain:
    """Compile the app's packages for this computer where they changed; the Swift that did.

    Raises:
        SamesightError: no Swift, or the app does not compile.
    """
    swift = find_toolchain()
    if swift is None:
        raise SamesightError(f"--apps: no Swift 6 here; {TOOLS}")
    command = swift.command("build", "--product", HOST, *build_options())
    made = subprocess.run(command, cwd=app / PACKAGE, capture_output=True, encoding="utf-8", check=False)
    if made.returncode:
        lines = [line.strip() for line in (made.stdout + made.stderr).splitlines() if line.strip()]
        problem = next((line for line in lines if "error:" in line), lines[-1] if lines else "no message")
        raise SamesightError(f"{app}: does not compile: {problem}; run `swift build` in {app / PACKAGE} to see all")
    return swift


def build_options() -> list[str]:
    """What `swift build` and `swift test` are given; the warnings of our code are errors."""
    return [*BUILD, "-Xlinker", f"-L{litert_library()}"]


def run_host(
    app: Path,
    swift: Toolchain,
    bundle: Path,
    results: Path,
    units: Sequence[Unit] = ("cpu",),
    progress: Progress = no_progress,
) -> None:
    """Run the built self-test on a bundle, on these units; writes `results`.

    Raises:
        SamesightError: the app's code failed; the message is the last line of its standard error.
    """
    program = app / PACKAGE / ".build/release" / HOST
    arguments = (bundle.resolve(), results.resolve(), litert_version(), *units)
    command = swift.command(program, *arguments)
    run_self_test(command, HOST, progress, {"LD_LIBRARY_PATH": str(litert_library())})
