"""Swift on Linux: one on PATH, or that of Debian's packages in a folder of its own."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from samesight.conversion.setup import debian
from samesight.conversion.setup.install import find, is_whole
from samesight.conversion.setup.interface import Found, Say, Setup, answer_of

RELEASE = "trixie"
# The compiler with SwiftPM, XCTest, swift-testing and swift-format, and what it links and calls.
PACKAGES = (
    "swiftlang",
    "swiftlang-dev",
    "libstdc++-14-dev",
    "libc6-dev",
    "base-files",
    "bash",
    "dash",
    "coreutils",
    "git",
    "ca-certificates",
    "tzdata",
)
SEARCH_PATH = "/usr/libexec/swift/bin:/usr/bin"
LAUNCHER = "inside"
OLDEST = (6, 0)


@dataclass(frozen=True)
class Toolchain:
    """A Swift that runs here; `prefix` begins every command of it, and of the programs that it builds."""

    version: str
    prefix: tuple[str, ...]

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line of `swift` with these arguments, or of another program where the first is a path."""
        first, *rest = map(str, arguments)
        program = [first, *rest] if "/" in first else ["swift", first, *rest]
        return [*self.prefix, *program]


def find_toolchain(root: Path | None = None) -> Toolchain | None:
    """The Swift on PATH if it is 6.0 or newer, else the installed one; None where there is neither."""
    found = find(SWIFT, root)
    if found is None:
        return None
    return Toolchain(found.version, (str(found.where),) if found.where.name == LAUNCHER else ())


def _find(folder: Path) -> Found | None:
    on_path = shutil.which("swift")
    version = _version([on_path]) if on_path else None
    if on_path and version:
        return Found(version, Path(on_path))
    launcher = folder / LAUNCHER
    version = _version([str(launcher), "swift"]) if is_whole(folder) and launcher.is_file() else None
    return Found(version, launcher) if version else None


def _version(command: list[str]) -> str | None:
    """The version that a Swift tells; None where it does not run or is older than 6.0."""
    told = answer_of([*command, "--version"])
    number = re.search(r"Swift version (\d+)\.(\d+)(\.\d+)?", told) if told else None
    if not number or (int(number[1]), int(number[2])) < OLDEST:
        return None
    return number[0].removeprefix("Swift version ")


def _source() -> str:
    return (
        f"{debian.archive_address()} ({RELEASE}), the archive of this system's apt, which checks signatures and hashes"
    )


def _obstacle() -> str | None:
    cause = debian.obstacle()
    return f"{cause}; or put a Swift 6 of your own on PATH (swift.org has them)" if cause else None


def _install(folder: Path, say: Say) -> None:
    debian.unpack_packages(folder, RELEASE, PACKAGES, say)
    debian.write_launcher(folder / LAUNCHER, SEARCH_PATH)


SWIFT = Setup(
    name="swift",
    title="Swift 6.0.3",
    purpose="the tests of ios_app on Linux",
    licences="Apache-2.0 with Runtime Library Exception; each package's own in its usr/share/doc",
    download_bytes=590_000_000,
    disk_bytes=2_700_000_000,
    source=_source,
    obstacle=_obstacle,
    find=_find,
    install=_install,
)
