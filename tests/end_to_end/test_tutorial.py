"""The tutorial's commands are executed as they stand there, on a small folder of made-up photos."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from samesight.contract.bundle import open_bundle

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
COLOURS = {"leaf": (60, 170, 60), "stone": (150, 120, 140)}
# What is left out is what takes minutes.
SMALL = {
    "samesight train": ["--epochs", "6"],
    "samesight train --from": ["--epochs", "1", "--limit", "16"],
    "samesight convert": ["--to", "tflite,mlpackage"],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("tutorial"), np.random.default_rng(0)
    for kind, colour in COLOURS.items():
        (folder / "photos" / kind).mkdir(parents=True)
        for number in range(48):
            ground = Image.fromarray(random.integers(90, 160, (12, 16, 3), np.uint8))
            photo = ground.resize((160, 120), Image.Resampling.BICUBIC)
            (x, y), r = random.integers((55, 50), (105, 70)), int(random.integers(26, 40))
            fill = tuple(int(value + random.integers(-25, 25)) for value in colour)
            ImageDraw.Draw(photo).ellipse((x - r, y - r, x + r, y + r), fill=fill)
            photo.save(folder / f"photos/{kind}/IMG_{number:04}.jpg", quality=92)
    return folder


def run(place, line):
    small = max((command for command in SMALL if line.startswith(command)), key=len, default="")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(place / "weights")}
    command = [sys.executable, "-m", *shlex.split(line), *SMALL.get(small, [])]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_each_command_does_what_the_text_says(place):
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```", TUTORIAL, re.M | re.S) for line in block.splitlines()]
    assert len(lines) == 9
    for line in lines:
        done = run(place, line)
        assert "Traceback" not in done.stderr, done.stderr
        if "--pretrained" in line:
            assert done.returncode == 1 and "weights of resnet18 cannot be had" in done.stderr, done.stderr
            assert not (place / "runs/photos").exists() and not (place / "runs/photos.partial").exists()
        else:
            assert done.returncode == 0, (line, done.stderr)
    assert "head begins anew" not in done.stderr
    bundle = open_bundle(place / "bundles/photos")
    assert bundle.spec.labels == ("leaf", "stone") and bundle.verdicts().passed
    assert (place / "bundles/photos/report.html").is_file() and (place / "runs/photos-qat/quantization.json").is_file()
    for app, kind in (("my-android-app", ".tflite"), ("my-ios-app", ".mlpackage")):
        assert list((place / app).rglob(f"photos*{kind}")), app
        assert not list((place / app).rglob("*digits.*.tflite"))


def test_the_files_that_it_names_are_there():
    for target in re.findall(r"\]\(([^)#]+)", TUTORIAL):
        assert (ROOT / "docs" / target).is_file(), target
    assert "[tutorial](docs/tutorial.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
