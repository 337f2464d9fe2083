"""Each pass prevents a fault: the fault is shown without the pass, and its absence with it."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from samesight.contract.errors import SamesightError
from samesight.contract.spec import BoxCoding, Detection, Input, ModelSpec, Outputs, Slice
from samesight.conversion.normalisation import affine_of
from samesight.conversion.preparation import prepare as prepare_module
from samesight.conversion.preparation.distinct_biases import unequal
from samesight.conversion.preparation.equivalence import compare
from samesight.conversion.preparation.normalisation import normalise
from samesight.conversion.preparation.prepare import in_float64, pixels_of, prepare
from samesight.conversion.quantization.quantize import as_network, quantize

torch.set_num_threads(1)
SIDE = 16


def classifier_spec(classes=4, **changes):
    values = {"width": SIDE, "height": SIDE, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), **changes}
    return ModelSpec(
        name="small",
        task="classification",
        input=Input(**values),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("abcdefgh"[:classes]),
    )


def detector_spec(tensors, roles, stride=4, classes=2):
    return ModelSpec(
        name="small",
        task="detection",
        input=Input(width=SIDE, height=SIDE, mean=(0.5,) * 3, std=(0.5,) * 3),
        outputs=Outputs(tensors=tensors, roles=roles, activation="sigmoid"),
        detection=Detection(boxes=BoxCoding(coding="distances", strides=(stride,))),
        labels=tuple("abcdefgh"[:classes]),
    )


def export(network, channels=3, side=SIDE, warm=True):
    """A network with BatchNorm statistics unlike their start, exported in evaluation mode."""
    torch.manual_seed(1)
    if warm:
        with torch.no_grad():
            for _ in range(3):
                network.train()(torch.randn(4, channels, side, side) * 2 + 1)
    return torch.export.export(network.eval(), (torch.zeros(1, channels, side, side),))


def images(count=6, side=SIDE, channels=3):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def run(program, spec, tensors):
    """The original network on the contract's tensors: one array per output."""
    outputs = [program.module()(normalise(pixels_of(t[None]), spec.input)) for t in tensors]
    outputs = [o if isinstance(o, (tuple, list)) else (o,) for o in outputs]
    return [torch.cat([o[k] for o in outputs]).detach() for k in range(len(outputs[0]))]


def run_prepared(module, tensors):
    outputs = [module(pixels_of(t[None])) for t in tensors]
    return [torch.cat([o[k] for o in outputs]).detach() for k in range(len(outputs[0]))]


def targets(prepared):
    return [str(node.target) for node in prepared.module.graph.nodes if node.op == "call_function"]


class SharedHead(nn.Module):
    """One head on two scales, as FCOS has it."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.head = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1)
        )

    def forward(self, x):
        x = F.relu(self.stem(x))
        return (self.head(x).mean((2, 3)) + self.head(F.max_pool2d(x, 2)).mean((2, 3))).flatten(1)


def test_pt2e_folds_a_shared_batch_norm_twice_and_the_passes_prevent_it():
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

    from samesight.conversion.quantization.quantizer import PhoneQuantizer

    spec, program, tensors = classifier_spec(), export(SharedHead()), images()
    wanted = run(program, spec, tensors)[0]

    def ratio(module, inputs):
        with torch.no_grad():
            watched = prepare_pt2e(module, PhoneQuantizer())  # observers do not change values
            return compare(wanted, torch.cat([out if torch.is_tensor(out) else out[0] for out in map(watched, inputs)]))

    pixels = [pixels_of(t[None]) for t in tensors]
    without = ratio(program.module(), [normalise(p, spec.input) for p in pixels])
    prepared = prepare(program, spec, tensors)
    assert without[0] < 20
    assert prepared.changes["unshared"] > 0
    assert ratio(prepare(program, spec).module, pixels)[0] > 100


class Layers(nn.Module):
    """BatchNorm behind every kind of layer, and behind none."""

    def __init__(self):
        super().__init__()
        self.first = nn.BatchNorm2d(3)
        self.conv = nn.Conv2d(3, 6, 3, padding="same", bias=False)
        self.after_conv = nn.BatchNorm2d(6)
        self.up = nn.ConvTranspose2d(6, 8, 2, 2, groups=2)
        self.after_up = nn.BatchNorm2d(8)
        self.twice_read = nn.BatchNorm2d(8, affine=False)
        self.linear = nn.Linear(8, 4)
        self.after_linear = nn.BatchNorm1d(4)

    def forward(self, x):
        x = F.relu_(self.after_conv(self.conv(self.first(x))))
        x = self.after_up(self.up(x))
        x = x + self.twice_read(x)
        return self.after_linear(self.linear(x.mean((2, 3))))


def test_every_batch_norm_becomes_part_of_a_layer():
    program = export(Layers())
    prepared = prepare(program, classifier_spec(), images())
    assert prepared.changes["batch norms fused"] == 5
    assert not any("batch_norm" in target for target in targets(prepared))
    assert prepared.decibels > 100


class Older(nn.Module):
    """What older networks do: PReLU, a pool with ceiling, ReLU6, a flattened map into a linear layer."""

    def __init__(self):
        super().__init__()
        self.stem, self.bend = nn.Conv2d(3, 8, 3, 2, 1), nn.PReLU(8)
        self.pool = nn.AvgPool2d(2, ceil_mode=True)
        self.hidden, self.low, self.head = nn.Linear(8 * 16, 16), nn.PReLU(), nn.Linear(16, 4)

    def forward(self, x):
        x = F.relu6(self.pool(self.bend(self.stem(x))))
        return self.head(self.low(self.hidden(x.view(-1, 8 * 16))))


class Heads(nn.Module):
    """A detector whose positions are flattened before its channels are moved to the end."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.logits, self.boxes = nn.Conv2d(8, 2, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x):
        x = self.stem(x)
        return self.logits(x).flatten(2).permute(0, 2, 1), self.boxes(x).flatten(2).transpose(1, 2)


