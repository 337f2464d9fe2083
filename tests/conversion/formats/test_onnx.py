"""ONNX files: one file, float32 at its border, the one quantized program inside."""

import numpy as np
import pytest
import torch
from torch import nn

from samesight.contract.errors import SamesightError
from samesight.contract.spec import Input, ModelSpec, Outputs, Slice, parse_spec
from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.formats.onnx import convert
from samesight.conversion.preparation.prepare import prepare

pytestmark = pytest.mark.slow

torch.set_num_threads(1)
PRECISIONS = FORMATS["onnx"].precisions


@pytest.fixture
def lowered(boxes_file):
    """The files of a small detector with two outputs, by precision."""
    return {precision: boxes_file("onnx", precision) for precision in PRECISIONS}


def model_of(made):
    import onnx

    return onnx.load(str(made.path))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_its_tensors_are_described(lowered, precision):
    made = lowered[precision]
    assert (made.input_layout, made.input.shape, made.input.dtype) == ("float32_nchw", (1, 3, 24, 32), "float32")
    assert [(info.role, info.shape, info.dtype, info.scale) for info in made.outputs] == [
        ("logits", (1, 48, 2), "float32", None),
        ("boxes", (1, 48, 4), "float32", None),
    ]
    graph = model_of(made).graph
    assert [value.name for value in graph.input] == ["image"]
    assert [value.name for value in graph.output] == ["logits", "boxes"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_is_one_small_valid_file_with_the_spec_inside(lowered, boxes_spec, precision):
    import onnx

    made = lowered[precision]
    assert [path.name for path in made.path.parent.glob(f"boxes.{precision}.onnx*")] == [made.path.name]
    model = model_of(made)
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert parse_spec(metadata["model.json"], "x") == boxes_spec
    assert ("quanta.json" in metadata) == (precision in ("int8", "mixed"))
    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    rest = len(made.path.read_bytes()) - weights - len(metadata["model.json"])
    assert rest < 400 * len(model.graph.node)  # no stack traces, scopes or shapes of the exporter


def test_int8_computes_in_signed_integers_with_the_programs_scales(lowered, boxes_quantized):
    from onnx import numpy_helper

    graph = model_of(lowered["int8"]).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    quantizers = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert quantizers[0].input[0] == "image"
    assert {stored[node.input[2]].dtype for node in quantizers} == {np.dtype(np.int8)}
    assert (float(stored[quantizers[0].input[1]]), int(stored[quantizers[0].input[2]])) == (1.0, -128)
    scales = {float(stored[node.input[1]]) for node in quantizers}
    assert scales <= {grid.scale for grid in boxes_quantized.ranges.tensors.values()}
    weights = [
        stored[node.input[0]] for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in stored
    ]
    assert {weight.dtype for weight in weights if weight.ndim == 4} == {np.dtype(np.int8)}


def test_no_batch_norm_is_left_in_a_shared_head(tmp_path):
    """torch's exporter leaves the BatchNormalization of a module that is used twice."""

    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 3, 2, 1)
            self.head = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1), nn.BatchNorm2d(4), nn.ReLU())

        def forward(self, x):
            x = self.stem(x)
            return self.head(x).mean((2, 3)) + self.head(x[:, :, ::2, ::2]).mean((2, 3))

    spec = ModelSpec(
        name="small",
        task="classification",
        input=Input(width=16, height=16, mean=(0.5,) * 3, std=(0.5,) * 3),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("abcd"),
    )
    prepared = prepare(torch.export.export(Shared().eval(), (torch.zeros(1, 3, 16, 16),)), spec)
    made = convert(Lowering(spec, "fp32", prepared, None, tmp_path / "small.onnx"))
    kinds = [node.op_type for node in model_of(made).graph.node]
    assert kinds.count("Conv") == 4
    assert "BatchNormalization" not in kinds


def test_an_operator_that_it_lacks_is_named_with_its_module(tmp_path, boxes_spec):
    class Odd(nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(x)

    network = nn.Sequential(nn.Conv2d(3, 6, 4, 4), Odd(), nn.Flatten(2))
    prepared = prepare(torch.export.export(network.eval(), (torch.zeros(1, 3, 24, 32),)), boxes_spec)
    with pytest.raises(SamesightError) as refused:
        convert(Lowering(boxes_spec, "fp32", prepared, None, tmp_path / "small.onnx"))
    assert str(refused.value).startswith(
        "ONNX cannot take the operator aten.special_bessel_j0.default in 1 (Odd); write that module"
    )


def test_loading_imports_no_torch(lowered):
    import subprocess
    import sys

    code = (
        "import sys\nfrom pathlib import Path\nfrom types import SimpleNamespace as N\nimport numpy as np\n"
        "from samesight.conversion.runners.onnxruntime import load\n"
        f"r = load(Path({str(lowered['int8'].path)!r}), N(input_layout='float32_nchw', outputs=[N(role='logits')]))\n"
        "r(np.zeros((24, 32, 3), np.uint8))\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
    assert done.stderr == ""
