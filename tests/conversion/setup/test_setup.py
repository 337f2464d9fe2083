"""Setting a tool up: said first, done once, taken up again after an interruption; with an apt that is made up."""

import json
import stat
import subprocess
import sys

import pytest

from samesight.contract.errors import SamesightError
from samesight.conversion.setup import debian
from samesight.conversion.setup.install import find, install
from samesight.conversion.setup.swift import SWIFT, find_toolchain
from samesight.conversion.setup.table import SETUPS

VERSION = "Swift version 6.0.3 (swift-6.0.3-RELEASE)"
# Writes what it was asked for into a log and knows three packages. While a file `broken` is there one of them cannot be
# unpacked, and while a file `unsigned` is there the release has no signature.
APT_GET = """\
#!/bin/sh
echo "apt-get $*" >> "@/log"
archives=$(dirname "$APT_CONFIG")/archives
names="base-files_1 swiftlang_6 bash_5"
case "$*" in
    update) [ ! -e "@/unsigned" ] || { echo "W: odd" >&2; echo "E: The repository is not signed." >&2; exit 100; } ;;
    *--print-uris*) for name in $names; do echo "'http://x/$name.deb' $name.deb 10 MD5Sum:0"; done ;;
    *--download-only*) for name in $names; do echo "$name" > "$archives/$name.deb"; done ;;
esac
"""
DPKG_DEB = """\
#!/bin/sh
echo "dpkg-deb $(basename "$2")" >> "@/log"
[ ! -e "@/broken" ] || case "$2" in *swiftlang*) echo "dpkg-deb: error: unexpected end of file" >&2; exit 2 ;; esac
mkdir -p "$3/usr"
cp "$2" "$3/usr"
"""
APT_CONFIG = """\
#!/bin/sh
echo 'Acquire::http::Proxy "http://proxy:1";'
echo 'Acquire::IndexTargets::deb::Other "x";'
echo 'APT::Update::Post-Invoke:: "touch /never";'
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A system with made-up tools alone: gives their folder, with the log of what was called."""
    folder = tmp_path / "fake"
    folder.mkdir()
    says = f"#!/bin/sh\nfor last; do :; done\n[ \"$last\" != --version ] || echo '{VERSION}'\n"
    tools = {"apt-get": APT_GET, "dpkg-deb": DPKG_DEB, "apt-config": APT_CONFIG, "unshare": says}
    for name, text in tools.items():
        write_tool(folder / name, text.replace("@", str(folder)))
    for name in ("mount", "chroot"):
        write_tool(folder / name, "#!/bin/sh\nexit 1\n")
    (folder / "log").touch()
    (folder / "keys").touch()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("SAMESIGHT_DEBIAN", "http://archive/debian")
    monkeypatch.setattr(debian, "KEYRING", folder / "keys")
    return folder


def write_tool(path, text):
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def calls(fake):
    return (fake / "log").read_text().splitlines()


def test_it_is_installed_once_and_found_from_then_on(fake, tmp_path):
    assert find_toolchain(tmp_path) is None
    said = []
    found = install(SWIFT, said.append, tmp_path)
    assert said[0] == "3 packages of Debian trixie, 0 MB"
    assert (found.version, found.where) == ("6.0.3", tmp_path / "swift/inside")
    assert [call for call in calls(fake) if call.startswith("dpkg")] == [
        "dpkg-deb base-files_1.deb",
        "dpkg-deb bash_5.deb",
        "dpkg-deb swiftlang_6.deb",
    ]
    before = calls(fake)
    assert install(SWIFT, said.append, tmp_path) == found and calls(fake) == before
    assert sorted(path.name for path in (tmp_path / "swift").iterdir()) == ["inside", "installed", "root"]
    toolchain = find_toolchain(tmp_path)
    assert toolchain.command("build", "-c", "release") == [str(found.where), "swift", "build", "-c", "release"]
    assert toolchain.command("/x/program", "1") == [str(found.where), "/x/program", "1"]


def test_apt_works_on_a_state_of_its_own_and_reaches_archives_as_the_system_does(fake, tmp_path):
    (tmp_path / "apt").mkdir()
    text = debian._settings(tmp_path / "apt", ["trixie"], None).read_text()
    assert 'Acquire::http::Proxy "http://proxy:1";' in text
    # Hooks of the system's apt would work on the system's files.
    assert "Post-Invoke" not in text and "IndexTargets" not in text
    source = (tmp_path / "apt/sources.list").read_text()
    assert source == f"deb [signed-by={fake / 'keys'}] http://archive/debian trixie main\n"
    for place in ("Dir::State", "Dir::State::status", "Dir::Cache", "Dir::Etc::sourcelist"):
        assert f'{place} "{tmp_path}/apt' in text


def test_packages_of_two_suites_and_of_another_processor_are_asked_for_by_settings_alone(fake, tmp_path):
    (tmp_path / "apt").mkdir()
    text = debian._settings(tmp_path / "apt", ["bookworm-backports", "bookworm"], "arm64").read_text()
    assert 'APT::Architecture "arm64";' in text and 'APT::Default-Release "bookworm-backports";' in text
    lines = (tmp_path / "apt/sources.list").read_text().splitlines()
    assert [line.split()[-2] for line in lines] == ["bookworm-backports", "bookworm"]


