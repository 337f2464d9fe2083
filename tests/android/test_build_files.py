"""Gradle, for people, and Maven, for tests, name the same versions, modules, sources and dependencies."""

import re
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from packaging.version import Version

APP = Path(__file__).parents[2] / "android_app"
CATALOG = tomllib.loads((APP / "gradle" / "libs.versions.toml").read_text())
# Gradle's words for where a dependency is needed, in Maven's.
SCOPES = {
    "api": "compile",
    "implementation": "compile",
    "compileOnly": "provided",
    "testImplementation": "test",
    "testRuntimeOnly": "test",
}
# What Maven takes in place of a library that is made for Android alone; the list of Compose's versions has none.
# Where the stand-in is signatures alone, it is only compiled against.
STANDS_FOR = {
    "androidx.activity:activity-compose": ("samesight:androidstubs", "${project.version}", "provided"),
    "androidx.compose:compose-bom": None,
    "androidx.compose.material3:material3": (
        "org.jetbrains.compose.material3:material3-desktop",
        "${compose.desktop.version}",
    ),
    "com.google.ai.edge.litert:litert": ("samesight:stubs", "${project.version}", "provided"),
    # Native code alone.
    "com.google.ai.edge.litert:litert-gpu": None,
    "org.pytorch:executorch-android": ("samesight:stubs", "${project.version}", "provided"),
}
# Modules that Gradle builds for Android: their tests on a computer are Maven's.
FOR_ANDROID = ("app", "ui")
GRADLE_ONLY = ("activity", "agp", "android-test", "compose-bom", "executorch", "litert", "sdk-compile", "sdk-min")
# Signatures of what Gradle has itself.
MAVEN_ONLY = ("androidstubs",)
# Gradle's plugins for Kotlin and for Android add them by themselves.
IMPLIED = {
    ("org.jetbrains.kotlin:kotlin-stdlib", "${kotlin.version}", "compile"),
    ("org.robolectric:android-all", "${android.all.version}", "provided"),
}


def pom(folder):
    return ElementTree.parse(folder / "pom.xml").getroot()


def texts(element, path):
    return [found.text for found in element.findall(path)]


MODULES = texts(pom(APP), ".//module")
SHARED = [module for module in MODULES if module not in MAVEN_ONLY]


def properties():
    found = pom(APP).find("properties")
    return {child.tag: child.text for child in found}


def test_every_version_of_the_poms_is_the_catalogs():
    versions = {
        name.removesuffix(".version").replace(".", "-"): value
        for name, value in properties().items()
        if name.endswith(".version")
    }
    assert versions == {name: value for name, value in CATALOG["versions"].items() if name not in GRADLE_ONLY}


@pytest.mark.parametrize("folder", [APP, *(APP / module for module in MODULES)], ids=lambda path: path.name)
def test_no_pom_has_a_version_of_its_own(folder):
    own = texts(pom(folder), ".//dependency/version") + texts(pom(folder), ".//plugin/version")
    assert own or folder.name == "stubs"
    assert [version for version in own if not re.fullmatch(r"\$\{[a-z.]+\.version\}", version)] == []


def test_the_catalog_has_no_version_outside_its_table():
    entries = [*CATALOG["libraries"].values(), *CATALOG["plugins"].values()]
    assert all(set(entry) <= {"module", "id", "version"} for entry in entries)
    listed = [entry for entry in entries if not entry.get("module", "").startswith("androidx.compose.")]
    assert all(set(entry["version"]) == {"ref"} for entry in listed)


def test_both_have_the_same_modules():
    settings = (APP / "settings.gradle.kts").read_text()
    included = re.findall(r'":(\w+)"', re.search(r"include\((.*?)\)", settings, re.DOTALL)[1])
    assert sorted(included) == sorted(SHARED)
    assert sorted(included) == sorted(path.parent.name for path in APP.glob("*/build.gradle.kts"))


def gradle_dependencies(module):
    """(group:artifact, version, scope), as the module's Maven file would say it."""
    found = set()
    block = re.search(r"dependencies \{(.*?)\n\}", (APP / module / "build.gradle.kts").read_text(), re.DOTALL)[1]
    for word, target in re.findall(r"(\w+)\((.+)\)", block):
        if word == "androidTestImplementation":
            continue
        target = target.removeprefix("platform(").removesuffix(")") if target.startswith("platform(") else target
        if target.startswith("libs."):
            library = CATALOG["libraries"][target.removeprefix("libs.").replace(".", "-")]
            if library["module"] not in STANDS_FOR:
                version = "${" + library["version"]["ref"].replace("-", ".") + ".version}"
                found.add((library["module"], version, SCOPES[word]))
            elif stand_in := STANDS_FOR[library["module"]]:
                found.add((*stand_in, SCOPES[word])[:3])
        else:
            other = re.fullmatch(r'project\(":(\w+)"\)', target)[1]
            found.add((f"samesight:{other}", "${project.version}", SCOPES[word]))
    return found


