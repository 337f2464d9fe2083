"""`verify --server`: a person's own server code, right and with the faults that people make."""

import json

import pytest

SERVER = """
import numpy as np
from PIL import Image, ImageOps

STEPS = {steps!r}
MEAN, STD = np.array({mean!r}, np.float32), np.array({std!r}, np.float32)

if "torch" in STEPS:
    import torch

    network = torch.export.load({network!r}).module()

    def logits(values):
        with torch.no_grad():
            made = network(torch.from_numpy(values))
        return (made if isinstance(made, torch.Tensor) else made[0])[0].numpy()
else:
    # Torch takes seconds to import, and the artifact is the network with its normalisation before it.
    import onnxruntime

    session = onnxruntime.InferenceSession({artifact!r})

    def logits(values):
        pixels = (values * STD[:, None, None] + MEAN[:, None, None]) * 255
        return session.run(None, {{session.get_inputs()[0].name: pixels.astype(np.float32)}})[0][0]


def answer(path):
    image = Image.open(path)
    if "no exif" not in STEPS:
        image = ImageOps.exif_transpose(image)
    image = image.convert("RGB")
    width, height = image.size
    if "stretch" in STEPS:
        image = image.resize((64, 64), Image.BILINEAR)
    else:
        shorter, longer = sorted(image.size)
        size = (64, 64 * height // width) if width <= height else (64 * width // height, 64)
        if "no antialias" in STEPS:
            scale = (width / size[0], height / size[1])
            image = image.transform(size, Image.AFFINE, (scale[0], 0, 0, 0, scale[1], 0), Image.BILINEAR)
        else:
            image = image.resize(size, Image.BILINEAR)
        left, top = round((size[0] - 64) / 2), round((size[1] - 64) / 2)
        image = image.crop((left, top, left + 64, top + 64))
    pixels = np.asarray(image, np.float32)
    levels = np.asarray(image)
    if "bgr" in STEPS:
        pixels = pixels[:, :, ::-1]
    values = pixels if "0..255" in STEPS else pixels / 255
    if "not normalised" not in STEPS and "0..255" not in STEPS:
        values = (values - MEAN) / STD
    tensor = np.ascontiguousarray(values.transpose(2, 0, 1))[None]
    raised = np.exp(logits(tensor).astype(np.float64))
    scores = raised / raised.sum()
    best = np.argsort(-scores)[:5].tolist()
    if "labels" in STEPS:
        answers = [dict(label=str((i + 1) % 10), score=float(scores[i])) for i in best]
    else:
        answers = [dict(label=str(i), score=float(scores[i])) for i in best]
    return answers if "answers only" in STEPS else (answers, levels if "uint8" in STEPS else tensor)
"""


@pytest.fixture
def compare_code(demo, samesight_here, tmp_path, monkeypatch):
    spec = json.loads((demo / "digits/model.json").read_text())["input"]

    def run(*steps):
        network = str((demo / "runs/digits/network.pt2").resolve())
        artifact = str((demo / "digits/artifacts/digits.fp32.onnx").resolve())
        text = SERVER.format(steps=steps, network=network, artifact=artifact, mean=spec["mean"], std=spec["std"])
        (tmp_path / "my_server.py").write_text(text)
        bundle = (demo / "digits").resolve()
        monkeypatch.chdir(tmp_path)
        done = samesight_here("verify", bundle, "--server", "my_server:answer", "--json")
        assert done.returncode in (0, 1) and done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


@pytest.mark.parametrize("steps", [("torch",), (), ("uint8",)], ids=str)
def test_right_code_passes(compare_code, steps):
    code, told = compare_code(*steps)
    assert code == 0 and told["passed"] and told["tensor_db"] > 100 and told["agreement"] == 1.0
    assert told["tensor_kind"] == ("uint8" if "uint8" in steps else "float")


CAUSES = {
    ("bgr",): "reverse order (BGR for RGB)",
    ("no antialias",): "without antialias",
    ("stretch",): "stretched",
    ("no exif",): "EXIF",
    ("not normalised",): "0..1 and not normalised",
    ("0..255",): "left at 0..255",
    ("bgr", "not normalised"): "BGR for RGB) and the pixels are scaled to 0..1",
    ("no exif", "stretch", "uint8"): "stretched to the input size and the stored orientation (EXIF) is ignored",
    ("answers only", "no antialias"): "without antialias",
    ("answers only", "labels"): "labels are one too high",
    ("answers only", "not normalised"): "0..1 and not normalised",
}


@pytest.mark.parametrize("steps", CAUSES, ids=" + ".join)
def test_the_likely_cause_is_named(compare_code, steps):
    code, told = compare_code(*steps)
    assert code == 1 and not told["passed"]
    assert CAUSES[steps] in told["likely_cause"]


BROKEN = {
    "raise ValueError('no GPU')": "no GPU",
    "def answer(path): return 1 / 0": "ZeroDivisionError",
    "def answer(path): return 'a cat'": "return a list of",
    "def answer(path): return [{'score': 1.0}]": "return a list of",
    "import numpy\ndef answer(path): return [], numpy.zeros((1, 3, 2, 2))": "returned an input tensor [1, 3, 2, 2]",
    "import os\ndef answer(path): os.abort()": "process died on golden/000.png",
    "import os\ndef answer(path): os._exit(0)": "process died on golden/000.png",
    "def other(path): return []": "answer",
}


@pytest.mark.parametrize("code", BROKEN)
def test_broken_code_gets_one_sentence(demo, samesight_here, tmp_path, monkeypatch, code):
    (tmp_path / "my_server.py").write_text(code)
    bundle = (demo / "digits").resolve()
    monkeypatch.chdir(tmp_path)
    done = samesight_here("verify", bundle, "--server", "my_server:answer")
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1 and len(lines) == 1 and BROKEN[code] in lines[0], done.stderr


def test_a_package_of_theirs_may_be_called_like_one_of_ours(demo, samesight_here, tmp_path, monkeypatch):
    (tmp_path / "training").mkdir()
    (tmp_path / "training/__init__.py").write_text("ANSWERS = [{'label': '3', 'score': 1.0}]")
    (tmp_path / "my_server.py").write_text("from training import ANSWERS\ndef answer(path): return ANSWERS")
    bundle = (demo / "digits").resolve()
    monkeypatch.chdir(tmp_path)
    done = samesight_here("verify", bundle, "--server", "my_server:answer", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["images"] > 0, done.stderr