def test_an_interrupted_installation_counts_as_none_and_goes_on(fake, tmp_path):
    (fake / "broken").touch()
    with pytest.raises(SamesightError, match=r"^dpkg-deb failed: .*unexpected end of file; try again$"):
        install(SWIFT, print, tmp_path)
    assert find(SWIFT, tmp_path) is None
    (tmp_path / "swift/root/usr/half").touch()
    fetched = sorted(path.name for path in (tmp_path / "swift/apt/archives").glob("*.deb"))
    assert fetched == ["base-files_1.deb", "bash_5.deb", "swiftlang_6.deb"]
    (fake / "broken").unlink()
    assert install(SWIFT, print, tmp_path).version == "6.0.3"
    assert not (tmp_path / "swift/root/usr/half").exists() and not (tmp_path / "swift/apt").exists()


def test_what_does_not_run_any_more_is_installed_anew(fake, tmp_path):
    found = install(SWIFT, print, tmp_path)
    found.where.unlink()
    assert find(SWIFT, tmp_path) is None
    assert install(SWIFT, print, tmp_path) == found


def test_an_archive_without_a_signature_is_refused(fake, tmp_path):
    (fake / "unsigned").touch()
    with pytest.raises(SamesightError, match=r"^apt-get failed: The repository is not signed.; try again$"):
        install(SWIFT, print, tmp_path)
    assert not any("download" in call for call in calls(fake))


@pytest.mark.parametrize("version", ["6.0", "6.2.1", "7.1"])
def test_a_swift_on_path_is_used_as_it_is(fake, tmp_path, version):
    write_tool(fake / "swift", f"#!/bin/sh\necho 'Swift version {version} (x)'\n")
    assert install(SWIFT, print, tmp_path).where == fake / "swift"
    assert calls(fake) == [] and not (tmp_path / "swift").exists()
    assert find_toolchain(tmp_path).command("test") == ["swift", "test"]


@pytest.mark.parametrize("answer", ["echo 'Swift version 5.10 (x)'", "exit 1", "echo 'Apple Swift'"])
def test_an_old_or_broken_swift_on_path_is_not(fake, tmp_path, answer):
    write_tool(fake / "swift", f"#!/bin/sh\n{answer}\n")
    assert find(SWIFT, tmp_path) is None
    assert install(SWIFT, print, tmp_path).where.name == "inside"


def test_a_system_without_apt_is_told_what_to_do(fake, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SamesightError, match=r"no apt-get and .* here, .*; or put a Swift 6 of your own on PATH"):
        install(SWIFT, print, tmp_path)


def test_a_user_who_may_not_change_the_root_is_told_so(fake, tmp_path):
    write_tool(fake / "unshare", "#!/bin/sh\nexit 1\n")
    with pytest.raises(SamesightError, match=r"may not .* chroot\); run it as root; or put a Swift 6"):
        install(SWIFT, print, tmp_path)


def test_a_missing_keyring_is_named(fake, tmp_path):
    (fake / "keys").unlink()
    with pytest.raises(SamesightError, match=r"keys: missing, .*; install debian-archive-keyring"):
        install(SWIFT, print, tmp_path)


SOURCES = {
    "sources.list.d/debian.sources": "# c\nTypes: deb\nURIs: http://a/debian http://b/debian\nSuites: bookworm x\n",
    "sources.list": "# deb http://no/debian bookworm main\ndeb [arch=amd64 trusted=no] http://a/debian bookworm main\n",
    "sources.list.d/debian.list": "deb-src http://no/debian sid main\n deb  http://a/debian  sid  main contrib\n",
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_archive_is_the_systems(name, tmp_path, monkeypatch):
    monkeypatch.delenv("SAMESIGHT_DEBIAN", raising=False)
    (tmp_path / "sources.list.d").mkdir()
    other = "Types: deb\nURIs: http://other/x\nSuites: nodistro\n"
    other += "\nTypes: deb\nEnabled: no\nURIs: http://off/\nSuites: sid\n"
    (tmp_path / "sources.list.d/another.sources").write_text(other)
    with pytest.raises(SamesightError, match=r"name no archive of Debian; .* SAMESIGHT_DEBIAN"):
        debian.archive_address(tmp_path)
    (tmp_path / name).write_text(SOURCES[name])
    assert debian.archive_address(tmp_path) == "http://a/debian"


def run(*arguments):
    command = [sys.executable, "-m", "samesight", "setup", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_plan_fetches_nothing_and_names_source_licences_and_size(fake, tmp_path):
    done = run("swift", "--dry-run", "--into", tmp_path)
    assert done.returncode == 0, done.stderr
    for word in ("http://archive/debian", "Apache-2.0", "590 MB", "2.7 GB", str(tmp_path / "swift")):
        assert word in done.stdout
    assert calls(fake) == [] and not (tmp_path / "swift").exists()
    plan = json.loads(run("swift", "--dry-run", "--into", tmp_path, "--json").stdout)
    assert plan["found"] is None and plan["download_bytes"] == SWIFT.download_bytes


def test_an_unknown_tool_is_refused_with_those_that_are_known(fake):
    done = run("zig")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"samesight: no tool 'zig' to set up; choose among {', '.join(SETUPS)}\n"


def test_the_help_lists_every_tool(fake):
    told = run("--help").stdout
    assert all(f"  {name} " in told for name in SETUPS)


def test_every_row_says_what_it_is():
    for name, row in SETUPS.items():
        assert name == row.name and row.title and row.purpose and row.licences
        assert 0 < row.download_bytes <= row.disk_bytes
