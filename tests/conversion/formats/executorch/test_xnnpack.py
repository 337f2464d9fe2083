"""ExecuTorch files: their numbers and delegation, and the faults that preparation keeps away from this converter."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from samesight.contract.errors import SamesightError
from samesight.contract.spec import Input, ModelSpec, Outputs, Slice, parse_spec
from samesight.conversion.formats.executorch.xnnpack import convert
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.preparation import prepare as prepare_module
from samesight.conversion.preparation.equivalence import compare
from samesight.conversion.preparation.prepare import Prepared, pixels_of, prepare
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.runners.executorch import load
from support.images import blobs

pytestmark = pytest.mark.slow

torch.set_num_threads(1)
FLOOR = {"fp32": 90.0, "int8": 18.0}
SIDE = 16


def spec_of(classes=4, identity=False, std=0.5):
    """A classification; with `identity` the network takes the pixels as they are."""
    taken = {"value_range": (0, 255), "mean": (0,) * 3, "std": (1,) * 3} if identity else {}
    values = {"width": SIDE, "height": SIDE, "mean": (0.5,) * 3, "std": (std,) * 3, **taken}
    return ModelSpec(
        name="small",
        task="classification",
        input=Input(**values),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("abcdefgh"[:classes]),
    )


def export(network):
    return torch.export.export(network.eval(), (torch.zeros(1, 3, SIDE, SIDE),))


def fp32(prepared, folder):
    return convert(Lowering(prepared.spec, "fp32", prepared, None, folder / "small.pte"))


def int8(prepared, folder):
    quantized = quantize(prepared, blobs(prepared.spec))
    return convert(Lowering(prepared.spec, "int8", prepared, quantized, folder / "small.int8.pte"))


def ratio(made, reference, spec):
    """dB of a file's logits against a function of the input tensor."""
    runner = load(made.path, made)
    found = torch.cat([torch.from_numpy(runner(p)["logits"]) for p in blobs(spec)])
    with torch.no_grad():
        return compare(torch.cat([reference(p) for p in blobs(spec)]), found)[0]


@pytest.fixture
def lowered(boxes_file):
    """The files of a small detector with two outputs, by precision."""
    return {precision: boxes_file("executorch", precision) for precision in FLOOR}


@pytest.mark.parametrize("precision", FLOOR)
def test_it_is_described_and_wholly_delegated(lowered, precision):
    made = lowered[precision]
    assert made.delegated == 1.0
    assert (made.input_layout, made.input.shape, made.input.dtype) == ("float32_nchw", (1, 3, 24, 32), "float32")
    assert [(info.role, info.shape, info.dtype) for info in made.outputs] == [
        ("logits", (1, 48, 2), "float32"),
        ("boxes", (1, 48, 4), "float32"),
    ]
    assert made.runtime_version == made.tools["executorch"]


def test_the_spec_is_inside(lowered, boxes_spec):
    import executorch.extension.pybindings._C as native

    module = native._load_for_executorch(str(lowered["int8"].path))
    assert sorted(module.method_names()) == ["forward", "model_json", "quanta_json"]
    assert parse_spec(module.run_method("model_json", [])[0], "x") == boxes_spec


def test_loading_imports_only_the_runtime_and_is_silent(lowered):
    code = (
        "import sys\nfrom pathlib import Path\nfrom types import SimpleNamespace as N\nimport numpy as np\n"
        "from samesight.conversion.runners.executorch import load\n"
        "outputs = [N(role='logits'), N(role='boxes')]\n"
        "info = N(input_layout='float32_nchw', input=N(shape=(1, 3, 24, 32)), outputs=outputs)\n"
        f"r = load(Path({str(lowered['int8'].path)!r}), info)\n"
        "r(np.zeros((24, 32, 3), np.uint8))\n"
        "print([name for name in ('executorch.exir', 'torchao', 'torch._dynamo') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_our_quantizer_asks_for_what_xnnpacks_quantizer_asks_for():
    """The same scales and the same integers, on a network without that where ours differs on purpose.

    The standard deviation is so small that the normalisation's weights are no less than 127 of XNNPACK's least scale.
    """
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from samesight.conversion.quantization.quantizer import PhoneQuantizer

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.one, self.two = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 1)
            self.group, self.head = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Linear(16 * 4, 4)

        def forward(self, x):
            x = F.relu(self.stem(x))
            x = F.relu(x + self.two(F.relu(self.one(x))))
            x = F.max_pool2d(torch.cat([x, self.group(x)], 1), 4)
            return self.head(x.flatten(1))

    torch.manual_seed(0)
    prepared = prepare(export(Net()), spec_of(std=0.1))
    config = get_symmetric_quantization_config(is_per_channel=True)
    results = []
    for quantizer in (PhoneQuantizer(), XNNPACKQuantizer().set_global(config)):
        watched = prepare_pt2e(prepared.exported.module(), quantizer)
        with torch.no_grad():
            for picture in blobs(prepared.spec):
                watched(pixels_of(picture[None]))
            folded = convert_pt2e(watched)
            results.append(torch.cat([folded(pixels_of(p[None]))[0] for p in blobs(prepared.spec)]))
    assert results[0].std() > 0.01
    assert torch.equal(*results)


