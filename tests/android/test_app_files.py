"""What Gradle and Android read of the app and nothing here can run: manifest, resources, build file, R8's rules."""

import re
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "android_app" / "app"
MAIN = APP / "src" / "main"
VERSIONS = tomllib.loads((APP.parent / "gradle" / "libs.versions.toml").read_text())["versions"]
GRADLE = (APP / "build.gradle.kts").read_text()
MANIFEST = ElementTree.parse(MAIN / "AndroidManifest.xml").getroot()
APPLICATION = MANIFEST.find("application")
RESOURCES = sorted((MAIN / "res").rglob("*.xml"))
ANDROID = "{http://schemas.android.com/apk/res/android}"
TOOLS = "{http://schemas.android.com/tools}"


def permissions(removed):
    found = [tag for tag in MANIFEST.findall("uses-permission") if (tag.get(f"{TOOLS}node") == "remove") is removed]
    return {tag.get(f"{ANDROID}name").removeprefix("android.permission.") for tag in found}


def test_it_asks_for_the_camera_alone_and_no_library_may_ask_for_the_network():
    assert permissions(removed=False) == {"CAMERA"}
    assert "INTERNET" in permissions(removed=True)


def test_it_installs_on_devices_without_a_camera():
    features = {tag.get(f"{ANDROID}name"): tag.get(f"{ANDROID}required") for tag in MANIFEST.findall("uses-feature")}
    assert features == {"android.hardware.camera": "false", "android.hardware.camera.autofocus": "false"}


def test_images_and_choices_leave_with_no_backup():
    assert APPLICATION.get(f"{ANDROID}allowBackup") == "false"
    # Since Android 12 that does not hold for a move from device to device.
    name = APPLICATION.get(f"{ANDROID}dataExtractionRules").removeprefix("@xml/")
    rules = ElementTree.parse(MAIN / "res" / "xml" / f"{name}.xml").getroot()
    assert [part.tag for part in rules] == ["cloud-backup", "device-transfer"]
    for part in rules:
        kept_back = {rule.get("domain") for rule in part if rule.tag == "exclude" and rule.get("path") == "."}
        assert {"root", "file", "database", "sharedpref", "external"} <= kept_back
        assert kept_back == {rule.get("domain") for rule in part}


def test_no_library_brings_its_own_tests_instrumentation():
    (removed,) = MANIFEST.findall("instrumentation")
    assert removed.get(f"{ANDROID}name") == "androidx.test.runner.AndroidJUnitRunner"
    assert removed.get(f"{TOOLS}node") == "remove"


def test_the_classes_that_the_system_starts_exist():
    names = [APPLICATION.get(f"{ANDROID}name")] + [tag.get(f"{ANDROID}name") for tag in APPLICATION.findall("activity")]
    assert names == ["samesight.app.SamesightApplication", "samesight.app.MainActivity"]
    for name in names:
        package, _, simple = name.rpartition(".")
        source = (MAIN / "kotlin" / package.replace(".", "/") / f"{simple}.kt").read_text()
        assert f"package {package}\n" in source and f"open class {simple} : " in source
    (activity,) = APPLICATION.findall("activity")
    assert activity.get(f"{ANDROID}exported") == "true"
    assert activity.find("intent-filter/category").get(f"{ANDROID}name") == "android.intent.category.LAUNCHER"


def test_what_is_shared_is_given_to_one_app_at_a_time():
    (provider,) = APPLICATION.findall("provider")
    assert provider.get(f"{ANDROID}name") == "samesight.app.SharedFiles"
    assert provider.get(f"{ANDROID}exported") == "false" and provider.get(f"{ANDROID}grantUriPermissions") == "true"
    source = (MAIN / "kotlin" / "samesight" / "app" / "SharedFiles.kt").read_text()
    assert provider.get(f"{ANDROID}authorities") == "${applicationId}.shared"
    assert 'authority("${context.packageName}.shared")' in source and "\nclass SharedFiles : " in source


def test_the_systems_settings_offer_the_languages_that_the_app_speaks():
    assert APPLICATION.get(f"{ANDROID}localeConfig") == "@xml/locales_config"
    offered = ElementTree.parse(MAIN / "res" / "xml" / "locales_config.xml").getroot()
    # Words for people are in the sources, in English.
    assert [tag.get(f"{ANDROID}name") for tag in offered] == ["en"]
    assert not [path for path in (MAIN / "res").glob("values-*") if path.name != "values-night"]


