"""The README's commands are run as they stand there, made small where they would take minutes."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from samesight.datasets import open_data

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = {
    "samesight train": ["--epochs", "1", "--limit", "32"],
    "samesight convert": ["--to", "onnx"],
    "samesight verify demo/digits": ["--artifact", "digits.int8.tflite", "--artifact", "digits.fp32.onnx"],
}

MODELS = """
from torch import nn

class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 14, 4, stride=4)

    def forward(self, image):
        grid = self.convolution(image).permute(0, 2, 3, 1).reshape(1, 1024, 14)
        return grid[:, :, :10], grid[:, :, 10:]

detector = Detector
"""
SERVER = "def answer(path): return []"


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands(kind):
    lines = [line.removeprefix("$ ").partition("#")[0].strip() for block in blocks(kind) for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def place(demo, tmp_path_factory):
    """A folder with all that the README's commands name."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "demo").symlink_to(demo.resolve())
    digits = open_data("digits", "classification", 0).train
    for number, example in enumerate(list(digits)[:60]):
        kind = folder / "photos" / str(example.label % 2)
        kind.mkdir(parents=True, exist_ok=True)
        Image.fromarray(example.pixels).save(kind / f"{number}.png")
    (folder / "images").mkdir()
    annotations = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "digit"}]}
    for number, example in enumerate(list(open_data("scenes", "detection", 0).validation)[:20]):
        Image.fromarray(example.pixels).save(folder / f"images/{number}.png")
        annotations["images"].append({"id": number, "file_name": f"{number}.png", "width": 128, "height": 128})
        for x1, y1, x2, y2 in example.boxes.tolist():
            entry = {"id": len(annotations["annotations"]) + 1, "image_id": number, "category_id": 1}
            annotations["annotations"].append(entry | {"bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": 0})
    (folder / "annotations.json").write_text(json.dumps(annotations))
    shutil.copy(demo / "runs/scenes/network.pt2", folder)
    shutil.copy(demo / "runs/scenes/model.json", folder)
    (folder / "my_models.py").write_text(MODELS)
    (folder / "my_server.py").write_text(SERVER)
    return folder


def run(place, line):
    words = shlex.split(line)
    assert words[0] == "samesight"
    small = next((options for command, options in SMALL.items() if line.startswith(command)), [])
    # Weights are not fetched: with a connection they would be, without one the library tries for a minute.
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", *words, *small]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("line", commands("console"))
def test_what_the_readme_shows_by_hand(place, line):
    done = run(place, line)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("python"))
def test_what_the_readme_shows_for_python(place, block):
    done = subprocess.run([sys.executable, "-c", block], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_what_the_readme_shows_for_your_own_data_and_model(place):
    """In the README's order: later lines use what earlier ones made."""
    for line in commands("sh"):
        if line.endswith("--pretrained") and "--out" not in line:
            line += " --out runs/pretrained"
        done = run(place, line)
        assert "Traceback" not in done.stderr, done.stderr
        if "--pretrained" in line and done.returncode:
            last = done.stderr.strip().splitlines()[-1]
            assert last.startswith("samesight: ") and "weights" in last, done.stderr
        elif "--server" in line:
            assert done.returncode == 1 and "\n  different; " in done.stdout, done.stderr
        else:
            # An epoch on 32 images may leave a model that misses a gate; it must still be made.
            assert done.returncode == 0 or (done.returncode == 1 and "convert" in line), done.stderr
        if " --out " in line and "--pretrained" not in line:
            assert (place / shlex.split(line)[shlex.split(line).index("--out") + 1] / "model.json").is_file()


def test_the_two_commands_are_the_makefiles():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"    make {target} " in README
        assert f"\n{target}: $(INSTALLED)\n" in makefile
