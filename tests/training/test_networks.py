"""Networks: what the phones' runtimes are given, by default and from timm."""

from urllib.error import URLError

import pytest
import torch
import torchvision
from torchvision.models import WeightsEnum

from samesight.contract.errors import SamesightError, UsageError
from samesight.training.models.build import build_network
from samesight.training.models.losses import detection_loss


def build(model, task, side=64, pretrained=False):
    return build_network(model, task, 10, 0.1, pretrained, side)


@pytest.mark.parametrize(
    ("task", "side", "parameters", "shapes"),
    [("classification", 64, 170_000, [(1, 10)]), ("detection", 128, 145_000, [(1, 1024, 10), (1, 1024, 4)])],
)
def test_default_nets_are_small_and_made_for_phones(task, side, parameters, shapes):
    module = build("default", task).module.eval()
    assert 0.8 * parameters < sum(p.numel() for p in module.parameters()) < parameters
    program = torch.export.export(module, (torch.zeros(1, 3, side, side),))
    outputs = program.module()(torch.zeros(1, 3, side, side))
    assert [tuple(o.shape) for o in ([outputs] if task == "classification" else outputs)] == shapes
    operators = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    for bad in ("exp", "softmax", "sigmoid", "hardswish", "upsample_nearest", "mean.dim", "squeeze"):
        assert not any(bad in operator for operator in operators), bad
    values = [node.meta["val"] for node in program.graph.nodes if isinstance(node.meta.get("val"), torch.Tensor)]
    assert max(value.dim() for value in values) <= 4
    used = [node.args[1].name for node in program.graph.nodes if "conv2d" in str(node.target)]
    assert len(used) == len(set(used)), "no convolution is used twice"


def test_the_silu_detector_reads_boxes_from_distributions():
    network = build("silu", "detection", side=128)
    module = network.module.train()
    logits, boxes = module(torch.rand(2, 3, 128, 128))
    assert (logits.shape, boxes.shape, network.stride) == ((2, 256, 10), (2, 256, 4), 8)
    # Fresh weights know nothing: nearly even shares of the distances 0..15, whose mean is 7.5.
    assert boxes.min() > 0 and boxes.max() < 15 and abs(float(boxes.mean()) - 7.5) < 1
    wanted = torch.tensor([[[8.0, 8.0, 60.0, 60.0]], [[40.0, 20.0, 90.0, 100.0]]]), torch.tensor([[1], [2]])
    sum(detection_loss(logits, boxes, *wanted, (128, 128), network.stride)).backward()
    unmoved = [name for name, parameter in module.named_parameters() if not parameter.grad.abs().sum()]
    assert not unmoved, "all parameters learn"
    with torch.no_grad():
        module.sides[1].weight.zero_()
        module.sides[1].bias.zero_()
        left_top_right_bottom = torch.tensor([0, 3, 8, 15])
        module.sides[1].bias.view(4, 16)[torch.arange(4), left_top_right_bottom] = 50.0
    assert torch.allclose(module(torch.rand(2, 3, 128, 128))[1][1, 7], left_top_right_bottom.float(), atol=1e-4)


@pytest.mark.parametrize("model", ["timm:test_resnet", "timm:mobilenetv3_small_050"])
@pytest.mark.parametrize("task", ["classification", "detection"])
def test_timm_backbones_serve_both_tasks(model, task):
    network = build(model, task)
    outputs = network.module.eval()(torch.zeros(2, 3, 64, 64))
    if task == "classification":
        assert outputs.shape == (2, 10) and network.stride is None
    else:
        assert [tuple(o.shape) for o in outputs] == [(2, 256, 10), (2, 256, 4)] and network.stride == 4
    published = (0.5, 0.5, 0.5) if model == "timm:test_resnet" else (0.485, 0.456, 0.406)
    assert network.mean == published
    momenta = {m.momentum for m in network.module.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert momenta == {0.1}


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("resnet18", ("fc",)),
        ("mobilenet_v3_small", ("classifier.3",)),
        ("squeezenet1_1", ("classifier.1",)),
        ("googlenet", ("fc",)),
        ("swin_v2_t", ("head",)),
    ],
)
def test_classifiers_of_torchvision_keep_their_published_weights_but_for_the_labels(name, layers, monkeypatch):
    side = 256 if name.startswith("swin") else 64
    theirs = torchvision.models.get_model(name, weights=None)
    # As published weights of these two are: with the heads for training.
    assert name != "googlenet" or any(key.startswith("aux") for key in theirs.state_dict())
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, **options: theirs.state_dict())
    network = build(f"torchvision:{name}", "classification", side, pretrained=True)
    module = network.module
    assert network.label_layers == network.head == layers
    drops = [each.p for each in module.modules() if isinstance(each, torch.nn.Dropout)]
    assert 0.1 in drops, "the share that was asked for, before the last layer"
    fresh = {key for key in module.state_dict() if key.startswith(layers[0] + ".")}
    expected = theirs.state_dict()
    same = [torch.equal(value, expected[key]) for key, value in module.state_dict().items() if key not in fresh]
    assert all(same) and len(same) > 20 and fresh
    assert module.train()(torch.zeros(2, 3, side, side)).shape == (2, 10)
    assert (network.mean, network.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("model", "task", "words"),
    [
        ("timm:resnt18", "classification", "did you mean timm:resnet18"),
        ("timm:qqqqqqq", "classification", "list_models"),
        ("timm:test_vit", "detection", "strides"),
        ("torchvision:resnt18", "classification", "--model torchvision:resnt18: .* did you mean torchvision:resnet18"),
        ("torchvision:resnet18.V9", "classification", "choose torchvision:resnet18.IMAGENET1K_V1"),
        ("torchvision:resnet18", "detection", "there is no such network for detection; choose default or silu or timm"),
        ("silu", "classification", "there is no such network for classification; choose default or timm:NAME"),
        ("torchvision:fcos_resnet50_fpn", "classification", "is a detector"),
        ("torchvision:vit_b_16", "classification", "does not take 64 x 64 pixels .*; change --size"),
    ],
)
def test_a_model_that_will_not_do_is_told_in_one_sentence(model, task, words):
    with pytest.raises(UsageError, match=words) as error:
        build(model, task)
    assert "\n" not in str(error.value)


def test_weights_that_cannot_be_had(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(SamesightError, match="--pretrained: the weights of resnet18 cannot be had") as error:
        build("timm:resnet18", "classification", pretrained=True)
    assert "\n" not in str(error.value)


def test_weights_of_torchvision_that_cannot_be_had(monkeypatch):
    def unreachable(*arguments, **options):
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(SamesightError, match="--pretrained: the weights of torchvision:resnet18 cannot be had"):
        build("torchvision:resnet18", "classification", pretrained=True)
