"""ExecuTorch with Vulkan: made whole for the GPU, never called passed here, and in no app."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from samesight.contract.archive import choose
from samesight.contract.bundle import Bundle, open_bundle, replacing_bundle, seal
from samesight.contract.errors import SamesightError
from samesight.contract.golden import write_cases
from samesight.contract.manifest import Artifact
from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.conversion.cost.network import file_cost
from samesight.conversion.cost.program import program_cost
from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.executorch.vulkan import convert
from samesight.conversion.formats.executorch.vulkan_depthwise import with_dense_convolutions
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.parity.results import run_artifacts
from samesight.conversion.parity.verify import judge_bundle
from samesight.conversion.preparation.prepare import example_of, pixels_of, prepare
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.runners import runner_of
from samesight.conversion.runners.executorch import load

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory, digits_prepared, digits_quantized):
    folder = tmp_path_factory.mktemp("vulkan")

    def make(precision):
        path = folder / f"digits.{precision}.vulkan.pte"
        return convert(Lowering(digits_prepared.spec, precision, digits_prepared, digits_quantized, path))

    return {precision: make(precision) for precision in FORMATS["executorch-vulkan"].precisions}


def test_the_gpu_takes_the_whole_network(made):
    for lowered in made.values():
        assert (lowered.unit, lowered.delegated, lowered.runtime) == ("gpu", 1.0, "ExecuTorch with Vulkan")
        assert b"VulkanBackend" in lowered.path.read_bytes()
    sizes = {precision: lowered.path.stat().st_size for precision, lowered in made.items()}
    assert sizes["fp16"] < 0.65 * sizes["fp32"]
    assert sizes["int8"] < 0.5 * sizes["fp32"]
    assert b"q8ta_conv2d" in made["int8"].path.read_bytes(), "int8 convolutions, not floats between them"


def test_what_a_file_costs_is_read_from_its_graph(made, digits_prepared):
    """The network's own numbers; in int8 the normalisation has six products more for each pixel."""
    network = program_cost(digits_prepared.exported)
    pixels = digits_prepared.spec.input.height * digits_prepared.spec.input.width
    costs = {precision: file_cost(lowered.path, "executorch-vulkan") for precision, lowered in made.items()}
    for precision, width in (("fp32", 4), ("fp16", 2)):
        cost = costs[precision]
        assert (cost.macs, cost.parameters) == (network.macs, network.parameters)
        assert cost.weight_bytes == width * network.parameters
        assert cost.parts["Vulkan"] == sum(cost.operators.values()) and cost.parts["ExecuTorch"] == 0
    assert costs["int8"].macs == network.macs + 6 * pixels
    assert costs["int8"].parameters == network.parameters + 6
    assert costs["int8"].weight_bytes < 1.1 * network.parameters
    assert costs["fp32"].activation_bytes == 2 * costs["fp16"].activation_bytes > costs["int8"].activation_bytes


class Rare(nn.Module):
    """A depthwise, a grouped and a transposed convolution, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.wide, self.depthwise = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, groups=8)
        self.grouped, self.up = nn.Conv2d(8, 16, 1, groups=2), nn.ConvTranspose2d(16, 8, 2, 2)
        self.last = nn.Linear(8, 2)

    def forward(self, x):
        return self.last(self.up(self.grouped(torch.relu(self.depthwise(self.wide(x))))).mean((2, 3)))


def test_rarer_layers_cost_what_torch_counts(tmp_path):
    spec = ModelSpec(
        name="rare",
        task="classification",
        input=Input(width=32, height=32, mean=(0.5,) * 3, std=(0.5,) * 3),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=("a", "b"),
    )
    network = Rare().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
    macs = counter.get_total_flops() // 2
    prepared = prepare(torch.export.export(network, (torch.zeros(1, 3, 32, 32),)), spec)
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    quantized = quantize(prepared, images)
    normalisation = 3 * 32 * 32
    for precision, first in (("fp32", normalisation), ("int8", 3 * normalisation)):
        path = tmp_path / f"rare.{precision}.vulkan.pte"
        convert(Lowering(spec, precision, prepared, quantized, path))
        assert file_cost(path, "executorch-vulkan").macs == macs + first, precision


def depthwise_of_three(module):
    return [node for node in module.graph.nodes if "conv2d" in str(node.target) and node.args[6:7] == (3,)]


def test_dense_convolutions_give_the_values_of_the_depthwise_ones(digits_quantized, digits_inputs):
    before = {str(node.target) for node in digits_quantized.folded.graph.nodes if node.op == "get_attr"}
    dense = with_dense_convolutions(digits_quantized.folded, example_of(digits_quantized.spec)).module()
    assert {str(node.target) for node in digits_quantized.folded.graph.nodes if node.op == "get_attr"} == before
    assert depthwise_of_three(digits_quantized.folded), "the normalisation"
    assert not depthwise_of_three(dense)
    with torch.no_grad():
        for picture in digits_inputs[:4]:
            pixels = pixels_of(picture[None])
            for actual, expected in zip(dense(pixels), digits_quantized.folded(pixels), strict=True):
                assert torch.equal(actual, expected)


def test_it_is_not_executed_here_and_does_not_pass(made, tmp_path, digits_prepared):
    lowered, spec = made["fp16"], digits_prepared.spec
    with pytest.raises(SamesightError, match="ExecuTorch cannot load it"):
        load(lowered.path, lowered)
    with replacing_bundle(tmp_path / "b") as new:
        (new / "artifacts").mkdir()
        (new / "artifacts" / lowered.path.name).write_bytes(lowered.path.read_bytes())
        (new / "model.json").write_text(spec.to_json())
        write_cases(new, [])
        artifact = Artifact(
            name=lowered.path.name,
            file=f"artifacts/{lowered.path.name}",
            format="executorch-vulkan",
            precision="fp16",
            unit=lowered.unit,
            platforms=FORMATS["executorch-vulkan"].platforms,
            runtime=lowered.runtime,
            runtime_version=lowered.runtime_version,
            input_layout=lowered.input_layout,
            input=lowered.input,
            outputs=lowered.outputs,
            tools=lowered.tools,
            delegated=lowered.delegated,
            bytes=0,
        )
        seal(new, spec, (artifact,), None, "test")
    bundle: Bundle = open_bundle(tmp_path / "b")
    (verdict,) = judge_bundle(bundle, run_artifacts(bundle)).artifacts
    assert verdict.passed is None and verdict.runner is None and verdict.unit == "gpu"
    assert verdict.reason == runner_of("executorch-vulkan").missing()
    assert verdict.reason.startswith("not executed here: ExecuTorch's runtime on this computer has no Vulkan")
    with pytest.raises(SamesightError, match="has no artifact for android"):
        choose(bundle, "android")
