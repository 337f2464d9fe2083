"""`samesight app`: a sample app with one's own identifier, name and bundle, or nothing at all."""

import plistlib
import re
from pathlib import Path

import pytest
import yaml

from samesight.contract.bundle import open_bundle
from samesight.conversion.apps.install import APPS, find_platform
from samesight.conversion.apps.sample import LEFT_OUT

BUNDLES = {platform: folder for platform, (_, folder) in APPS.items()}


@pytest.mark.parametrize("name", ["android_app", "ios_app"])
def test_what_git_ignores_is_left_out(name):
    ignored = (Path(__file__).parents[3] / name / ".gitignore").read_text().split()
    assert {line.rstrip("/").rsplit("/", 1)[-1] for line in ignored} <= set(LEFT_OUT)


@pytest.mark.parametrize("platform", ["android", "ios"])
def test_the_apps_sources_without_what_builds_left(samesight_here, tmp_path, platform):
    done = samesight_here("app", platform, tmp_path / "mine", "--id", "com.example.digits")
    assert done.returncode == 0, done.stderr
    assert "Digits (com.example.digits)" in done.stdout
    assert find_platform(tmp_path / "mine") == platform
    names = {path.name for path in (tmp_path / "mine").rglob("*")}
    assert not names & set(LEFT_OUT)


def test_androids_identifier_and_name(samesight_here, tmp_path):
    samesight_here("app", "android", tmp_path / "mine", "--id", "com.example.digits", "--name", "My digits")
    build = (tmp_path / "mine/app/build.gradle.kts").read_text()
    assert 'applicationId = "com.example.digits"' in build and 'namespace = "samesight.app"' in build
    assert ">My digits<" in (tmp_path / "mine/app/src/main/res/values/strings.xml").read_text()


def test_ioss_identifier_and_name(samesight_here, tmp_path):
    samesight_here("app", "ios", tmp_path / "mine", "--id", "com.example.digits", "--name", "Digits: mine")
    project = yaml.safe_load((tmp_path / "mine/project.yml").read_text())
    target = project["targets"]["Samesight"]
    assert target["settings"]["base"]["PRODUCT_BUNDLE_IDENTIFIER"] == "com.example.digits"
    assert target["info"]["properties"]["CFBundleDisplayName"] == "Digits: mine"
    assert plistlib.loads((tmp_path / "mine/App/Resources/PrivacyInfo.xcprivacy").read_bytes())


@pytest.mark.parametrize("platform", ["android", "ios"])
def test_with_a_bundle_it_is_installed(samesight_here, demo, tmp_path, platform):
    arguments = ("--id", "com.example.digits", "--bundle", demo / "digits")
    done = samesight_here("app", platform, tmp_path / "mine", *arguments)
    assert done.returncode == 0 and done.stdout.endswith("with digits\n"), done.stderr
    bundle = open_bundle(tmp_path / "mine" / BUNDLES[platform] / "digits")
    assert {platform} <= {one for artifact in bundle.manifest.artifacts for one in artifact.platforms}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--id", "digits"), 2, "words with dots between them"),
        (("--id", "com.1digits"), 2, "words with dots between them"),
        (("--id", "com.example.digits", "--name", 'a"b'), 2, "without quotes"),
        (("--id", "com.example.digits", "--bundle", "nowhere"), 1, "no such bundle"),
    ],
)
def test_what_is_refused_leaves_nothing(samesight_here, tmp_path, arguments, code, sentence):
    done = samesight_here("app", "ios", tmp_path / "mine", *arguments)
    assert done.returncode == code and re.search(sentence, done.stderr) and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "mine").exists()


def test_a_folder_with_something_in_it_is_left_alone(samesight_here, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    done = samesight_here("app", "ios", tmp_path / "mine", "--id", "com.example.digits")
    assert done.returncode == 1 and "is not empty" in done.stderr
    assert [path.name for path in Path(tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_bundle_that_is_refused_leaves_nothing(samesight_here, demo, copy_of, tmp_path):
    bundle = copy_of(demo / "digits")
    (bundle / "parity.json").unlink()
    (tmp_path / "mine").mkdir()
    arguments = ("--id", "com.example.digits", "--bundle", bundle)
    done = samesight_here("app", "ios", tmp_path / "mine", *arguments)
    assert done.returncode == 1 and "has no verdicts" in done.stderr
    assert list((tmp_path / "mine").iterdir()) == []
