"""What XcodeGen, Xcode and iOS read of the app and nothing here can run: project, keys, manifests, catalog, icon."""

import json
import plistlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageChops

from support.swift_texts import texts

APP = Path(__file__).parents[2] / "ios_app"
PROJECT = yaml.safe_load((APP / "project.yml").read_text())
ADDED = {name: yaml.safe_load((APP / name).read_text()) for name in ("litert.yml", "executorch.yml")}
TARGETS = PROJECT["targets"]
PLIST = TARGETS["Samesight"]["info"]["properties"]
RESOURCES = APP / "App/Resources"
CATALOG = RESOURCES / "Localizable.xcstrings"
# XcodeGen's own words (its ProjectSpec.md), as far as they are used here: another one would be passed over in silence.
PROJECT_KEYS = {"name", "options", "include", "packages", "settings", "targets", "schemes"}
TARGET_KEYS = {"type", "platform", "sources", "dependencies", "info", "settings"}
SOURCE_KEYS = {"path", "excludes", "type", "optional", "buildPhase"}
DEPENDENCY_KEYS = {"package", "target", "framework", "embed"}
# Apple's names (Information Property List and privacy manifest files in its documentation).
PLIST_KEYS = {
    "CFBundleDisplayName",
    "CFBundleShortVersionString",
    "CFBundleVersion",
    "LSRequiresIPhoneOS",
    "NSCameraUsageDescription",
    "UILaunchScreen",
    "UIApplicationSceneManifest",
    "UISupportedInterfaceOrientations",
    "UIFileSharingEnabled",
    "LSSupportsOpeningDocumentsInPlace",
    "CFBundleURLTypes",
    "CFBundleDocumentTypes",
}
REASONS = {
    "NSPrivacyAccessedAPICategoryUserDefaults": {"CA92.1"},
    "NSPrivacyAccessedAPICategoryFileTimestamp": {"C617.1", "3B52.1"},
    "NSPrivacyAccessedAPICategoryDiskSpace": {"E174.1"},
    "NSPrivacyAccessedAPICategorySystemBootTime": {"35F9.1"},
}


def test_every_word_of_the_project_is_xcodegens():
    assert set(PROJECT) == PROJECT_KEYS
    for target in TARGETS.values():
        assert set(target) <= TARGET_KEYS
        for source in target["sources"]:
            assert set(source) <= SOURCE_KEYS
        for dependency in target["dependencies"]:
            assert set(dependency) <= DEPENDENCY_KEYS


def test_every_path_is_there_or_said_to_be_optional():
    for target in TARGETS.values():
        for source in target["sources"]:
            assert source.get("optional") or (APP / source["path"]).exists(), source
    optional = {source["path"] for source in TARGETS["Samesight"]["sources"] if source.get("optional")}
    # Where `samesight install` puts them.
    assert optional == {"App/Resources/bundles", "App/Resources/pack-key.der"}
    for entry in PROJECT["include"]:
        assert (APP / entry["path"]).is_file()


@pytest.mark.parametrize("added", [PROJECT, *ADDED.values()], ids=["project.yml", *ADDED])
def test_every_package_is_there_has_a_product_of_its_name_and_is_used(added):
    used = {d["package"] for t in added["targets"].values() for d in t["dependencies"] if "package" in d}
    assert used == set(added["packages"])
    for name, package in added["packages"].items():
        manifest = (APP / package["path"] / "Package.swift").read_text()
        assert f'.library(name: "{name}"' in manifest and ".iOS(.v17)" in manifest


def test_core_ml_alone_is_enough_to_build():
    """LiteRT and ExecuTorch are files of their own, on request; no source needs them."""
    assert set(PROJECT["packages"]) == {"Contract", "Engines", "Screens"}
    assert all(entry["enable"].startswith("${SAMESIGHT_") for entry in PROJECT["include"])
    for name in ("LiteRTEngine", "ExecuTorchEngine"):
        source = (APP / "App/Sources/SystemRuntimes.swift").read_text()
        assert re.search(rf"#if canImport\({name}\)\n\s*import {name}\n#endif", source)


def test_it_begins_with_ios_17_in_swift_6_with_warnings_as_errors():
    assert PROJECT["options"]["deploymentTarget"] == {"iOS": "17.0"}
    settings = PROJECT["settings"]["base"]
    assert settings["SWIFT_VERSION"] == "6.0" and settings["SWIFT_STRICT_CONCURRENCY"] == "complete"
    assert settings["SWIFT_TREAT_WARNINGS_AS_ERRORS"] is True


