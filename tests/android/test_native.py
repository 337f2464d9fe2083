"""The library in C that scales camera frames: the same bytes as Kotlin's and Python's, on every kind of frame."""

import json
import os
import shutil
import subprocess

import pytest

from support.random_cases import expected_pixels, pixel_cases

CASES = 1_500


@pytest.fixture(scope="module", params=["-march=native", "-march=x86-64 -msse4.1"], ids=["this", "sse"])
def library(request, reactor, tmp_path_factory):
    """The folder of the library, built for this computer or for any with SSE 4.1."""
    compiler = os.environ.get("CC", "gcc")
    if shutil.which(compiler) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {compiler}: install a C compiler")
    if "x86-64" in request.param and os.uname().machine != "x86_64":
        pytest.skip("of another processor")
    folder = tmp_path_factory.mktemp("native")
    script = reactor / "contract" / "src" / "main" / "cpp" / "build.sh"
    subprocess.run([script, folder], check=True, env={**os.environ, "CFLAGS": request.param})
    return folder


def test_every_byte_of_random_frames_is_pythons(parity, library, tmp_path):
    cases = [case for case in pixel_cases(CASES, seed=11) if case["kind"] != "rgb"]
    assert {case["kind"] for case in cases} == {"i420", "nv12", "nv21", "planes"}
    option = f"-Djava.library.path={library}"
    assert parity("native", ["{}"], tmp_path, option) == ["loaded"]
    found = parity("pixels", map(json.dumps, cases), tmp_path, option)
    expected = expected_pixels(cases)
    assert [case for case, e, f in zip(cases, expected, found, strict=True) if e != f] == []


def test_without_the_library_all_is_kotlin(parity, tmp_path):
    assert parity("native", ["{}"], tmp_path) == ["not there"]


def test_the_apps_build_has_the_same_sources(reactor):
    folder = reactor / "contract" / "src" / "main" / "cpp"
    sources = sorted(path.name for path in folder.glob("*.c"))
    cmake, script = (folder / "CMakeLists.txt").read_text(), (folder / "build.sh").read_text()
    for name in sources:
        assert name in cmake and f"/{name}" in script
    assert "add_library(samesight_resize SHARED" in cmake and "libsamesight_resize.so" in script
    assert '"../contract/src/main/cpp/CMakeLists.txt"' in (reactor / "app" / "build.gradle.kts").read_text()
