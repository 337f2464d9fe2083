"""The wheel: `samesight` and nothing else, and it converts outside of the checkout."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("contract", "datasets", "training", "conversion", "src")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
APPS = ("android_app", "ios_app")
# What builds leave in an app's folder; some of it is large, and none of it is for others.
LEFT_OUT = re.compile(r"/(target|build|\.build|\.gradle|bundles)/")
BUILD = "import sys, setuptools.build_meta as backend; print(backend.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy of the sources: setuptools leaves its own files beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    sources.mkdir()
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, sources / name, symlinks=True, ignore=ignored)
    # As they are after tests ran, with what these left there.
    for name in APPS:
        ignored = shutil.ignore_patterns("target", ".build")
        shutil.copytree(ROOT / name, sources / name, ignore=ignored)
        (sources / name / "target").mkdir()
        (sources / name / "target" / "left.txt").write_text("by a build")
    for name in FILES:
        shutil.copy(ROOT / name, sources)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, folder], cwd=sources, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


def test_it_has_samesight_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"samesight"}
    inside = {name.removeprefix("samesight/") for name in names if name.startswith("samesight/")}
    assert {"py.typed", "__init__.py", "__main__.py", "conversion/report/templates/report.css"} <= inside
    for folder in FOLDERS[:-1]:
        modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        assert modules == {name for name in inside if name.startswith(f"{folder}/") and name.endswith(".py")}


def test_it_has_the_lists_of_versions_of_other_environments(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert {f"samesight/conversion/setup/pins/{name}.txt" for name in ("onnx-tf", "onnx2tf")} <= set(
            archive.namelist()
        )


def test_it_has_both_apps_without_what_builds_left(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in APPS:
        inside = {one.removeprefix("samesight/sample_apps/") for one in names if f"/sample_apps/{name}/" in one}
        tracked = subprocess.run(["git", "ls-files", name], cwd=ROOT, capture_output=True, text=True, check=True)
        assert set(tracked.stdout.splitlines()) <= inside
        assert not [one for one in inside if LEFT_OUT.search(one)]


def test_installed_beside_the_locked_packages_it_converts(wheel, demo, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    assert subprocess.run(install, check=False).returncode == 0
    # The packages of this environment, without its link to the checkout: a path file does not read other path files.
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    (Path(site.stdout.strip()) / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for folder in FOLDERS[:-1]:
        alone = subprocess.run([python, "-P", "-c", f"import {folder}"], cwd=tmp_path, capture_output=True, check=False)
        assert alone.returncode == 1, f"the wheel installs a package called {folder}"
    command = [tmp_path / "env/bin/samesight", "convert", demo / "runs/digits", "--out", "out", "--to", "onnx,pt"]
    done = subprocess.run([*command, "--no-cache", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["passed"] and len(outcome["artifacts"]) == 3
    for platform, marker in (("android", "settings.gradle.kts"), ("ios", "project.yml")):
        command = [tmp_path / "env/bin/samesight", "app", platform, f"my_{platform}", "--id", "com.example.digits"]
        done = subprocess.run(
            [*command, "--bundle", demo / "digits"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / f"my_{platform}" / marker).is_file()
    where = subprocess.run(
        [python, "-c", "import samesight.conversion.workflow.worker as w; print(w.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(tmp_path / "env"))
