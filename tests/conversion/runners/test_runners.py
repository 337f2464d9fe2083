"""Every format has a runner, and what a runner lacks is said."""

from dataclasses import replace
from importlib import import_module

import pytest

from samesight.conversion.environments import ENVIRONMENTS
from samesight.conversion.formats import FORMATS
from samesight.conversion.runners import RUNNERS, runner_of, runners_of


def test_every_format_has_a_runner_and_every_runner_a_format():
    assert {name for row in RUNNERS.values() for name in row.formats} == set(FORMATS)
    for row in RUNNERS.values():
        assert row.environment in ENVIRONMENTS
        module, _, function = row.module.partition(":")
        assert callable(getattr(import_module(module), function or "load"))


def test_what_is_missing_is_one_sentence_with_the_command_that_installs_it():
    row = replace(RUNNERS["coreai"], packages=("a-runtime-nobody-has",))
    assert row.missing() == (
        "Core AI needs a-runtime-nobody-has, which is not installed; pip install 'samesight[coreai]'"
    )
    assert RUNNERS["torch"].missing() is None


def test_where_an_artifact_runs_is_said_with_the_unit():
    assert RUNNERS["litert"].words == "LiteRT on this CPU"
    assert replace(RUNNERS["litert"], unit="gpu").words == "LiteRT on this GPU"


def test_the_first_runner_that_lacks_nothing_is_asked(monkeypatch):
    second = replace(RUNNERS["onnxruntime"], name="another", title="Another")
    monkeypatch.setitem(RUNNERS, "another", second)
    assert [row.name for row in runners_of("onnx")] == ["onnxruntime", "another"]
    assert runner_of("onnx").name == "onnxruntime"
    monkeypatch.setitem(RUNNERS, "onnxruntime", replace(RUNNERS["onnxruntime"], packages=("a-runtime-nobody-has",)))
    assert runner_of("onnx").name == "another"
    with pytest.raises(KeyError):
        runner_of("a format of tomorrow")
