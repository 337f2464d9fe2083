"""How the iOS app's packages are built and run in tests."""

import subprocess

from support.swift_format import APP

CONTRACT = APP / "Packages/Contract"
# One build for tests and programs: optimized as an app is, a warning is an error.
BUILD = ("-c", "release", "-Xswiftc", "-enable-testing", "-Xswiftc", "-warnings-as-errors")


def run_swift(swift, package, *arguments):
    """Run `swift`, or a program that it built, in the folder of a package."""
    return subprocess.run(swift.command(*arguments), cwd=package, capture_output=True, encoding="utf-8", check=False)
