"""`samesight coreml`."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from samesight.cli.coreml import coreml
from samesight.contract.errors import SamesightError
from samesight.conversion.formats.coreml import convert
from samesight.conversion.formats.interface import Lowering


@pytest.fixture(scope="module")
def digits(tmp_path_factory, digits_prepared):
    path = tmp_path_factory.mktemp("command") / "digits.fp16.mlpackage"
    return convert(Lowering(digits_prepared.spec, "fp16", digits_prepared, None, path)).path


@pytest.fixture(scope="module")
def image(digits_run):
    return next(iter(sorted((digits_run / "calibration").iterdir())))


def called(*arguments, code=0):
    """In this process: each process of its own would import torch and coremltools again."""
    made = CliRunner().invoke(coreml, [str(each) for each in arguments], catch_exceptions=False)
    assert made.exit_code == code, made.output
    return made.stdout


def test_run_in_a_process_of_its_own(samesight, digits, digits_run, image):
    """Where coremltools is imported without what it converts from."""
    from samesight.conversion.runners.model import as_picture, open_model

    made = samesight("coreml", "run", digits, image, "--json")
    assert made.returncode == 0, made.stderr
    shown = json.loads(made.stdout)
    (output,) = shown["outputs"]
    assert (output["name"], output["shape"], len(output["top"])) == ("logits", [1, 10], 5)
    server = open_model(digits_run)
    best = server(as_picture(image, server.spec))[0]
    assert shown["answers"][0]["label"] == output["top"][0]["label"] == best.label
    assert shown["answers"][0]["score"] == pytest.approx(best.score, abs=0.01)


def test_run_for_people(digits, image):
    text = called("run", digits, image, "--top", 2)
    lines = text.splitlines()
    assert lines[0].startswith("logits  [1, 10]  ")
    assert len([line for line in lines if line.startswith("   ")]) == 2


def test_saved_outputs(digits, image, tmp_path):
    called("run", digits, image, "--save", tmp_path / "outputs.npz")
    assert np.load(tmp_path / "outputs.npz")["logits"].shape == (1, 10)


def test_an_array_instead_of_an_image(digits, tmp_path):
    planes = np.random.default_rng(0).uniform(0, 255, (1, 3, 32, 32)).astype(np.float32)
    np.save(tmp_path / "planes.npy", planes)
    assert json.loads(called("run", digits, tmp_path / "planes.npy", "--json"))["answers"] is None
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(SamesightError, match="not an array that"):
        called("run", digits, tmp_path / "text.npy")


def test_a_strangers_package_sees_the_stretched_image(tmp_path, image):
    import torch
    from PIL import Image

    from samesight.conversion.quiet import quiet
    from samesight.conversion.runners.coreml.import_coremltools import import_coremltools

    class Sum(torch.nn.Module):
        def forward(self, image):
            return image.sum((2, 3))

    ct = import_coremltools()
    path = tmp_path / "strange.mlpackage"
    with quiet():
        ct.convert(
            torch.jit.trace(Sum(), torch.zeros(1, 3, 9, 7)),
            convert_to="mlprogram",
            inputs=[ct.ImageType(name="picture", shape=(1, 3, 9, 7))],
            compute_precision=ct.precision.FLOAT32,
            skip_model_load=True,
        ).save(str(path))
    (output,) = json.loads(called("run", path, image, "--json"))["outputs"]
    pixels = np.asarray(Image.open(image).convert("RGB").resize((7, 9), Image.Resampling.BILINEAR))
    assert output["max"] == pytest.approx(pixels.sum((0, 1)).max())
    assert output["shape"] == [1, 3]


def test_compare_with_the_run(digits, digits_run):
    found = json.loads(called("compare", digits, "--against", digits_run, "--layers", "--images", 2, "--json"))
    assert found["passed"]
    assert found["first_departure"] is None
    assert found["outputs"][0]["snr_db"] > 45
    assert {"name", "operator", "node", "shape", "db"} == set(found["layers"][0])


def test_compare_says_what_departs(digits, digits_run):
    text = called("compare", digits, "--against", digits_run, "--layers", "--images", 2, "--floor", 200, code=1)
    assert "first to depart: conv2d" in text
    text = called("compare", digits, "--against", digits_run, "--images", 2)
    assert text.splitlines()[0].startswith("logits")
    assert text.splitlines()[-1] == "every value reaches the floor of 40 dB against the float network, on 2 images"


def test_what_is_wrong_is_one_sentence(samesight, digits, image, tmp_path):
    with pytest.raises(SamesightError, match="not a run"):
        called("compare", digits, "--against", tmp_path)
    with pytest.raises(SamesightError, match="no such package"):
        called("run", tmp_path / "none.mlpackage", image)
    with pytest.raises(SamesightError, match="cannot be written"):
        called("run", digits, image, "--save", tmp_path / "no" / "folder.npz")
    made = samesight("coreml", "compare", digits)
    assert made.returncode == 2
    assert "--against" in made.stderr
    assert len(made.stderr.splitlines()) == 1
