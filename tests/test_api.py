"""What `import samesight` offers: quick to import, and conversion of what a program holds in memory."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import samesight
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.preprocess import preprocess
from samesight.conversion.runners.model import as_picture

pytestmark = pytest.mark.slow


def run(code):
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_it_takes_no_time_and_imports_nothing():
    heavy = "{'torch', 'numpy', 'pydantic', 'PIL', 'click', 'lightning'}"
    loaded = run(f"import sys, samesight; print(sorted({heavy} & set(sys.modules)), dir(samesight))")
    assert loaded[0] == "[]" and "'convert'," in loaded
    code = "import time; t = time.perf_counter(); import samesight; print(time.perf_counter() - t)"
    assert min(float(run(code)[0]) for _ in range(3)) < 0.1


def test_what_it_offers_is_there():
    for name in samesight.__all__:
        assert getattr(samesight, name) is not None
    with pytest.raises(AttributeError, match="module 'samesight' has no attribute 'deploy'"):
        samesight.deploy  # noqa: B018


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-P", "-m", "samesight", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("samesight, version ")


@pytest.fixture
def network():
    """A network in training mode, whose dropout would show."""
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(1)
    return torch.nn.Sequential(*layers, torch.nn.Dropout(0.5), torch.nn.Linear(128, 10)).train()


@pytest.fixture
def photos():
    return list(np.random.default_rng(0).integers(0, 256, (12, 40, 36, 3), dtype=np.uint8))


def outputs_of(network, image, spec):
    tensor, _ = preprocess(as_picture(image, spec), spec.input)
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (spec.input.mean, spec.input.std))
    with torch.no_grad():
        return network.eval()((torch.from_numpy(tensor).permute(2, 0, 1)[None] / 255 - mean) / std).numpy()


def test_a_network_in_memory_becomes_a_bundle_whose_artifacts_are_called_like_it(
    tmp_path, network, photos, digits_spec, monkeypatch
):
    monkeypatch.setenv("SAMESIGHT_CACHE", str(tmp_path / "cache"))
    bundle = samesight.convert(network, tmp_path / "out", to=["onnx"], spec=digits_spec, calibration=photos)
    assert network.training and next(network.parameters()).requires_grad
    assert [artifact.name for artifact in bundle.manifest.artifacts] == ["digits.fp32.onnx", "digits.int8.onnx"]
    expected = outputs_of(network, photos[0], digits_spec)
    for name, least in (("digits.fp32.onnx", 1e-4), ("digits.int8.onnx", 0.1)):
        model = bundle.artifact(name)
        tensor, _ = preprocess(as_picture(photos[0], digits_spec), digits_spec.input)
        assert np.abs(model.run(tensor)["logits"] - expected).max() < least
    assert bundle.artifact("digits.fp32.onnx")(photos[0])[0].index == int(expected.argmax())
    assert samesight.verify(bundle).passed


def test_a_spec_may_be_a_dictionary_or_a_file_and_images_paths_or_a_folder(
    tmp_path, network, digits_run, digits_spec, monkeypatch
):
    monkeypatch.setenv("SAMESIGHT_CACHE", str(tmp_path / "cache"))
    program = torch.export.export(network.eval(), (torch.zeros(1, 3, 32, 32),))
    images = sorted((digits_run / "calibration").glob("*.png"))
    forms = ((digits_spec.model_dump(), images), (digits_run / "model.json", digits_run / "calibration"))
    made = [
        samesight.convert(source, tmp_path / f"{number}", to=["pt2"], spec=spec, calibration=calibration)
        for number, (source, (spec, calibration)) in enumerate(zip((program, network), forms, strict=True))
    ]
    one, other = (bundle.artifact("digits.fp32.pt2")(images[0]) for bundle in made)
    assert one == other and one


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        ({}, UsageError, "Sequential is a network in memory, so it needs spec and calibration as well"),
        ({"spec": {"name": "x"}, "calibration": "photos"}, SamesightError, "spec: task: Field required"),
        ({"spec": "right", "calibration": []}, UsageError, "calibration: holds no image"),
        (
            {"spec": "right", "calibration": [np.zeros((8, 8), np.uint8)]},
            SamesightError,
            "image 0: a picture is a numpy",
        ),
        ({"spec": "right", "calibration": [np.zeros((8, 8, 3), np.float32)]}, SamesightError, "not float32 [8, 8, 3]"),
        ({"spec": "right", "calibration": ["a.png", np.zeros((8, 8, 3), np.uint8)]}, UsageError, "paths of images, or"),
        ({"spec": "right", "calibration": "nowhere"}, SamesightError, "nowhere: no such folder"),
        ({"to": ["tfjs"]}, UsageError, "unknown format 'tfjs'"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, network, digits_spec, arguments, kind, sentence):
    given = arguments | ({"spec": digits_spec} if arguments.get("spec") == "right" else {})
    with pytest.raises(kind) as caught:
        samesight.convert(network, tmp_path / "out", **given)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_what_is_no_network_is_one_sentence(tmp_path, photos, digits_spec):
    with pytest.raises(UsageError, match="a dict cannot be converted; give a run folder"):
        samesight.convert({"weights": 1}, tmp_path / "out", spec=digits_spec, calibration=photos)
