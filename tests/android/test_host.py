"""The layer over this computer's LiteRT does what LiteRT for Android does, where an app could be fooled by it.

What is expected stands in LiteRT's Kotlin sources and their JNI (version 2.2.0 and the main branch of August 2026).
"""

import os
import subprocess
from pathlib import Path

import ai_edge_litert
import pytest

from samesight.contract.bundle import open_bundle
from samesight.contract.manifest import Artifact

MAIN = "samesight.host.BehaviourKt"
CLOSED = "IllegalStateException: The handle has been destroyed."


@pytest.fixture(scope="module", params=["digits.fp32.tflite", "digits.int8.tflite"])
def artifact(request, demo) -> Artifact:
    return open_bundle(demo / "digits").find(request.param)


@pytest.fixture(scope="module")
def facts(artifact, reactor, demo, tmp_path_factory):
    """Fact by name, with an empty folder in place of an NPU's libraries."""
    target = reactor / "host" / "target"
    classes = [str(target / "classes"), str(target / "test-classes"), (target / "classpath").read_text()]
    library = f"-Djna.library.path={Path(ai_edge_litert.__file__).parent}"
    empty = tmp_path_factory.mktemp("libraries")
    command = ["java", library, "-cp", os.pathsep.join(classes), MAIN, demo / "digits", artifact.name, empty]
    made = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert made.returncode == 0, made.stderr[-5000:]
    return dict(line.split("\t") for line in made.stdout.splitlines() if "\t" in line)


def test_the_npu_is_listed_with_a_folder_that_has_no_library(facts):
    assert facts["accelerators"] == "CPU"
    assert facts["accelerators with a folder"] == "CPU, NPU"


def test_the_npu_alone_is_the_npu_and_the_cpu_unless_none_is_with_it(facts):
    assert facts["NPU"] == facts["NPU, CPU"] == facts["CPU, NONE"] == "ok"
    for name in ("NPU, NONE", "NPU, NONE without a folder"):
        assert facts[name] == "LiteRtException: Failed to compile model"


def test_the_app_is_not_fooled(facts):
    assert facts["the ladder"].startswith(
        "CPU CERTAIN; the NPU's libraries (libLiteRtDispatch_*.so) are not in this app"
    )


def test_the_cpu_has_one_thread_unless_it_is_given_more(facts):
    assert facts["threads by default"] == "0"
    assert facts["threads of four"] == "3"


def test_types_are_those_of_the_file(facts, artifact):
    words = {"float32": "FLOAT", "int8": "INT8"}
    for name, tensor in (("input", artifact.input), ("output", artifact.outputs[0])):
        assert facts[name] == f"{words[tensor.dtype]} {list(tensor.shape)}"
    assert facts["no such output"].startswith("LiteRtException: ")
    assert facts["no such signature"].startswith("LiteRtException: ")


def test_what_was_closed_is_told(facts):
    assert {facts[f"a closed {name}"] for name in ("model", "buffer", "environment")} == {CLOSED}


def test_an_exception_says_its_message_alone(facts):
    assert facts["a status that is known"] == "LiteRtException: what"
    assert facts["a status that is not known"] == "IllegalArgumentException: Unknown status code: 77"
