"""An app's runtime is never older than the exporter of its files: newer files do not load on older runtimes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[2]
CATALOG = tomllib.loads((ROOT / "android_app" / "gradle" / "libs.versions.toml").read_text())
# By the catalog's name of the runtime: the package that writes or first runs its files here.
EXPORTERS = {"litert": "ai-edge-litert", "executorch": "executorch"}
LIBRARIES = {"litert": "com.google.ai.edge.litert:litert", "executorch": "org.pytorch:executorch-android"}


def older(catalog, lock):
    """The runtimes of the catalog that are older than what the lock file pins for their exporter."""
    pins = dict(re.findall(r"^([\w-]+)==([^\s;\\]+)", lock, re.MULTILINE))
    return [name for name, package in EXPORTERS.items() if Version(catalog["versions"][name]) < Version(pins[package])]


def test_no_runtime_is_older_than_its_exporter():
    assert older(CATALOG, (ROOT / "requirements.lock").read_text()) == []


@pytest.mark.parametrize(
    ("runtime", "pin", "expected"),
    [
        ("2.3.0", "2.3.0", []),
        ("2.10.0", "2.9.1", []),
        ("2.9.1", "2.10.0", ["litert"]),
        ("2.3.0rc1", "2.3.0", ["litert"]),
    ],
)
def test_versions_are_compared_as_versions(runtime, pin, expected):
    catalog = {"versions": {"litert": runtime, "executorch": "1.5.1"}}
    assert older(catalog, f"ai-edge-litert=={pin}\nexecutorch==1.5.1\n") == expected


def test_the_app_takes_these_libraries_and_names_their_versions():
    """The catalog's entry is the one place: Gradle takes the library by it and writes it into the manifest."""
    gradle = (ROOT / "android_app" / "app" / "build.gradle.kts").read_text()
    manifest = (ROOT / "android_app" / "app" / "src" / "main" / "AndroidManifest.xml").read_text()
    for name, library in LIBRARIES.items():
        assert CATALOG["libraries"][name] == {"module": library, "version": {"ref": name}}
        assert f"implementation(libs.{name})" in gradle
        assert f'manifestPlaceholders["{name}"] = libs.versions.{name}.get()' in gradle
        assert f"=${{{name}}}" in manifest
    for path in (ROOT / "android_app").rglob("*.gradle.kts"):
        assert not re.search(r'"[\w.]+:[\w-]+:\d', path.read_text()), f"{path} names a version of its own"
