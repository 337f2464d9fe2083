"""The Android app's own code on this computer: its Kotlin classes, unmodified, over the real LiteRT library."""

import os
import shutil
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

MAVEN = ("mvn", "-T1", "-B", "-ntp", "-Dkotlin.compiler.daemon=false")
COMPILE_HOST = (*MAVEN, "-q", "-DskipTests", "-pl", "host", "-am", "test-compile")
MAIN = "samesight.host.HostKt"
TOOLS = "install JDK 17 and Maven (Debian: openjdk-17-jdk-headless, maven)"


def missing_tools() -> str | None:
    """Why the app's code cannot be built here, and what to do; None where it can."""
    missing = next((tool for tool in ("java", "mvn") if shutil.which(tool) is None), None)
    return f"{missing} is not on the path; {TOOLS}" if missing else None


def run_android_app(bundle: Bundle, progress: Progress = no_progress) -> DeviceParity:
    """Build the app's Kotlin where it changed, and run its self-test on this computer's CPU.

    Raises:
        SamesightError: no JDK, no Maven, no sources beside the package, or the app's code fails.
    """
    app = find_app("android_app", "pom.xml")
    build(app)
    with tempfile.TemporaryDirectory(prefix="samesight-") as folder:
        results = Path(folder) / DEVICE_PARITY
        run_host(app, bundle.folder, results, progress=progress)
        return read_device_parity(results, bundle)


def build(app: Path) -> None:
    """Compile the app's modules for this computer, unless nothing changed since the last time.

    Raises:
        SamesightError: the tools are missing, or the app does not compile.
    """
    if missing := missing_tools():
        raise SamesightError(f"--apps: {missing}")
    stamp = app / "host" / "target" / "classpath"
    sources = [path for kind in ("*.kt", "pom.xml") for path in app.rglob(kind)]
    if stamp.exists() and stamp.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return
    completed = subprocess.run(COMPILE_HOST, cwd=app, capture_output=True, text=True, check=False)
    if completed.returncode:
        problem = next((line for line in completed.stdout.splitlines() if "ERROR" in line), completed.stderr.strip())
        raise SamesightError(f"{app}: does not compile: {problem}; run `mvn test` there to see all")


def run_host(
    app: Path,
    bundle: Path,
    results: Path,
    units: Sequence[Unit] = ("cpu",),
    progress: Progress = no_progress,
) -> None:
    """Run the built self-test on a bundle, on these units; writes `results`.

    Raises:
        SamesightError: the app's code failed; the message is the last line of its standard error.
    """
    target = app / "host" / "target"
    classes = os.pathsep.join([str(target / "classes"), (target / "classpath").read_text()])
    library = f"-Djna.library.path={litert_library()}"
    command = ["java", library, "-cp", classes, MAIN, str(bundle), str(results), litert_version(), *units]
    run_self_test(command, MAIN, progress)