HEADS = detector_spec(("logits", "boxes"), {"logits": Slice(tensor="logits"), "boxes": Slice(tensor="boxes")})


@pytest.mark.parametrize(
    ("network", "spec"),
    [(Layers, classifier_spec()), (Older, classifier_spec()), (SharedHead, classifier_spec()), (Heads, HEADS)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_preparing_twice_changes_nothing(network, spec):
    """A fine-tuned run hands over a prepared network with the ranges of its values, by name."""
    once = prepare(export(network()), spec, images())
    again = prepare(*as_network(once), images())
    assert [(n.name, str(n.target)) for n in again.module.graph.nodes] == [
        (n.name, str(n.target)) for n in once.module.graph.nodes
    ]
    ranges = quantize(once, images()).ranges
    assert quantize(again, None, ranges).ranges.tensors == ranges.tensors
    for one, other in zip(run_prepared(once.module, images()), run_prepared(again.module, images()), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_batch_norm_behind_a_reused_result_is_not_folded_into_its_layer():
    class Reused(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x):
            x = self.conv(x)
            return (x + self.norm(x)).mean((2, 3))

    assert prepare(export(Reused()), classifier_spec(), images()).decibels > 100


def test_a_decomposed_program_comes_to_the_same_operators():
    program = export(Layers())
    decomposed = program.run_decompositions()
    assert any("convolution" in str(node.target) for node in decomposed.graph.nodes)
    prepared = prepare(decomposed, classifier_spec(), images())
    assert targets(prepared).count("aten.conv2d.default") == targets(prepare(program, classifier_spec())).count(
        "aten.conv2d.default"
    )
    assert "aten.linear.default" in targets(prepared)


def test_uneven_padding_by_name_is_exact():
    network = nn.Sequential(nn.Conv2d(3, 4, (2, 4), padding="same"), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    prepared = prepare(export(network, warm=False), classifier_spec(), images())
    assert not any("padding" in target for target in targets(prepared))


def test_prelu_is_rewritten_exactly_and_can_be_quantized():
    class Slopes(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.one, self.linear = nn.Conv2d(3, 8, 8, 8), nn.PReLU(8), nn.Linear(32, 4)
            self.two = nn.PReLU(init=0.6)
            nn.init.uniform_(self.one.weight, -0.5, 0.9)

        def forward(self, x):
            return self.two(self.linear(self.one(self.conv(x)).flatten(1)))

    spec, tensors = classifier_spec(), images(24)
    program = export(Slopes(), warm=False)
    prepared = prepare(program, spec, tensors)
    assert "aten.prelu.default" not in targets(prepared)
    quantized = quantize(prepared, tensors)
    wanted = run(program, spec, tensors)[0]
    assert compare(wanted, run_prepared(prepared.module, tensors)[0])[0] > 110
    assert compare(wanted, run_prepared(quantized.folded, tensors)[0])[0] > 18
    floats = [n for n in quantized.folded.graph.nodes if str(n.target) == "aten.relu.default"]
    assert floats
    assert all(any(word in str(n.args[0].target) for word in ("dequantize", "conv2d", "mul", "linear")) for n in floats)


@pytest.mark.parametrize("equal", [-8.0, -4.6, 3.0])
def test_an_all_equal_bias_differs_in_the_last_bit_only(equal):
    bias = torch.full((5,), equal)
    changed = unequal(bias)
    assert (changed != bias).sum() == 1
    assert (changed - bias).abs().max() <= abs(equal) * 2**-23
    assert abs(changed[-1]) < abs(equal)


@pytest.mark.parametrize("bias", [[0.0, 0.0, 0.0], [1.0, 1.0, 2.0], [3.0], [-0.0, 0.0]])
def test_other_biases_are_left_alone(bias):
    bias = torch.tensor(bias)
    assert unequal(bias) is bias


# --- normalisation


@pytest.mark.parametrize(
    ("low", "high", "mean", "std"),
    [
        (0, 1, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (-1, 1, (0, 0, 0), (1, 1, 1)),
        (0, 255, (120, 0, 3), (1, 60, 2)),
    ],
)
def test_normalisation_is_prepended_as_a_depthwise_convolution(low, high, mean, std):
    spec = classifier_spec(value_range=(low, high), mean=mean, std=std)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    prepared = prepare(export(network, warm=False), spec, images())
    first = next(node for node in prepared.module.graph.nodes if node.op == "call_function")
    assert str(first.target) == "aten.conv2d.default"
    assert first.args[6] == 3
    pixels = torch.rand(1, 3, 8, 8) * 255
    plain = (low + pixels / 255 * (high - low) - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(normalise(pixels, spec.input), plain, rtol=1e-5, atol=1e-5)
    lowest, highest = affine_of(spec.input).bounds
    assert lowest <= float(plain.min())
    assert float(plain.max()) <= highest


def test_a_network_that_takes_pixels_gets_no_normalisation():
    spec = classifier_spec(value_range=(0, 255), mean=(0, 0, 0), std=(1, 1, 1))
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    prepared = prepare(export(network, warm=False), spec, images())
    assert prepared.changes["normalisation"] == 0
    assert prepared.decibels == math.inf


def test_one_channel():
    spec = classifier_spec(channels="grey", mean=(0.5,), std=(0.3,))
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    prepared = prepare(export(network, channels=1), spec, images(channels=1))
    assert prepared.decibels > 100
    assert quantize(prepared, images(channels=1)).ranges.tensors["image"].zero_point == -128


# --- roles


class Mixed(nn.Module):
    """Boxes of hundreds of pixels and scores near zero: in one tensor, as many exported detectors have them."""

    def __init__(self, how):
        super().__init__()
        self.how, self.stem = how, nn.Conv2d(3, 8, 4, 4)
        self.boxes, self.scores, self.both = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 2, 1), nn.Conv2d(8, 6, 1)
        with torch.no_grad():
            self.boxes.weight.mul_(200)
            self.both.weight[:4].mul_(200)

    def forward(self, x):
        x = F.relu(self.stem(x))
        if self.how == "one convolution":
            return self.both(x).flatten(2)
        if self.how == "permuted":
            return torch.cat([self.boxes(x), self.scores(x)], 1).permute(0, 2, 3, 1).reshape(1, 16, 6)
        if self.how == "levels":
            one, two = (torch.cat([self.boxes(y), self.scores(y)], 1).flatten(2) for y in (x[:, :, :2], x[:, :, 2:]))
            return torch.cat([one, two], 2)
        return torch.cat([self.boxes(x).flatten(2), self.scores(x).flatten(2)], 1)


@pytest.mark.parametrize("how", ["flat", "one convolution", "permuted", "levels"])
def test_mixed_outputs_are_split_where_they_are_computed(how):
    axis = 2 if how == "permuted" else 1
    roles = {
        "boxes": Slice(tensor="all", channel_axis=axis, start=0, stop=4),
        "logits": Slice(tensor="all", channel_axis=axis, start=4),
    }
    spec, tensors = detector_spec(("all",), roles), images(20)
    program = export(Mixed(how), warm=False)
    prepared = prepare(program, spec, tensors)
    logits, boxes = run_prepared(prepared.module, tensors)
    assert logits.shape == (20, 16, 2)
    assert boxes.shape == (20, 16, 4)
    assert "aten.slice.Tensor" not in [t for t in targets(prepared) if how != "levels"]
    quantized = quantize(prepared, tensors)
    assert compare(logits, run_prepared(quantized.folded, tensors)[0])[0] > 20
    # One grid for both, as without the split: the scores collapse.
    scale = quantized.outputs["boxes"].scale
    collapsed = torch.round(logits / scale) * scale
    assert compare(logits, collapsed)[0] < 5


def test_outputs_of_a_dictionary_are_found_by_name():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.boxes, self.scores = nn.Conv2d(3, 4, 4, 4), nn.Conv2d(3, 2, 4, 4)

        def forward(self, x):
            return {"box": self.boxes(x), "score": self.scores(x).flatten(2).transpose(1, 2), "unused": x.mean()}

    roles = {"logits": Slice(tensor="score"), "boxes": Slice(tensor="box")}
    prepared = prepare(export(Named(), warm=False), detector_spec(("score", "box"), roles), images())
    assert [tuple(out.shape) for out in prepared.module(prepared.example)] == [(1, 16, 2), (1, 16, 4)]


# --- what is refused


def two_heads(classes=2, side=4):
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.scores, self.boxes = nn.Conv2d(3, classes, side, side), nn.Conv2d(3, 4, side, side)

        def forward(self, x):
            return self.scores(x).flatten(2).transpose(1, 2), self.boxes(x).flatten(2).transpose(1, 2)

    return export(Heads(), warm=False)


PLAIN_ROLES = {"logits": Slice(tensor="a"), "boxes": Slice(tensor="b")}


@pytest.mark.parametrize(
    ("program", "spec", "words"),
    [
        (
            lambda: two_heads(3),
            lambda: detector_spec(("a", "b"), PLAIN_ROLES),
            "logits has 3 channels, but 2 labels need 2",
        ),
        (lambda: two_heads(side=8), lambda: detector_spec(("a", "b"), PLAIN_ROLES), "4 positions, but strides [4]"),
        (two_heads, lambda: detector_spec(("a", "b", "c"), PLAIN_ROLES), "returns 2 outputs, but the spec names 3"),
        (
            two_heads,
            lambda: detector_spec(("a", "b"), {**PLAIN_ROLES, "logits": Slice(tensor="a", start=1, stop=9)}),
            "'a' has 2 channels, but the spec takes logits from 1 to 9",
        ),
        (two_heads, lambda: classifier_spec(2), "returns 2 outputs, but the spec names 1"),
        (
            lambda: export(nn.Conv2d(3, 4, 3), warm=False),
            classifier_spec,
            "shape [1, 4, 14, 14], but logits must be [1, classes]",
        ),
        (
            lambda: torch.export.export(nn.Flatten(), (torch.zeros(1, 3, 8, 8),)),
            classifier_spec,
            "does not take one float32 input of shape [1, 3, 16, 16]",
        ),
        (
            lambda: torch.export.export(Layers().train(), (torch.zeros(4, 3, SIDE, SIDE),)),
            classifier_spec,
            "does not take one float32 input",
        ),
    ],
)
def test_a_network_that_contradicts_its_spec_is_refused(program, spec, words):
    with pytest.raises(SamesightError) as refused:
        prepare(program(), spec())
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert ";" in str(refused.value)


def test_training_mode_is_refused_with_the_module():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()).train()
    program = torch.export.export(network, (torch.zeros(1, 3, SIDE, SIDE),))
    with pytest.raises(SamesightError, match=r"batch normalisation at 1 \(BatchNorm2d\) is in training mode"):
        prepare(program, classifier_spec())


def test_random_networks_are_refused():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return self.conv(x).mean((2, 3)) + torch.rand(1, 4)

    with pytest.raises(
        SamesightError, match="two runs of the network on one image give different logits; take randomness out"
    ):
        prepare(export(Noisy(), warm=False), classifier_spec())


def test_a_faulty_pass_is_caught_by_the_proof(monkeypatch):
    def forgetful(module):
        for node in module.graph.nodes:
            if str(node.target) == "aten.relu.default":
                node.replace_all_uses_with(node.args[0])
                return 1
        return 0

    monkeypatch.setattr(prepare_module, "rewrite_prelu", forgetful)
    with pytest.raises(SamesightError, match="differ from the original"):
        prepare(export(SharedHead()), classifier_spec(), images())


def test_tiny_outputs_do_not_pass_by_being_tiny(monkeypatch):
    """An untrained network that gives 1e-9 passes every absolute tolerance; the proof asks for decibels."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    with torch.no_grad():
        network[4].weight.mul_(1e-9)
        network[4].bias.zero_()
    program = export(network, warm=False)
    assert prepare(program, classifier_spec(), images()).decibels > 100
    monkeypatch.setattr(prepare_module, "prepend_normalisation", lambda module, image, spec: 0)
    with pytest.raises(SamesightError, match="differ from the original"):
        prepare(program, classifier_spec(), images())


def test_a_proof_in_float64_leaves_the_program_in_float32():
    """The prepared program shares tensors with the original, and both once had doubles after such a proof."""
    program = export(SharedHead(), warm=False)
    in_float64(program, classifier_spec())(torch.zeros(1, 3, SIDE, SIDE, dtype=torch.float64))
    assert {tensor.dtype for tensor in program.state_dict.values() if tensor.is_floating_point()} == {torch.float32}