def test_the_property_list_has_apples_keys_and_says_why_the_camera_is_used():
    assert set(PLIST) == PLIST_KEYS
    assert "on this phone and nowhere else" in PLIST["NSCameraUsageDescription"]
    # An iPad turns all ways, or the app may not share its screen there.
    assert len(PLIST["UISupportedInterfaceOrientations"]) == 4
    source = (APP / "App/Sources/ScreenModel.swift").read_text()
    (scheme,) = PLIST["CFBundleURLTypes"][0]["CFBundleURLSchemes"]
    assert f"`{scheme}://self-test`" in source


def test_it_asks_for_no_entitlement_and_no_network():
    assert not list(APP.rglob("*.entitlements")) and "entitlements" not in (APP / "project.yml").read_text()
    for path in [*APP.glob("App/Sources/*.swift"), *APP.glob("Packages/*/Sources/**/*.swift")]:
        assert not re.search(r"URLSession|NWConnection|import Network\b", path.read_text()), path


def test_the_privacy_manifest_tracks_nothing_and_has_apples_reasons():
    manifest = plistlib.loads((RESOURCES / "PrivacyInfo.xcprivacy").read_bytes())
    assert manifest["NSPrivacyTracking"] is False
    assert manifest["NSPrivacyTrackingDomains"] == manifest["NSPrivacyCollectedDataTypes"] == []
    told = {
        e["NSPrivacyAccessedAPIType"]: set(e["NSPrivacyAccessedAPITypeReasons"])
        for e in manifest["NSPrivacyAccessedAPITypes"]
    }
    assert told == REASONS


SCREENS = sorted(APP.glob("Packages/Screens/Sources/Screens/*.swift"))
SOURCES = [*sorted(APP.glob("App/Sources/*.swift")), *SCREENS]


def test_every_text_of_the_views_and_of_what_they_show_is_in_the_string_catalog():
    catalog = json.loads(CATALOG.read_text())
    assert catalog["sourceLanguage"] == "en" and catalog["version"] == "1.0"
    found = {source: texts(source.read_text()) for source in SOURCES}
    assert set(catalog["strings"]) == set().union(*found.values())
    assert len(set().union(*(found[source] for source in SCREENS))) > 50
    # Xcode finds those of views itself, and would call the others stale.
    manual = {key for key, entry in catalog["strings"].items() if entry == {"extractionState": "manual"}}
    assert manual == {key for source in SOURCES for key in texts(source.read_text(), ("localized",))}


def test_no_sentence_of_the_screens_goes_past_the_catalog():
    """Of what `Screens` says: literals of several words stand in `localized`; the rest are names, signs and figures."""
    for source in SCREENS:
        code = re.sub(r"//.*", "", source.read_text())
        known = {key.replace("%@", "X") for key in texts(code)}
        for literal in re.findall(r'"((?:[^"\\\n]|\\\([^)\n]*\))*)"', code):
            plain = re.sub(r"\\\([^)]*\)", "X", literal).replace("%@", "X")
            assert not re.search(r"[a-z] [a-z]", plain) or plain in known, f"{source.name}: {literal}"


def test_a_text_is_found_wherever_it_stands_in_a_call():
    assert texts(
        'Text("a \\(b("c")) d") Round(on ? "x" : "y", "icon") { f("z") } Label(\n  "l", systemImage: "i")'
    ) == {
        "a %@ d",
        "x",
        "y",
        "l",
    }
    assert texts('Text("\\(done) of \\(total)")') == {"%lld of %lld"} and texts('Image("a")') == set()


def test_the_icon_is_what_its_script_draws(tmp_path):
    folder = RESOURCES / "Assets.xcassets/AppIcon.appiconset"
    (image,) = json.loads((folder / "Contents.json").read_text())["images"]
    subprocess.run([sys.executable, APP / "App/draw_icon.py", tmp_path / "icon.png"], check=True)
    with Image.open(folder / image["filename"]) as committed, Image.open(tmp_path / "icon.png") as drawn:
        # One size and no transparency, as the App Store asks.
        assert committed.size == (1024, 1024) and committed.mode == "RGB" and image["size"] == "1024x1024"
        assert ImageChops.difference(committed, drawn).getbbox() is None
    assert TARGETS["Samesight"]["settings"]["base"]["ASSETCATALOG_COMPILER_APPICON_NAME"] == folder.stem


def test_no_project_of_xcode_is_committed():
    tracked = subprocess.run(
        ["git", "ls-files", "ios_app"], cwd=APP.parent, capture_output=True, text=True, check=False
    )
    assert not re.search(r"\.xcodeproj|Info\.plist$", tracked.stdout, re.MULTILINE)
