"""What was compiled ahead of time for an NPU, in the Android app's engine over the real LiteRT of this computer.

There is no NPU here: what counts is that no other unit takes its place, with or without the CPU beside it. So an NPU
that runs such a file is certain to have run.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ai_edge_litert
import pytest

from samesight.contract.bundle import open_bundle, seal
from samesight.contract.manifest import Plan
from samesight.conversion.child_process import child_environment
from samesight.conversion.environments import ENVIRONMENTS, PYTHON

MAIN = "samesight.host.CompiledFileKt"
NAME = "digits.fp16.SM8650.tflite"
COMPILE = """
import sys, tempfile
from pathlib import Path
from samesight.conversion.npu.compiler import compile_for
with tempfile.TemporaryDirectory() as folder:
    Path(sys.argv[2]).write_bytes(compile_for("SM8650", Path(sys.argv[1]), Path(folder)).model)
"""


@pytest.fixture(scope="module")
def facts(tool, reactor, demo, tmp_path_factory):
    """Fact by name, of the demo's classifier compiled for SM8650."""
    tool("snapdragon")
    folder = tmp_path_factory.mktemp("compiled") / "digits"
    shutil.copytree(demo / "digits", folder)
    bundle = open_bundle(folder)
    source = bundle.find("digits.fp32.tflite")
    command = [
        ENVIRONMENTS["snapdragon"].interpreter(),
        "-c",
        COMPILE,
        bundle.path(source),
        folder / "artifacts" / NAME,
    ]
    environment = {**child_environment(), PYTHON: sys.executable}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    changes = {"name": NAME, "file": f"artifacts/{NAME}", "precision": "fp16", "unit": "npu", "soc": ("SM8650",)}
    compiled = source.model_copy(update={**changes, "plan": Plan(pieces=1, operators=20)})
    seal(folder, bundle.spec, (*bundle.manifest.artifacts, compiled), bundle.manifest.data, bundle.manifest.samesight)
    libraries = tmp_path_factory.mktemp("libraries")
    (libraries / "libLiteRtDispatch_Qualcomm.so").write_bytes(b"")
    target = reactor / "host" / "target"
    classes = [str(target / "classes"), str(target / "test-classes"), (target / "classpath").read_text()]
    library = f"-Djna.library.path={Path(ai_edge_litert.__file__).parent}"
    made = subprocess.run(
        ["java", library, "-cp", os.pathsep.join(classes), MAIN, folder, NAME, libraries],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert made.returncode == 0, made.stderr[-5000:]
    return dict(line.split("\t") for line in made.stdout.splitlines() if "\t" in line)


def test_the_file_is_known_as_compiled(facts):
    assert facts["dispatch"] == "true" and facts["chips"] == "SM8650"
    assert facts["plan"] == "Plan(pieces=1, operators=20, left=[])"


def test_no_unit_takes_the_npus_place(facts):
    for unit in ("CPU", "GPU"):
        for mode in [name for name in facts if name.startswith(f"{unit} ")]:
            assert facts[mode] == f"artifact {NAME}: was compiled for an NPU, and the {unit} cannot run it"
    # LiteRT takes the file, finds no NPU when it is to run, and does not fall back to the CPU, even where it may.
    for mode in ("NPU ALONE", "NPU WITH_CPU"):
        assert facts[mode].endswith("LiteRT refuses: the run"), facts