# --- faults that preparation prevents


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Linear(8 * 64, 4)

    def forward(self, x):
        return self.head(F.relu(self.stem(x)).flatten(1))


def test_the_strides_of_the_example_are_baked_in_without_preparation(tmp_path):
    """A program exported for a permuted HWC image reads every contiguous image wrongly, and says nothing."""
    spec = spec_of(identity=True)
    network = Small().eval()
    strided = torch.zeros(1, SIDE, SIDE, 3).permute(0, 3, 1, 2)
    program = torch.export.export(network, (strided,))

    def reference(picture):
        return network(pixels_of(picture[None]))

    class Tuple(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, image):
            return (self.network(image),)

    raw = Prepared(spec, torch.export.export(Tuple(), (strided,)), 0.0, {})
    assert ratio(fp32(raw, tmp_path), reference, spec) < 10
    assert ratio(fp32(prepare(program, spec), tmp_path), reference, spec) > 90


class SharedHead(nn.Module):
    """One depthwise convolution on two scales, whose values have different ranges."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.down = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)
        self.head, self.last = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Linear(8 * 80, 4)

    def forward(self, x):
        x = F.relu(self.stem(x))
        levels = [F.relu(self.head(level)).flatten(1) for level in (x, 5 * F.relu(self.down(x)))]
        return self.last(torch.cat(levels, 1))


def test_int8_with_a_shared_convolution_is_wrong_without_the_pass(monkeypatch, tmp_path):
    """Silently: both calls get the integers of one bias, though their scales differ."""
    spec, program = spec_of(), export(SharedHead())
    reference = prepare(program, spec).module

    def logits(picture):
        return reference(pixels_of(picture[None]))[0]

    assert ratio(int8(prepare(program, spec), tmp_path), logits, spec) > 18
    monkeypatch.setattr(prepare_module, "unshare", lambda module: 0)
    assert ratio(int8(prepare(program, spec), tmp_path), logits, spec) < 6


def test_prelu_behind_a_linear_layer_is_refused_without_the_pass(monkeypatch, tmp_path):
    spec = spec_of()
    program = export(nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Flatten(), nn.Linear(64, 4), nn.PReLU(4)))
    made = fp32(prepare(program, spec), tmp_path)
    assert made.delegated == 1.0
    monkeypatch.setattr(prepare_module, "rewrite_prelu", lambda module: 0)
    with pytest.raises(SamesightError, match="ExecuTorch cannot take"):
        fp32(prepare(program, spec), tmp_path)


def test_a_mean_without_kept_axes_splits_the_graph_without_the_pass(monkeypatch, tmp_path):
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

        def forward(self, x):
            return self.head(self.stem(x).mean((2, 3)))

    spec, program = spec_of(), export(Mean())
    assert fp32(prepare(program, spec), tmp_path).delegated == 1.0
    monkeypatch.setattr(prepare_module, "rewrite_global_means", lambda module: 0)
    assert fp32(prepare(program, spec), tmp_path).delegated < 1.0


def test_a_ceiling_without_effect_does_not_split_the_graph(monkeypatch, tmp_path):
    spec = spec_of()
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.AvgPool2d(2, 2, ceil_mode=True), nn.Conv2d(8, 4, 4), nn.Flatten()
    )
    prepared = prepare(export(network), spec)
    made = fp32(prepared, tmp_path)
    assert made.delegated == 1.0
    assert ratio(made, lambda p: prepared.module(pixels_of(p[None]))[0], spec) > 90
    monkeypatch.setattr(prepare_module, "rewrite_pools", lambda module: 0)
    assert fp32(prepare(export(network), spec), tmp_path).delegated < 1.0


def test_what_xnnpack_does_not_take_lowers_the_share(tmp_path):
    class Nearest(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3)

        def forward(self, x):
            return F.adaptive_avg_pool2d(self.head(F.interpolate(self.stem(x), scale_factor=2)), 1).flatten(1)

    spec, program = spec_of(), export(Nearest())
    prepared = prepare(program, spec)
    made = fp32(prepared, tmp_path)
    assert 0.5 < made.delegated < 1.0
    assert ratio(made, lambda p: prepared.module(pixels_of(p[None]))[0], spec) > 90


def test_an_operator_that_it_lacks_is_named_with_its_module(tmp_path):
    class Odd(nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(x)

    program = export(nn.Sequential(nn.Conv2d(3, 4, 16), Odd(), nn.Flatten()))
    with pytest.raises(SamesightError) as refused:
        fp32(prepare(program, spec_of()), tmp_path)
    assert str(refused.value).startswith(
        "ExecuTorch cannot take the operator aten.special_bessel_j0.default in 1 (Odd); write that module"
    )
    assert not (tmp_path / "small.pte").exists()
