"""A network unlike ours goes to every format at every precision, and each artifact computes what it does."""

import json
import os
import shutil

import pytest
from PIL import Image

from samesight.conversion.formats import FORMATS
from support import yolo
from support.yolo import SIZE, smooth_images

pytestmark = pytest.mark.slow

SPEC = {
    "schema_version": 1,
    "name": "detector",
    "task": "detection",
    "input": {"width": SIZE, "height": SIZE, "mean": [0, 0, 0], "std": [1, 1, 1]},
    "outputs": {
        "tensors": ["out"],
        "roles": {
            "boxes": {"tensor": "out", "start": 0, "stop": 4, "channel_axis": 1},
            "logits": {"tensor": "out", "start": 4, "stop": 7, "channel_axis": 1},
        },
        "activation": "none",
    },
    "detection": {"boxes": {"coding": "center_size"}, "score_threshold": 0.5},
    "labels": ["a", "b", "c"],
}
LEAST = {"fp32": 80.0, "fp16": 30.0}


def test_a_detector_of_the_yolo_family_goes_to_every_format_at_every_precision(samesight, tmp_path):
    (tmp_path / "photos").mkdir()
    for number, image in enumerate(smooth_images(48, seed=4)):
        Image.fromarray(image).save(tmp_path / "photos" / f"{number:02d}.png")
    (tmp_path / "model.json").write_text(json.dumps(SPEC))
    shutil.copy(yolo.__file__, tmp_path)
    options = ("--spec", "model.json", "--calibration", "photos", "--to", "all")
    (tmp_path / "temporary").mkdir()
    place = {"cwd": tmp_path, "env": {**os.environ, "TMPDIR": str(tmp_path / "temporary")}}
    done = samesight("convert", "yolo:detector", "--out", "out", *options, **place)
    assert "could not be made" not in done.stderr and done.returncode in (0, 1), done.stderr
    left = [path.name for path in (tmp_path / "temporary").iterdir() if path.is_file() or any(path.iterdir())]
    assert set(left) <= {".ses"}, "a file of onnxruntime's"
    verdicts = {v["name"]: v for v in json.loads((tmp_path / "out/parity.json").read_text())["artifacts"]}
    expected = {f"detector.{precision}{row.suffix}" for row in FORMATS.values() for precision in row.usual}
    assert set(verdicts) == expected
    for verdict in verdicts.values():
        assert "did not run" not in verdict["reason"] and "does not load" not in verdict["reason"]
        for role in verdict["roles"]:
            least = LEAST.get(verdict["precision"], 8.0)
            assert role["exact"] or role["snr_db"] > least, (verdict["name"], role)
