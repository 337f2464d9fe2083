"""Networks by name, from a folder in Hugging Face's form, and with weights beside them, all the way to judged files."""

import pytest
import torch
from PIL import Image

import samesight
from samesight.contract.random_images import Generator, random_image
from samesight.conversion.sources.library import Wishes, propose_spec

pytestmark = pytest.mark.slow
FORMATS = ["onnx", "tflite"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, generator = tmp_path_factory.mktemp("photos"), Generator(8)
    for number in range(6):
        Image.fromarray(random_image(generator, 120, 90)).save(folder / f"{number}.png")
    return folder


def convert_and_judge(source, out, photos, **options):
    bundle = samesight.convert(source, out, to=FORMATS, precision=["fp32"], calibration=photos, cache=False, **options)
    verdicts = samesight.verify(bundle)
    assert len(verdicts.artifacts) == len(FORMATS)
    assert verdicts.passed and all(verdict.passed for verdict in verdicts.artifacts)
    return bundle


def test_a_classifier_of_timm_with_weights_beside_it(tmp_path, photos):
    import timm

    theirs = timm.create_model("test_efficientnet", num_classes=5).eval()
    torch.save({"state_dict": {f"module.{k}": v for k, v in theirs.state_dict().items()}}, tmp_path / "best.pth")
    bundle = convert_and_judge("timm:test_efficientnet", tmp_path / "b", photos, weights=tmp_path / "best.pth")
    assert bundle.spec.name == "test_efficientnet" and len(bundle.spec.labels) == 5


def test_a_detector_of_torchvision_with_its_anchors(tmp_path, photos):
    source = "torchvision:ssdlite320_mobilenet_v3_large"
    spec = propose_spec(source, None, Wishes(size=(96, 96)), random=True)
    # Untrained scores are even: with this threshold each class is found somewhere.
    rule = spec.detection.model_copy(update={"score_threshold": 0.01, "max_detections": 20})
    spec = spec.model_copy(update={"detection": rule})
    bundle = convert_and_judge(source, tmp_path / "b", photos, spec=spec, random_weights=True)
    answers = bundle.artifact(f"{spec.name}.fp32.tflite")(photos / "0.png")
    assert answers and all(answer.box[2] > answer.box[0] >= 0 for answer in answers)


def test_a_folder_in_hugging_faces_form(tmp_path, photos):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8
    )
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path / "tiny-vit")
    processor = transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})
    processor.save_pretrained(tmp_path / "tiny-vit")
    assert convert_and_judge(tmp_path / "tiny-vit", tmp_path / "b", photos).spec.name == "tiny-vit"
