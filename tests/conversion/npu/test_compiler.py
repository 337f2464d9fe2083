"""LiteRT's compilers for NPUs: what they take, what they leave to the CPU and why, and where they are not."""

import json
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest

from samesight.contract.errors import SamesightError
from samesight.conversion.child_process import child_environment
from samesight.conversion.environments import ENVIRONMENTS, PYTHON
from samesight.conversion.npu.compiler import compile_for, read_plan
from samesight.conversion.npu.contexts import read_contents

NETWORK = """
    import sys, torch, litert_torch

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.Conv2d(8, 8, 3, 2, 1)

        def forward(self, x):
            return torch.relu(self.second(torch.atan(torch.relu(self.first(x)))))

    open(sys.argv[1], "wb").write(litert_torch.convert(Network().eval(), (torch.randn(1, 3, 16, 16),)).model_content())
"""
COMPILE = """
    import sys, tempfile
    from pathlib import Path
    from samesight.conversion.npu.compiler import compile_for
    with tempfile.TemporaryDirectory() as folder:
        compiled = compile_for("SM8650", Path(sys.argv[1]), Path(folder))
    print(compiled.plan.model_dump_json())
"""


def run(interpreter, code, *arguments):
    environment = {**child_environment(), PYTHON: sys.executable}
    command = [interpreter, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_what_the_npu_leaves_is_named_with_the_reason(tool, tmp_path):
    """An arctangent between two convolutions: Qualcomm's compiler has none, so the network falls into two pieces."""
    tool("snapdragon")
    run(sys.executable, NETWORK, tmp_path / "n.tflite")
    left = [{"kind": "ATAN2", "count": 1, "reason": "Qualcomm's compiler has no such operator"}]
    plan = json.loads(run(ENVIRONMENTS["snapdragon"].interpreter(), COMPILE, tmp_path / "n.tflite").splitlines()[-1])
    assert plan["pieces"] == 2 and plan["left"] == left
    whole = read_contents((tmp_path / "n.tflite").read_bytes())
    assert whole.contexts == () and plan["operators"] == sum(whole.left.values())


# Lines of LiteRT 2.3's tool, of a network of int8 weights and int16 activations.
LOG = """\
ERROR: [qnn_manager.cc:480]
QNN op validation failed: 'Pad_4' (type=Pad)
  Inputs:
    [0] name="0_litert_29" dtype=QNN_DATATYPE_SFIXED_POINT_16 dims=[1,32,32,16] per-tensor-quant
  QNN error=3110. See the QNN validator log lines above for the specific reason.
ERROR: [qnn_compiler_plugin.cc:538]
LiteRT Op #3 'Conv2d' (code=3) is not supported in Qualcomm Compiler.
ERROR: [qnn_compose_graph.cc:1722]
LiteRT Op #4 'Atan2' (code=156) is not supported in Qualcomm Compiler.
INFO: [compiler_plugin.cc:742] Partitioned subgraph<0>, selected 18 ops, from a total of 20 ops.
LiteRT Op #0 'Relu' (code=19) is not supported in Qualcomm Compiler.
"""


def test_reasons_are_read_from_what_the_compiler_says(monkeypatch):
    contents = SimpleNamespace(contexts=(1, 2), left={"CONV_2D": 9, "ATAN2": 1, "RELU": 1})
    monkeypatch.setattr("samesight.conversion.npu.compiler.read_contents", lambda model: contents)
    stats = SimpleNamespace(subgraph_stats=[SimpleNamespace(subgraph_index=0, num_total_ops=20)])
    plan = read_plan(b"", stats, LOG, "Qualcomm")
    assert (plan.pieces, plan.operators) == (2, 20)
    assert {one.kind: (one.count, one.reason) for one in plan.left} == {
        "CONV_2D": (9, "the NPU does not take its types, SFIXED_POINT_16"),
        "ATAN2": (1, "Qualcomm's compiler has no such operator"),
        "RELU": (1, "Qualcomm's compiler does not say why"),
    }


@pytest.mark.demo
@pytest.mark.parametrize(
    ("chip", "title", "library"),
    [
        ("MT6991", "MediaTek", "NeuronAdapter"),
        ("Tensor G4", "Google", "liblitert_plugin_compiler.so"),
        ("s5e9965", "Samsung", "libLiteRtCompilerPlugin_Samsung.so"),
    ],
)
def test_other_makers_compilers_are_started_as_litert_starts_them(demo, tmp_path, chip, title, library):
    """Without the maker's libraries LiteRT's plugin refuses; with them it is this very call that compiles."""
    source = demo / "digits/artifacts/digits.fp32.tflite"
    with pytest.raises(
        SamesightError, match=rf"^{source}: {title}'s compiler fails for {chip} \([^\n]*{library}[^\n]*\)$"
    ):
        compile_for(chip, source, tmp_path)
    assert not (source.parent / "_compiled_models").exists()
