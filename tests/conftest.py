"""What tests of all packages share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "contract"))


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
