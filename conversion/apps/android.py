"""The Android app's own code on this computer: its Kotlin classes, unmodified, over the real LiteRT library."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import samesight
from samesight.contract.bundle import Bundle
from samesight.contract.device_results import DEVICE_PARITY, DeviceParity
from samesight.contract.errors import SamesightError
from samesight.contract.manifest import Unit
from samesight.conversion.apps.device_results import read_device_parity

MAVEN = ("mvn", "-T1", "-B", "-ntp", "-Dkotlin.compiler.daemon=false")
COMPILE_HOST = (*MAVEN, "-q", "-DskipTests", "-pl", "host", "-am", "test-compile")
MAIN = "samesight.host.HostKt"
TOOLS = "install JDK 17 and Maven (Debian: openjdk-17-jdk-headless, maven)"
# The app's name for the device when it runs here.
THIS_COMPUTER = "this computer"
Progress = Callable[[int, int], None]


def run_android_app(bundle: Bundle, progress: Progress = lambda done, total: None) -> DeviceParity:
    """Build the app's Kotlin where it changed, and run its self-test on this computer's CPU.

    Raises:
        SamesightError: no JDK, no Maven, no sources beside the package, or the app's code fails.
    """
    app = find_app()
    build(app)
    with tempfile.TemporaryDirectory(prefix="samesight-") as folder:
        results = Path(folder) / DEVICE_PARITY
        run_host(app, bundle.folder, results, progress=progress)
        return read_device_parity(results, bundle)


def find_app() -> Path:
    """The folder `android_app` of the checkout that this package is installed from, or of the current folder."""
    for root in (Path(samesight.__file__).resolve().parents[2], Path.cwd()):
        if (root / "android_app" / "pom.xml").is_file():
            return root / "android_app"
    raise SamesightError("--apps: no folder android_app here; run it in a checkout of samesight")


def build(app: Path) -> None:
    """Compile the app's modules for this computer, unless nothing changed since the last time.

    Raises:
        SamesightError: the tools are missing, or the app does not compile.
    """
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise SamesightError(f"--apps: {tool} is not on the path; {TOOLS}")
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
    progress: Progress = lambda done, total: None,
) -> None:
    """Run the built self-test on a bundle, on these units; writes `results`.

    Raises:
        SamesightError: the app's code failed; the message is the last line of its standard error.
    """
    spec = importlib.util.find_spec("ai_edge_litert")
    if spec is None or spec.origin is None:
        raise SamesightError("--apps: needs ai-edge-litert, which is not installed; pip install ai-edge-litert")
    target = app / "host" / "target"
    classes = os.pathsep.join([str(target / "classes"), (target / "classpath").read_text()])
    library = f"-Djna.library.path={Path(spec.origin).parent}"
    command = ["java", library, "-cp", classes, MAIN, str(bundle), str(results)]
    command += [metadata.version("ai-edge-litert"), *units]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            match line.split(" ", 2):
                case [done, total, *_] if done.isdigit() and total.isdigit():
                    progress(int(done), int(total))
        stderr = process.stderr.read().strip()
    if process.returncode:
        raise SamesightError(stderr.splitlines()[-1] if stderr else f"{MAIN} ended with exit code {process.returncode}")
