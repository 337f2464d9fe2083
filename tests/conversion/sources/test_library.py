"""Networks by name: the libraries' own transforms and decoders are the oracles of the specs."""

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image

from samesight.contract.box_coding import decode, position_count
from samesight.contract.detection import detect
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.contract.random_images import Generator, random_image
from samesight.conversion.normalisation import network_values
from samesight.conversion.sources.build import build_network
from samesight.conversion.sources.library import Wishes, is_named, propose_spec
from samesight.conversion.sources.source import open_source

# Wide, so that every Pillow takes the passes of a resize in the same order.
PHOTO = random_image(Generator(11), 140, 97)


def spec_of(source, **wishes):
    return propose_spec(source, None, Wishes(**wishes), random=False)


def network_input(spec):
    """The photo as the spec hands it to the original network: float32 [1, 3, H, W]."""
    tensor, _ = preprocess(Picture(PHOTO), spec.input)
    return torch.from_numpy(network_values(tensor, spec.input).transpose(2, 0, 1).copy())[None]


def timm_input(name):
    config = timm.models.get_pretrained_cfg(name).to_dict()
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=config))
    return transform(Image.fromarray(PHOTO))[None]


# crop, with mean and std of 0.5; bicubic; squash without and with a crop percentage.
@pytest.mark.parametrize(
    "name",
    ["test_resnet", "mobilenetv4_conv_small", "vit_tiny_patch16_224", "naflexvit_base_patch16_siglip", "test_nfnet"],
)
def test_a_network_of_timm_sees_what_timm_shows_it(name):
    spec = spec_of(f"timm:{name}", labels=("a", "b"))
    assert torch.equal(network_input(spec), timm_input(name)) or np.allclose(
        network_input(spec), timm_input(name), atol=1e-6
    )


SQUASHED = next(
    name
    for name in timm.list_models(pretrained=True)
    if (config := timm.models.get_pretrained_cfg(name)).crop_mode == "squash" and config.crop_pct < 1
)


def test_squashing_with_a_crop_percentage_is_stretch_crop():
    spec = spec_of(f"timm:{SQUASHED}", labels=("a", "b"), size=(64, 64))
    config = timm.models.get_pretrained_cfg(SQUASHED).to_dict()
    data = timm.data.resolve_data_config({"input_size": (3, 64, 64)}, pretrained_cfg=config)
    expected = timm.data.create_transform(**data)(Image.fromarray(PHOTO))[None]
    assert spec.input.framing.rule == "stretch_crop"
    assert np.allclose(network_input(spec), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "vit_b_16.IMAGENET1K_SWAG_E2E_V1"])
def test_a_network_of_torchvision_sees_what_torchvision_shows_it(name):
    plain, _, tag = name.partition(".")
    weights = torchvision.models.get_model_weights(plain)
    preset = (weights[tag] if tag else weights.DEFAULT).transforms()
    spec = spec_of(f"torchvision:{name}")
    assert np.allclose(network_input(spec), preset(Image.fromarray(PHOTO))[None], atol=1e-6)
    assert len(spec.labels) == 1000 and spec.labels[:2] == ("tench", "goldfish")


def test_labels_are_the_librarys_and_distinct():
    labels = spec_of("timm:test_resnet").labels
    assert labels[:2] == ("tench", "goldfish") and labels[134] == "crane (134)" and labels[517] == "crane (517)"


# ---- torchvision's detectors ----


def detector(name, side=128):
    """The spec, torchvision's own network, and its raw outputs and anchors for one random image."""
    torch.manual_seed(0)
    spec = spec_of(f"torchvision:{name}", size=(side, side))
    network = torchvision.models.get_model(name, weights=None, weights_backbone=None).eval()
    heads = build_network(f"torchvision:{name}", ".", spec, None, random=True).eval()
    heads.backbone, heads.head = network.backbone, network.head
    image = torch.rand(1, 3, side, side)
    with torch.no_grad():
        raw = heads(image)
        features = list(network.backbone(image).values())
    images = torchvision.models.detection.image_list.ImageList(image, [(side, side)])
    return spec, network, dict(zip(spec.roles, raw, strict=True)), network.anchor_generator(images, features)[0]


