"""What a `.pte` computes inside: in XNNPACK, and in operators outside of it whose memory is used again."""

import tempfile
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from samesight.contract.manifest import TensorInfo
from samesight.conversion.runners import executorch


@dataclass(frozen=True)
class Tensors:
    input_layout = "float32_nchw"
    input = TensorInfo(name="image", role="image", shape=(1, 3, 8, 8), dtype="float32")
    outputs = (TensorInfo(name="logits", role="logits", shape=(1, 10), dtype="float32"),)


class Network(torch.nn.Module):
    """XNNPACK knows neither LayerNorm nor erf."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.head = torch.nn.LayerNorm(64), torch.nn.Linear(512, 10)

    def steps(self, image):
        steps = {"Conv2d": self.first(image / 255)}
        steps["Sin"] = torch.sin(steps["Conv2d"])
        steps["second"] = self.second(steps["Sin"]).relu()
        steps["native_layer_norm"] = self.norm(steps["second"].flatten(2))
        steps["erf"] = torch.erf(steps["native_layer_norm"])
        steps["FullyConnected"] = self.head(steps["erf"].flatten(1))
        return steps

    def forward(self, image):
        return self.steps(image)["FullyConnected"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    torch.manual_seed(0)
    network = Network().eval()
    program = torch.export.export(network, (torch.zeros(1, 3, 8, 8),))
    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    file = tmp_path_factory.mktemp("pte") / "network.pte"
    file.write_bytes(edge.to_executorch().buffer)
    return network, file


def test_every_value_is_that_of_the_network_and_the_outputs_are_those_of_the_file(made, monkeypatch, tmp_path):
    network, file = made
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    executorch.prepare_trace(tmp_path)
    loaded = executorch.load(file, Tensors())
    values = executorch.trace(file, Tensors())
    rng = np.random.default_rng(0)
    for _ in range(2):
        image = rng.integers(0, 256, (8, 8, 3), np.uint8)
        traced = values(image)
        with torch.no_grad():
            steps = network.steps(torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32)))
        for name, expected in steps.items():
            right = expected.numpy()
            like = [v.values for v in traced if v.values.size == right.size and name in (v.operator, "second")]
            layouts = [w for v in like for w in (v, np.moveaxis(v, -1, 1)) if w.shape == right.shape]
            assert any(np.allclose(w, right, atol=1e-4) for w in layouts), name
        assert np.array_equal(traced[-1].values, loaded(image)["logits"])
    kinds = [value.operator for value in traced]
    assert kinds.index("Sin") < kinds.index("native_layer_norm") < kinds.index("erf") < kinds.index("FullyConnected")


def test_nothing_of_a_trace_stands_in_memory_that_others_use_again(made, monkeypatch, tmp_path):
    _, file = made
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    executorch.prepare_trace(tmp_path)
    values = executorch.trace(file, Tensors())
    size = file.stat().st_size
    image = np.full((8, 8, 3), 7, np.uint8)
    # Python's and the C library's heaps give the memory of freed bytes to the next bytes of their size.
    others = [bytes([255]) * (size + 16 * step) for step in range(-200, 2000)]
    assert np.array_equal(values(image)[-1].values, executorch.load(file, Tensors())(image)["logits"])
    del others
