import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.contract.random_images import Generator, random_image
from samesight.conversion.normalisation import network_values
from samesight.conversion.sources import hugging_face
from samesight.conversion.sources.build import build_network
from samesight.conversion.sources.source import open_source

transformers = pytest.importorskip("transformers")
LABELS = {0: "cat", 1: "dog", 2: "cat"}
PHOTO = random_image(Generator(12), 90, 61)


def save(folder, processor):
    """A tiny vision transformer with random weights, and an image processor."""
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8
    )
    config.id2label, config.label2id = LABELS, {"cat": 0, "dog": 1}
    network = transformers.ViTForImageClassification(config).eval()
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return network


PROCESSORS = {
    "ViT": lambda: transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}),
    "DeiT": lambda: transformers.DeiTImageProcessorPil(
        size={"height": 40, "width": 40}, crop_size={"height": 32, "width": 32}
    ),
    "ConvNext": lambda: transformers.ConvNextImageProcessorPil(size={"shortest_edge": 32}, crop_pct=0.875),
}


@pytest.mark.parametrize("kind", PROCESSORS)
def test_a_folder_is_its_spec_and_its_network(tmp_path, kind):
    processor = PROCESSORS[kind]()
    theirs = save(tmp_path / "model", processor)
    (tmp_path / "photos").mkdir()
    Image.fromarray(PHOTO).save(tmp_path / "photos/0.png")
    source = open_source(str(tmp_path / "model"), calibration=tmp_path / "photos")
    assert source.spec.labels == ("cat (0)", "dog", "cat (2)")
    tensor, _ = preprocess(Picture(PHOTO), source.spec.input)
    ours = torch.from_numpy(network_values(tensor, source.spec.input).transpose(2, 0, 1).copy())[None]
    expected = processor(Image.fromarray(PHOTO), return_tensors="pt")["pixel_values"]
    assert np.allclose(ours, expected, atol=1e-5)
    built = build_network(source.function, tmp_path, source.spec, None, random=False)
    with torch.no_grad():
        assert torch.allclose(built(expected), theirs(expected).logits, atol=1e-6)


def test_what_a_folder_lacks_is_said(tmp_path):
    save(tmp_path / "model", PROCESSORS["ViT"]())
    (tmp_path / "photos").mkdir()
    Image.fromarray(PHOTO).save(tmp_path / "photos/0.png")

    def sentence(**options):
        with pytest.raises(SamesightError) as error:
            open_source(str(tmp_path / "model"), calibration=tmp_path / "photos", **options)
        return str(error.value)

    with pytest.raises(UsageError, match="leave out --weights and --random-weights"):
        open_source(str(tmp_path / "model"), calibration=tmp_path / "photos", random_weights=True)
    file = tmp_path / "model/preprocessor_config.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document | {"resample": 1}))
    assert "asks for what a spec does not have (resample 1); give --spec" in sentence()
    file.write_text("{")
    assert "not a JSON document" in sentence()
    file.unlink()
    assert "preprocessor_config.json: cannot be read" in sentence()


def test_code_of_a_folder_is_not_run(tmp_path):
    save(tmp_path / "model", PROCESSORS["ViT"]())
    file = tmp_path / "model/config.json"
    trap = tmp_path / "ran"
    (tmp_path / "model/theirs.py").write_text(f"open({str(trap)!r}, 'w')\n")
    theirs = {"model_type": "theirs", "auto_map": {"AutoModelForImageClassification": "theirs.Net"}}
    file.write_text(json.dumps(json.loads(file.read_text()) | theirs))
    with pytest.raises(SamesightError, match="transformers does not read it as an image classifier"):
        hugging_face.build(tmp_path / "model")
    assert not trap.exists()


def test_transformers_is_asked_for_only_here(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(SamesightError, match="needs transformers; `pip install transformers`"):
        hugging_face.build(tmp_path)
