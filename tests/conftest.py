"""What tests of all packages share: a demo that is made once, a small disk, and the command line."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from samesight.cli.main import main
from samesight.conversion.cache_folder import tools_root
from samesight.conversion.setup.install import find, install
from samesight.conversion.setup.table import SETUPS

pytest.register_assert_rewrite("support.twins")
pytest_plugins = ["support.fixtures"]

# Where tools are does not depend on tests that choose another home.
os.environ.setdefault("SAMESIGHT_TOOLS", str(tools_root()))

# A shell that starts the tests in the background has them ignore interrupts, and what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Mark what needs the demo or an app's Kotlin or Swift; the demo is made at once, what else needs it comes last.

    Until it is there the other processes have work: what takes longest of that comes first.
    """
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "demo" in names:
            item.add_marker(pytest.mark.demo)
        if "reactor" in names:
            item.add_marker(pytest.mark.kotlin)
        if "swift" in names:
            item.add_marker(pytest.mark.swift)
        # Tests of one file share what its fixtures make, so they run in one process; apart, those that need the demo.
        group = item.path.relative_to(Path(__file__).parent).as_posix() + ("+demo" if "demo" in names else "")
        if "reactor" in names:
            group = "kotlin"
        if "swift" in names:
            group = "swift"
        item.add_marker(pytest.mark.xdist_group(group))
    first = next((item for item in items if item.path.name == "test_demo.py"), None)
    items.sort(
        key=lambda item: (
            item is not first,
            item.get_closest_marker("demo") is not None,
            item.get_closest_marker("kotlin") is None and item.get_closest_marker("swift") is None,
            item.get_closest_marker("slow") is None,
        )
    )


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The folder that `samesight demo` writes; made once for all processes, or taken from $SAMESIGHT_DEMO."""
    if os.environ.get("SAMESIGHT_DEMO"):
        return Path(os.environ["SAMESIGHT_DEMO"])
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder = root / "demo"
    # Later conversions of the demo's runs find what it made.
    os.environ["SAMESIGHT_CACHE"] = str(root / "cache")
    with FileLock(root / "demo.lock"):
        if not (root / "demo.log").exists():
            made = samesight("--stats", "demo", "--out", folder)
            (root / "demo.log").write_text(f"{made.returncode}\n{made.stdout}\n{made.stderr}")
    code, log = (root / "demo.log").read_text().split("\n", 1)
    assert code == "0", f"samesight demo failed:\n{log[-5000:]}"
    return folder


def samesight(*arguments, **options):
    """Run the command line in a process of its own; gives its exit code, output and errors."""
    command = [sys.executable, "-m", "samesight", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="session", name="samesight")
def samesight_fixture():
    """See `samesight`."""
    return samesight


@pytest.fixture(scope="session")
def tool():
    """Require a tool of `samesight setup`: where CI is set it is installed, elsewhere the test is skipped without."""

    def ready(name):
        if find(SETUPS[name]) is None:
            if not os.environ.get("CI"):
                pytest.skip(f"{name} is not installed; samesight setup {name}")
            install(SETUPS[name], print)

    return ready


@pytest.fixture
def samesight_here(capfd):
    """As `samesight`, in this process, which has imported what takes seconds to import."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
        captured = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, ended.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def copy_of(tmp_path):
    """Copy a bundle, to be damaged."""

    def copy(bundle):
        return Path(shutil.copytree(bundle, tmp_path / bundle.name))

    return copy


@pytest.fixture
def memory_folder(tmp_path):
    """A folder in memory, where the system has one: to wait for a disk takes a tenth of a second a bundle."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB that can be filled."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small file system is mounted by root on Linux only; run the tests as root")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this system lets nobody mount a file system; run the tests on a machine that does")
    yield place
    subprocess.run(["umount", "-l", place], check=True)
