"""The iOS app's packages by themselves: their own tests, their style, and what they may import."""

import re
import subprocess

from support.swift_format import APP, command, sources
from support.swift_packages import BUILD, CONTRACT, run_swift

# What every system with Swift has; CryptoKit stands behind `#if canImport`, and its place is filled on Linux.
IMPORTS = {"Foundation", "CryptoKit"}


def test_the_contracts_own_tests_pass(swift, contract_package):
    done = run_swift(swift, CONTRACT, "test", "--skip-build", *BUILD)
    assert done.returncode == 0, done.stdout[-5000:]
    count = re.search(r"Test run with (\d+) tests passed", done.stdout + done.stderr)
    assert count and int(count[1]) > 40


def test_the_benchmark_runs_every_job(swift, contract_package):
    done = run_swift(swift, CONTRACT, contract_package / "Benchmark", "1")
    names = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(names) == 9 and names[-1] == "suppression of 3000 boxes (206 stay)"


def lint(swift, paths):
    return subprocess.run(command(swift, False, paths), capture_output=True, encoding="utf-8", check=False)


def test_every_file_has_the_style_of_swift_format(swift):
    done = lint(swift, sources())
    assert done.returncode == 0, done.stderr


def test_a_file_of_another_style_would_be_found(swift, tmp_path):
    (tmp_path / "Odd.swift").write_text("let  x=1 ;\n")
    assert lint(swift, [tmp_path / "Odd.swift"]).returncode == 1


def test_the_contract_imports_foundation_alone():
    found = set()
    for path in (CONTRACT / "Sources/Contract").glob("*.swift"):
        found |= set(re.findall(r"^\s*import (\w+)", path.read_text(), re.MULTILINE))
    assert found == IMPORTS


def test_files_mirror_kotlins():
    """Same names, but for what each language has to write itself, and what Swift's own types are called."""
    kotlin = APP.parent / "android_app/contract/src/main/kotlin/samesight/contract"
    ours = {path.stem for path in (APP / "Packages/Contract/Sources/Contract").glob("*.swift")}
    assert ours - {path.stem for path in kotlin.glob("*.kt")} == {"Buffer", "Ecdsa", "Inflate", "Json", "Sha256"}
    # Kotlin has its work on several threads, and its C kernel, in files of their own.
    assert {path.stem for path in kotlin.glob("*.kt")} - ours == {"Helpers", "Native"}