@pytest.mark.parametrize(
    "name",
    [
        "ssdlite320_mobilenet_v3_large",
        pytest.param("retinanet_resnet50_fpn", marks=pytest.mark.slow),
        pytest.param("fcos_resnet50_fpn", marks=pytest.mark.slow),
        pytest.param("ssd300_vgg16", marks=pytest.mark.slow),
    ],
)
def test_boxes_are_decoded_as_torchvision_decodes_them(name):
    spec, network, raw, anchors = detector(name, 300 if name == "ssd300_vgg16" else 128)
    coder, boxes = network.box_coder, raw["boxes"][0]
    boxes = boxes + torch.randn(boxes.shape).abs() * 2  # an untrained head says nearly nothing
    single = getattr(coder, "decode_single", coder.decode)
    expected = single(boxes, anchors).numpy()
    positions = np.arange(len(boxes))
    assert position_count(spec.detection.boxes, spec.input) == len(boxes)
    found = decode(boxes.numpy(), positions, spec.detection.boxes, spec.input)
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-2)


@pytest.mark.slow
def test_scores_of_fcos_are_torchvisions():
    spec, _, raw, _ = detector("fcos_resnet50_fpn")
    raw = {role: tensor + torch.randn(tensor.shape) * 2 for role, tensor in raw.items()}
    scores = torch.sqrt(torch.sigmoid(raw["logits"]) * torch.sigmoid(raw["objectness"]))[0].max(dim=1).values
    rule = spec.detection.model_copy(update={"suppression": "none", "max_detections": len(scores)})
    found = detect({role: tensor.numpy() for role, tensor in raw.items()}, spec.model_copy(update={"detection": rule}))
    assert len(found.scores) > 100
    assert np.allclose(found.scores, scores.numpy()[found.positions], atol=1e-6)
    assert (np.delete(scores.numpy(), found.positions) < rule.score_threshold).all()


# ---- what cannot be ----


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("timm:mobilenetv4_conv_smal", "did you mean timm:mobilenetv4_conv_small"),
        ("timm:resnet18.nix", "timm has no weights of this name; choose timm:resnet18."),
        ("torchvision:resnet81", "did you mean torchvision:resnet18"),
        ("torchvision:resnet18.nix", "choose torchvision:resnet18.IMAGENET1K_V1"),
        ("torchvision:maskrcnn_resnet50_fpn", "works in two stages"),
        ("timm:", "timm has no network of this name"),
    ],
)
def test_unknown_names_are_wrong_requests_with_the_nearest(source, sentence, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    assert is_named(source)
    with pytest.raises(UsageError) as error:
        open_source(source, calibration=tmp_path)
    assert sentence in str(error.value) and str(error.value).startswith(source)


def test_random_weights_are_said_in_the_name_and_in_a_note(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    source = open_source("timm:test_resnet", calibration=tmp_path, random_weights=True)
    assert source.spec.name == "test_resnet-random"
    assert "RANDOM WEIGHTS" in source.notes[0]
    named = source.spec.model_copy(update={"name": "mine"})
    assert open_source("timm:test_resnet", named, tmp_path, random_weights=True).spec.name == "mine-random"
    with pytest.raises(UsageError, match="exclude each other"):
        open_source("timm:test_resnet", calibration=tmp_path, weights=tmp_path / "0.png", random_weights=True)
    with pytest.raises(UsageError, match=r"needs --calibration FOLDER as well$"):
        open_source("timm:test_resnet")


def test_weights_out_of_reach_are_one_sentence(monkeypatch):
    def unreachable(*arguments, **options):
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unreachable)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", unreachable)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    for source in ("timm:test_resnet", "torchvision:mobilenet_v3_small"):
        with pytest.raises(SamesightError, match=r"its published weights cannot be had \(.*--weights FILE"):
            build_network(source, ".", spec_of(source), None, random=False)
        fewer = spec_of(source, labels=("a", "b"))
        with pytest.raises(SamesightError, match=r"know 1000 classes, but the spec has 2 labels|cannot be had"):
            build_network(source, ".", fewer, None, random=False)
