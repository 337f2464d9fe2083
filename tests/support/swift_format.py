"""`swift format` over the iOS app, where a Swift is here: `swift_format.py [--fix]`."""

import subprocess
import sys
from pathlib import Path

from samesight.conversion.setup.swift import Toolchain, find_toolchain

APP = Path(__file__).parents[2] / "ios_app"


def sources() -> list[Path]:
    """All Swift of ours; what a build has made is not."""
    return [path for path in sorted(APP.rglob("*.swift")) if ".build" not in path.parts]


def command(swift: Toolchain, fix: bool, paths: list[Path]) -> list[str]:
    """The command that checks files, or puts them right in place."""
    what = ("format", "--in-place") if fix else ("lint", "--strict")
    return swift.command("format", *what, "--configuration", APP / ".swift-format", *paths)


if __name__ == "__main__":
    found = find_toolchain()
    if found is None:
        print("no Swift here, so ios_app's style is not checked; `samesight setup swift` installs one")
        sys.exit()
    sys.exit(subprocess.run(command(found, "--fix" in sys.argv, sources()), check=False).returncode)
