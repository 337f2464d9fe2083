"""The iOS app's packages, built once for all tests and processes, by the Swift that is here."""

import os
import subprocess
import sys

import pytest
from filelock import FileLock

from samesight.conversion.setup.swift import find_toolchain
from support.swift_packages import BUILD, CONTRACT, run_swift

SETUP = ("setup", "swift")


@pytest.fixture(scope="session")
def swift():
    """The Swift on PATH, or the one that `samesight setup swift` installed; where CI is set, that is done now."""
    if found := find_toolchain():
        return found
    command = f"samesight {' '.join(SETUP)}"
    if not os.environ.get("CI"):
        pytest.skip(f"no Swift here; `{command}` installs one")
    made = subprocess.run([sys.executable, "-m", "samesight", *SETUP], capture_output=True, text=True, check=False)
    assert made.returncode == 0, f"{command} failed:\n{made.stderr}"
    return find_toolchain()


@pytest.fixture(scope="session")
def contract_package(swift, tmp_path_factory):
    """The folder of what `swift build` made of the package `Contract`, with its tests."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    log = root / "swift_contract.log"
    with FileLock(root / "swift_contract.lock"):
        if not log.exists():
            made = run_swift(swift, CONTRACT, "build", "--build-tests", *BUILD)
            log.write_text(f"{made.returncode}\n{made.stdout}\n{made.stderr}")
    code, text = log.read_text().split("\n", 1)
    assert code == "0", f"swift build in {CONTRACT} failed:\n{text[-5000:]}"
    return CONTRACT / ".build/release"


@pytest.fixture(scope="session")
def parity(swift, contract_package):
    """Runs a command of the Swift contract's parity program on lines of text; gives the lines that it prints."""

    def run(command, lines, folder):
        file = folder / f"{command}.jsonl"
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        made = run_swift(swift, CONTRACT, contract_package / "Parity", command, file)
        assert made.returncode == 0, made.stderr[-5000:]
        return made.stdout.split("\n")[:-1]

    return run
