"""Packages of a Debian release, unpacked into a folder of their own: the system and its package lists stay as they are.

apt itself resolves, fetches and checks: the release's signature with Debian's keyring, and by it the hash of every
package. The archive is the one that this system's own sources name.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.conversion.setup.interface import Say

APT = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Names under which an archive has Debian's releases; a third party's archive has others.
RELEASES = {"stable", "oldstable", "testing", "unstable", "sid", "bullseye", "bookworm", "trixie", "forky"}
UNPACKING = ("apt-get", "apt-config", "dpkg-deb")
# What makes a folder a root (util-linux, coreutils).
ENTERING = ("unshare", "mount", "chroot")


def archive_address(apt: Path = APT) -> str:
    """The Debian archive that this system's apt uses, or `SAMESIGHT_DEBIAN`.

    Raises:
        SamesightError: the sources name none.
    """
    if configured := os.environ.get("SAMESIGHT_DEBIAN"):
        return configured
    for address, suites in _sources(apt):
        if RELEASES.intersection(suites):
            return address
    raise SamesightError(
        f"{apt}: its sources name no archive of Debian; give the address of one in the variable SAMESIGHT_DEBIAN"
    )


def _sources(apt: Path) -> Iterator[tuple[str, list[str]]]:
    """(address, suites) of every source that is switched on (man sources.list)."""
    for path in sorted(apt.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text(errors="replace")):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+.*)*)", stanza, re.MULTILINE))
            named = {name.lower(): value.split() for name, value in fields.items()}
            if "deb" in named.get("types", ()) and named.get("enabled") != ["no"] and named.get("uris"):
                yield named["uris"][0], named.get("suites", [])
    for path in [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))]:
        if path.is_file():
            for line in path.read_text(errors="replace").splitlines():
                if found := re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", line):
                    yield found[1], [found[2]]


def obstacle_to_unpacking() -> str | None:
    """Why packages cannot be fetched and unpacked here, with what to do; None where they can."""
    missing = [command for command in UNPACKING if shutil.which(command) is None]
    if missing:
        return f"no {' and no '.join(missing)} here, and this needs a Linux with apt (Debian, Ubuntu)"
    if not KEYRING.is_file():
        return f"{KEYRING}: missing, and Debian's packages are checked with it; install debian-archive-keyring"
    return None


def obstacle() -> str | None:
    """Why packages cannot be unpacked and used as a root here, with what to do; None where they can."""
    if cause := obstacle_to_unpacking():
        return cause
    missing = [command for command in ENTERING if shutil.which(command) is None]
    if missing:
        return f"no {' and no '.join(missing)} here; install util-linux and coreutils"
    tried = subprocess.run(["unshare", *_as_root(), "--mount", "true"], capture_output=True, check=False)
    if tried.returncode:
        return "this user may not mount and change the root (unshare, chroot); run it as root"
    return None


def _as_root() -> tuple[str, ...]:
    return () if os.geteuid() == 0 else ("--map-root-user",)


def unpack_packages(
    folder: Path,
    release: str,
    packages: Sequence[str],
    say: Say,
    *,
    also: Sequence[str] = (),
    architecture: str | None = None,
    without: Sequence[str] = (),
) -> list[str]:
    """Fetch packages with all that they depend on into `folder/apt`, and unpack them into `folder/root`.

    What an interrupted call has fetched is used again; `root` is made anew.

    Args:
        folder: where both are made.
        release: the suite whose packages are preferred.
        packages: their names.
        say: takes lines of progress.
        also: further suites, for what `release` lacks.
        architecture: Debian's name of another processor than this one ("arm64").
        without: names of packages that are not unpacked, because this system's are used.

    Returns:
        The packages' file names.

    Raises:
        SamesightError: the archive is not reached, a signature or hash is wrong, or the disk is full.
    """
    apt, root = folder / "apt", folder / "root"
    settings = _settings(apt, [release, *also], architecture)
    _apt(settings, "update")
    files = _listed(settings, apt, packages)
    total = sum(files.values())
    say(f"{len(files)} packages of Debian {release}, {total / 1e6:.0f} MB")
    _apt(settings, "--yes", "--download-only", "install", *packages)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    # base-files has the links from /bin and /lib into /usr, on which the others rely.
    wanted = [name for name in files if name.partition("_")[0] not in without]
    for number, name in enumerate(sorted(wanted, key=lambda name: (not name.startswith("base-files_"), name))):
        if number % 40 == 0:
            say(f"unpacking {number + 1} of {len(wanted)}")
        _run(["dpkg-deb", "--extract", apt / "archives" / name, root], None)
    shutil.rmtree(apt, ignore_errors=True)
    return sorted(wanted)


def _settings(apt: Path, releases: Sequence[str], architecture: str | None) -> Path:
    """Settings of an apt with a state of its own; how the system reaches archives (proxies, passwords) is kept."""
    for place in ("lists/partial", "archives/partial", "none/partial"):
        (apt / place).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    lines = [f"deb [signed-by={KEYRING}] {archive_address()} {release} main\n" for release in releases]
    (apt / "sources.list").write_text("".join(lines))
    # Not which lists: other programs have theirs fetched as well.
    acquire = re.findall(r"^Acquire::(?!IndexTargets).+", _run(["apt-config", "dump"], None), re.MULTILINE)
    own = {
        "Dir::State": apt,
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::main": "-",
        "Dir::Etc::parts": "-",
        "Dir::Etc::preferences": "-",
        "Dir::Etc::preferencesparts": "-",
        "Acquire::Languages": "none",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "APT::Default-Release": releases[0],
    }
    if architecture:
        own |= {"APT::Architecture": architecture, "APT::Architectures::": architecture}
    settings = apt / "apt.conf"
    settings.write_text("\n".join([*acquire, *(f'{name} "{value}";' for name, value in own.items()), ""]))
    return settings


def _listed(settings: Path, apt: Path, packages: Sequence[str]) -> dict[str, int]:
    """File name and bytes of every package that is needed, whether it was fetched already or not."""
    nothing = f"Dir::Cache::archives={apt / 'none'}"
    text = _apt(settings, "-qq", "-o", nothing, "--print-uris", "install", *packages)
    return {name: int(size) for name, size in re.findall(r"^'[^']+' (\S+\.deb) (\d+)", text, re.MULTILINE)}


def _apt(settings: Path, *arguments: str) -> str:
    return _run(["apt-get", *arguments], {**os.environ, "APT_CONFIG": str(settings), "LC_ALL": "C"})


def _run(command: Sequence[str | Path], environment: dict[str, str] | None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        told = next((line for line in lines if line.startswith("E: ")), lines[-1] if lines else "no message")
        raise SamesightError(f"{Path(command[0]).name} failed: {told.removeprefix('E: ')}; try again")
    return done.stdout


LAUNCHER = """\
#!/bin/sh
# Runs a command of the packages in the folder `root` beside this file: in a root of their own, with this system's other
# folders where they are. What is mounted for that is seen by the command alone and ends with it.
set -eu
root=$(cd "$(dirname "$0")" && pwd -P)/root
if [ "$(id -u)" = 0 ]; then user=; else user=--map-root-user; fi
exec unshare $user --mount --propagation private -- /bin/sh -eu -c '
    root=$1
    shift
    here=$(pwd -P)
    for folder in /*; do
        case $folder in /bin | /boot | /etc | /lib* | /sbin | /usr) continue ;; esac
        if [ -L "$folder" ] || [ ! -d "$folder" ]; then continue; fi
        mkdir -p "$root$folder"
        mount --rbind "$folder" "$root$folder"
    done
    if [ ! -d "$root$here" ]; then
        mkdir -p "$root$here"
        mount --rbind "$here" "$root$here"
    fi
    exec chroot "$root" /usr/bin/env -C "$here" PATH=@PATH@ LANG=C.UTF-8 "$@"
' sh "$root" "$@"
"""


def write_launcher(path: Path, search_path: str) -> None:
    """An executable that runs its arguments among the packages unpacked in `root` beside it."""
    path.write_text(LAUNCHER.replace("@PATH@", search_path))
    path.chmod(0o755)
