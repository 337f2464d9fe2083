"""The Android app's Maven reactor, built and tested once for all tests and processes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from samesight.conversion.apps.android import MAVEN, TOOLS

APP = Path(__file__).parents[2] / "android_app"
TEST = (*MAVEN, "test")


def _require_tools():
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if not missing:
        return
    reason = f"no {' and no '.join(missing)}: {TOOLS}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def reactor(tmp_path_factory):
    """The folder `android_app` after `mvn test`: all its Kotlin compiles without warnings and its tests pass."""
    _require_tools()
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    log = root / "reactor.log"
    with FileLock(root / "reactor.lock"):
        if not log.exists():
            made = subprocess.run(TEST, cwd=APP, capture_output=True, text=True, check=False)
            log.write_text(f"{made.returncode}\n{made.stdout}\n{made.stderr}")
    code, text = log.read_text().split("\n", 1)
    assert code == "0", f"{' '.join(TEST)} in {APP} failed:\n{text[-5000:]}"
    return APP


@pytest.fixture(scope="session")
def parity(reactor):
    """Runs a command of the Kotlin contract's parity program on lines of text; gives the lines that it prints.

    More words are options of Java, such as where the library in C is; without them all is computed in Kotlin.
    """
    target = reactor / "contract" / "target"
    classes = [str(target / "classes"), str(target / "test-classes"), (target / "classpath").read_text()]
    program = ["-cp", os.pathsep.join(classes), "samesight.contract.ParityKt"]

    def run(command, lines, folder, *options):
        file = folder / f"{command}.jsonl"
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        made = subprocess.run(
            ["java", *options, *program, command, file], capture_output=True, encoding="utf-8", check=False
        )
        assert made.returncode == 0, made.stderr[-5000:]
        return made.stdout.split("\n")[:-1]

    return run
