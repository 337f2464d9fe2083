"""The files that need Apple's modules: their syntax, and their types against the signatures in apple_stubs."""

import subprocess
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "ios_app"
STUBS = Path(__file__).parent / "apple_stubs"
# In the order in which they need each other.
MODULES = (
    "CoreVideo",
    "CoreML",
    "ExecuTorch",
    "AVFoundation",
    "CoreGraphics",
    "ImageIO",
    "UIKit",
    "CoreAI",
    "AppIntents",
)
APP_FILES = sorted(APP.glob("App/*/*.swift"))
ENGINES = [APP / f"Packages/Engines/Sources/Engines/{name}.swift" for name in ("CoreMLEngine", "CoreAIEngine")]
EXECUTORCH = sorted(APP.glob("Packages/ExecuTorchEngine/Sources/*/*.swift"))
# Of the app's own files those without SwiftUI, whose signatures would be a library of their own.
TYPED = ("CameraFeed", "PixelBufferFrame", "PhotoReader", "SystemRuntimes", "SelfTestIntent")


@pytest.fixture(scope="module")
def swiftc(swift):
    """Runs the compiler; gives what it says."""

    def run(*arguments):
        command = [*swift.prefix, "swiftc", *map(str, arguments)]
        made = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        return made.returncode, made.stdout + made.stderr

    return run


@pytest.fixture(scope="module")
def modules(swiftc, tmp_path_factory):
    """The folder of the modules of the stubs and of the app's packages, made with the stubs in reach."""
    folder = tmp_path_factory.mktemp("modules")

    def make(name, *files, version="6"):
        options = ("-swift-version", version, "-parse-as-library", "-package-name", "samesight", "-I", folder)
        code, told = swiftc(
            "-emit-module", *options, "-module-name", name, "-o", folder / f"{name}.swiftmodule", *files
        )
        assert code == 0, told[-5000:]

    for name in MODULES:
        make(name, STUBS / f"{name}.swift", version="5")
    for name in ("Contract", "Engines", "Screens"):
        make(name, *sorted((APP / f"Packages/{name}/Sources/{name}").glob("*.swift")))
    return folder


def typecheck(swiftc, modules, name, *files):
    options = ("-typecheck", "-swift-version", "6", "-strict-concurrency=complete", "-parse-as-library")
    return swiftc(*options, "-module-name", name, "-I", modules, *files)


@pytest.mark.parametrize("path", [*APP_FILES, *ENGINES, *EXECUTORCH], ids=lambda path: path.name)
def test_it_is_swift(swiftc, path):
    code, told = swiftc("-frontend", "-parse", path)
    assert code == 0, told


def test_the_engines_fit_the_signatures(modules):
    """`modules` was made with Core ML and Core AI in reach, so that their engines are part of the module."""
    text = (modules / "Engines.swiftmodule").read_bytes()
    assert b"CoreMLOpener" in text and b"CoreAIOpener" in text


def test_the_executorch_engine_fits_the_signatures(swiftc, modules):
    code, told = typecheck(swiftc, modules, "ExecuTorchEngine", *EXECUTORCH)
    assert code == 0 and "warning" not in told, told


def test_the_camera_photos_and_runtimes_fit_the_signatures(swiftc, modules):
    code, told = typecheck(swiftc, modules, "App", *(APP / f"App/Sources/{name}.swift" for name in TYPED))
    assert code == 0 and "warning" not in told, told


def test_a_fault_of_types_is_found(swiftc, modules, tmp_path):
    """The check can fail: the same file with one name that Core Video does not have."""
    broken = tmp_path / "PixelBufferFrame.swift"
    text = (APP / "App/Sources/PixelBufferFrame.swift").read_text()
    broken.write_text(text.replace("CVPixelBufferGetWidth(buffer)", "CVPixelBufferGetWidth(buffer, 0)"))
    code, told = typecheck(swiftc, modules, "App", broken)
    assert code != 0 and "extra argument" in told


def test_the_share_that_the_docs_tell_is_the_share_that_is_checked():
    """Lines of Swift of the app, its packages' Apple engines among them, whose types are checked here."""
    lines = {
        path: len(path.read_text().splitlines())
        for path in APP.glob("*/**/Sources/**/*.swift")
        if ".build" not in path.parts
    }
    lines |= {path: len(path.read_text().splitlines()) for path in APP.glob("App/Sources/*.swift")}
    unchecked = {
        path: count for path, count in lines.items() if path.parent.parent.name == "App" and path.stem not in TYPED
    }
    share = 1 - sum(unchecked.values()) / sum(lines.values())
    of_app = 1 - sum(unchecked.values()) / sum(
        count for path, count in lines.items() if path.parent.parent.name == "App"
    )
    docs = (APP / "README.md").read_text()
    assert f"{100 * share:.0f} % of the Swift" in docs and f"of `App` it is {100 * of_app:.0f} %" in docs
