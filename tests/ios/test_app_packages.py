"""The iOS app's Swift on Linux: all packages compile without a warning, and their tests pass."""

import os
import re
import subprocess
from pathlib import Path

from samesight.conversion.apps.host import litert_library
from samesight.conversion.apps.ios import build_options

APP = Path(__file__).parents[2] / "ios_app"


def run(swift, *arguments, folder=APP):
    environment = {**os.environ, "LD_LIBRARY_PATH": str(litert_library())}
    command = swift.command(*arguments)
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False, env=environment)


def test_all_packages_compile_without_a_warning_and_their_tests_pass(swift):
    made = run(swift, "test", *build_options(), folder=APP / "Packages")
    told = made.stdout + made.stderr
    assert made.returncode == 0, told[-5000:]
    (count,) = re.findall(r"Test run with (\d+) tests passed", told)
    tests = [path for path in APP.glob("Packages/*/Tests/*/*.swift") if "Contract" not in path.parts]
    written = sum(path.read_text().count("@Test") for path in tests)
    assert int(count) == written > 100