def test_every_rule_of_the_baseline_profile_is_of_a_class_that_exists():
    """A rule that names nothing is no error to Gradle."""
    rules = [line for line in (MAIN / "baseline-prof.txt").read_text().splitlines() if line and line[0] != "#"]
    assert len(rules) > 10
    for rule in rules:
        folder, name = re.fullmatch(r"HSPLsamesight/(\w+)/(\w*)(?:;|\*\*)->\*\*\(\*\*\)\*\*", rule).groups()
        sources = APP.parent / folder / "src" / "main" / "kotlin" / "samesight" / folder
        files = [
            path
            for path in sources.glob("*.kt")
            if re.search(rf"\b(class|interface|object) {name}\b", path.read_text())
        ]
        assert files or (sources / f"{name.removesuffix('Kt')}.kt").is_file() or (not name and sources.is_dir()), rule


def test_the_bars_icons_follow_the_theme():
    """Since Android 15 the app draws below the bars; without this call their icons are white, on white by day."""
    screen = (MAIN / "kotlin" / "samesight" / "app" / "Screen.kt").read_text()
    assert 0 < screen.find("    enableEdgeToEdge()\n") < screen.find("    setContent {\n")


def test_versions_of_android():
    assert int(VERSIONS["sdk-min"]) == 26 and int(VERSIONS["sdk-compile"]) == 36
    assert "minSdk = libs.versions.sdk.min.get().toInt()" in GRADLE
    assert "compileSdk = libs.versions.sdk.compile.get().toInt()" in GRADLE
    assert "targetSdk = libs.versions.sdk.compile.get().toInt()" in GRADLE


def test_native_libraries_are_unpacked_at_installation():
    """LiteRT looks for an NPU's libraries in the folder where the system unpacks them."""
    assert "jniLibs.useLegacyPackaging = true" in GRADLE


def test_the_self_test_runs_on_a_phone():
    assert 'testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"' in GRADLE
    assert "androidTestImplementation(libs.android.test.runner)" in GRADLE
    (test,) = (APP / "src" / "androidTest").rglob("*.kt")
    # Android before 11 has no names with spaces.
    assert not re.search(r"fun `", test.read_text())


# What LiteRT's JNI makes or throws by name (litert/kotlin/src/main/jni, FindClass).
MADE_BY_JNI = ("LiteRtException", "TensorType", "TensorType$*", "TensorBufferRequirements")


def test_the_release_is_shrunk_and_native_code_keeps_its_names():
    assert "isMinifyEnabled = true" in GRADLE and '"proguard-rules.pro"' in GRADLE
    rules = re.sub(r"#.*", "", (APP / "proguard-rules.pro").read_text())
    for name in (
        *(f"com.google.ai.edge.litert.{made}" for made in MADE_BY_JNI),
        "org.pytorch.executorch.*",
        "com.facebook.jni.**",
    ):
        assert f"-keep class {name} {{ *; }}" in rules
    assert re.search(
        r"-keepclasseswithmembernames,includedescriptorclasses class \* \{\s+native <methods>;\s+\}", rules
    )
    assert rules.count("{") == rules.count("}") and "-dontobfuscate" not in rules


def test_the_release_does_not_keep_what_leads_to_google_play():
    """LiteRT's provider of AI packs names classes of Play, Guava and others that this app has not."""
    rules = re.sub(r"#.*", "", (APP / "proguard-rules.pro").read_text())
    assert "-keep class com.google.ai.edge.litert.**" not in rules
    for package in ("com.google.ai.edge.litert.deployment", "com.google.android.play.core", "com.google.common.util"):
        assert f"-dontwarn {package}" in rules


@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: path.name)
def test_resources_are_well_formed(path):
    ElementTree.parse(path)


def test_every_resource_that_is_named_exists():
    """`@type/name` in the manifest or a resource, but for those of Android itself."""
    defined = {(path.parent.name.split("-")[0], path.stem) for path in RESOURCES if path.parent.name[:6] != "values"}
    for path in RESOURCES:
        if path.parent.name.startswith("values"):
            defined |= {(child.tag, child.get("name")) for child in ElementTree.parse(path).getroot()}
    texts = [path.read_text() for path in [MAIN / "AndroidManifest.xml", *RESOURCES]]
    named = {match for text in texts for match in re.findall(r'"@(\w+)/(\w+)"', text)}
    assert named and named <= defined
    assert {("mipmap", "icon"), ("string", "app_name"), ("style", "App")} <= named


def test_names_are_those_of_an_android_that_is_old_enough():
    """A style that came after the lowest Android would be no style there."""
    parents = [style.get("parent") for path in RESOURCES for style in ElementTree.parse(path).getroot().iter("style")]
    assert set(parents) == {"android:Theme.Material.Light.NoActionBar", "android:Theme.Material.NoActionBar"}
