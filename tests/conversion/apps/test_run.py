"""Which apps run on this computer, and what is said of the others."""

from contextlib import contextmanager

import pytest

from samesight.contract.errors import SamesightError
from samesight.conversion.apps.run import APPS, App, run_apps


def app(name, missing=None):
    return App(f"{name} app", lambda: missing, lambda bundle, progress: f"{bundle} in {name}")


@pytest.fixture
def run(monkeypatch):
    """A function (apps): the results, what was announced and what was said."""
    monkeypatch.delenv("CI", raising=False)

    def call(*apps):
        titles, said = [], []

        @contextmanager
        def progress(title):
            titles.append(title)
            yield lambda done, total: None

        return run_apps("bundle", progress, said.append, apps), titles, said

    return call


def test_both_run_side_by_side(run):
    results, titles, said = run(app("Android"), app("iOS"))
    assert results == ["bundle in Android", "bundle in iOS"] and said == []
    assert titles == ["running the Android app's code", "running the iOS app's code"]


def test_one_without_its_tools_is_said_and_left_out(run):
    results, _, said = run(app("Android", "no mvn; install it"), app("iOS"))
    assert results == ["bundle in iOS"]
    assert said == ["The Android app is left out: no mvn; install it"]


def test_without_any_tools_one_sentence_names_all(run):
    with pytest.raises(SamesightError) as refused:
        run(app("Android", "no mvn"), app("iOS", "no Swift"))
    assert str(refused.value) == "--apps: Android app: no mvn; iOS app: no Swift"


def test_in_ci_every_app_has_to_run(run, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SamesightError, match="iOS app: no Swift"):
        run(app("Android"), app("iOS", "no Swift"))


def test_the_apps_are_both():
    assert [one.name for one in APPS] == ["Android app", "iOS app"]