@pytest.mark.parametrize("module", SHARED)
def test_both_have_the_same_dependencies(module):
    maven = {
        (f"{group}:{artifact}", *(texts(dependency, "version")), *(texts(dependency, "scope") or ["compile"]))
        for dependency in [
            *pom(APP).findall("dependencies/*"),
            *pom(APP / module).findall("dependencies/*"),
        ]
        for group, artifact in [(*texts(dependency, "groupId"), *texts(dependency, "artifactId"))]
    }
    if module in FOR_ANDROID:
        maven = {row for row in maven if row[2] != "test"}
    assert maven - IMPLIED == gradle_dependencies(module)


@pytest.mark.parametrize("module", SHARED)
def test_both_compile_the_same_sources(module):
    """Gradle's plugins compile the folders named here, unless a build file says otherwise."""
    for folder in (APP, APP / module):
        assert "srcDir" not in (folder / "build.gradle.kts").read_text()
    assert texts(pom(APP), "build/sourceDirectory") == ["src/main/kotlin"]
    assert texts(pom(APP), "build/testSourceDirectory") == ["src/test/kotlin"]
    assert texts(pom(APP / module), "build/sourceDirectory") == []
    assert texts(pom(APP / module), "build/testSourceDirectory") == []
    sources = [path.relative_to(APP / module) for kind in ("kt", "java") for path in (APP / module).rglob(f"*.{kind}")]
    kinds = [kind for kind in ("main", "test", "androidTest") if kind != "androidTest" or module == "app"]
    compiled = [path for path in sources if path.parts[:3] in [("src", kind, "kotlin") for kind in kinds]]
    assert sources and sources == compiled
    extra = texts(pom(APP / module), ".//sourceDir")
    assert extra == [f"src/{kind}/kotlin" for kind in kinds[1:] if module == "app"]


@pytest.mark.parametrize("module", SHARED)
def test_both_take_warnings_for_errors_and_the_same_java(module):
    gradle = (APP / module / "build.gradle.kts").read_text()
    strict = 'providers.gradleProperty("strict").isPresent' if module in FOR_ANDROID else "true"
    assert f"allWarningsAsErrors = {strict}" in gradle
    assert texts(pom(APP), ".//configuration/args/arg") == ["-Werror"]
    java = properties()["kotlin.compiler.jvmTarget"]
    assert f"jvmTarget = JvmTarget.JVM_{java}\n" in gradle
    for compatibility in ("source", "target"):
        assert f"{compatibility}Compatibility = JavaVersion.VERSION_{java}\n" in gradle
    # Whoever has another JDK alone, as Android Studio does, builds with it; but not with its newer classes.
    assert "jvmToolchain" not in gradle
    assert module in FOR_ANDROID or f'freeCompilerArgs.add("-Xjdk-release={java}")' in gradle


def test_the_wrapper_is_the_gradle_that_the_android_plugin_asks_for():
    """AGP 9.2.0 asks for Gradle 9.4.1 and JDK 17, and knows API 36.1 at most (agp-9-2-0-release-notes)."""
    text = (APP / "gradle" / "wrapper" / "gradle-wrapper.properties").read_text()
    wrapper = re.fullmatch(r".*/gradle-([\d.]+)-bin\.zip", re.search(r"^distributionUrl=(.+)$", text, re.MULTILINE)[1])[
        1
    ]
    plugin = Version(CATALOG["versions"]["agp"])
    assert (plugin.major, plugin.minor) == (9, 2) and Version(wrapper) >= Version("9.4.1")
    assert int(CATALOG["versions"]["sdk-compile"]) <= 36
    page = (APP.parent / "docs" / "on-a-phone.md").read_text()
    assert f"gradle wrapper --gradle-version {wrapper}" in page
    # The script and its binary are made by that command.
    assert {"gradlew", "gradlew.bat", "gradle/wrapper/gradle-wrapper.jar"} <= set(
        (APP / ".gitignore").read_text().split("\n")
    )
    assert not list((APP / "gradle").rglob("*.jar"))


def test_each_maker_has_its_flavour_and_its_npu_libraries_of_litert_s_version():
    gradle = (APP / "app" / "build.gradle.kts").read_text()
    flavours = re.findall(r'"(\w+)"', re.search(r"in listOf\((.*)\)\) \{\n +create\(maker\)", gradle)[1])
    assert flavours == ["qualcomm", "mediatek", "tensor"]
    libraries = {name: entry for name, entry in CATALOG["libraries"].items() if name.startswith("litert-npu-")}
    assert {name.removeprefix("litert-npu-") for name in libraries} == set(flavours)
    for maker in flavours:
        assert f'"{maker}Implementation"(libs.litert.npu.{maker})\n' in gradle
    for entry in (*libraries.values(), CATALOG["libraries"]["litert-gpu"]):
        assert entry["module"].startswith("com.google.ai.edge.litert:litert-") and entry["version"] == {"ref": "litert"}
    assert "implementation(libs.litert.gpu)\n" in gradle
    assert 'create("plain") {\n            dimension = "npu"\n            isDefault = true' in gradle


def test_packs_for_google_play_are_modules_where_somebody_puts_some():
    settings, gradle = ((APP / path).read_text() for path in ("settings.gradle.kts", "app/build.gradle.kts"))
    assert 'include(":ai_packs:${it.name}")' in settings
    assert 'assetPacks += packs.map { ":ai_packs:${it.name}" }' in gradle
    assert "ai_packs/" in (APP / ".gitignore").read_text().split("\n")
