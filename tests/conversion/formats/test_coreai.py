"""Core AI assets, executed by Apple's own CPU runtime."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from samesight.contract.bundle import open_bundle
from samesight.contract.errors import SamesightError
from samesight.conversion.formats.coreai import METADATA, SPEC_KEY, convert
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.preparation.equivalence import compare
from samesight.conversion.preparation.prepare import pixels_of
from samesight.conversion.runners.coreai import load
from samesight.conversion.workflow.processes import fixed_addresses

pytestmark = pytest.mark.slow

pytest.importorskip("coreai.runtime", reason="Core AI is not installed: pip install 'samesight[coreai]'")


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def made(request, tmp_path_factory, boxes_prepared):
    output = tmp_path_factory.mktemp("coreai") / "boxes.aimodel"
    return request.param, convert(Lowering(boxes_prepared.spec, request.param, boxes_prepared, None, output))


def test_it_computes_the_network(made, boxes_prepared):
    precision, asset = made
    runner = load(asset.path, asset)
    ratios = []
    for seed in range(3):
        tensor = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        found = runner(tensor)
        assert list(found) == ["logits", "boxes"] and {array.dtype for array in found.values()} == {np.dtype("float32")}
        for role, wanted in zip(("logits", "boxes"), boxes_prepared.module(pixels_of(tensor[None])), strict=True):
            ratios.append(compare(wanted, torch.from_numpy(found[role]))[0])
    assert min(ratios) > (100 if precision == "fp32" else 45)
    # Half precision is really half.
    assert (max(ratios) < 90) == (precision == "fp16")


def test_what_it_says_about_itself(made, boxes_spec):
    _, asset = made
    notes = json.loads((asset.path / METADATA).read_text())
    assert boxes_spec.to_json() == notes["creatorDefinedMetadata"][SPEC_KEY]
    assert asset.os_minimum == {"ios": "27.0", "macos": "27.0"}
    assert [(info.name, info.shape) for info in asset.outputs] == [("logits", (1, 48, 2)), ("boxes", (1, 48, 4))]


def test_the_same_model_gives_the_same_bytes(made, boxes_prepared, tmp_path):
    precision, asset = made
    again = convert(Lowering(boxes_prepared.spec, precision, boxes_prepared, None, tmp_path / "again.aimodel"))
    names = sorted(path.name for path in asset.path.iterdir())
    assert names == ["main.hash", "main.mlirb", "metadata.json"]
    for name in names:
        assert (asset.path / name).read_bytes() == (again.path / name).read_bytes(), name


@pytest.mark.skipif(
    not fixed_addresses(), reason="weights get random names: util-linux's setarch is missing or refused"
)
def test_other_processes_give_the_same_bytes(digits_run, tmp_path):
    hashes = []
    # With ONNX beside it, other libraries are loaded and threads run before Core AI's turn.
    for name, formats in (("alone", ["aimodel"]), ("beside", ["onnx", "aimodel"])):
        words = ["convert", digits_run, "--out", tmp_path / name, "--precision", "fp32", "--no-cache", "--no-verify"]
        words += [word for text in formats for word in ("--to", text)]
        subprocess.run([sys.executable, "-m", "samesight", *map(str, words)], check=True, capture_output=True)
        files = open_bundle(tmp_path / name).manifest.files
        hashes.append({file.path: file.sha256 for file in files if ".aimodel/" in file.path})
    assert hashes[0] == hashes[1] and len(hashes[0]) == 3


def test_a_damaged_asset_is_one_sentence(made, tmp_path):
    _, asset = made
    broken = tmp_path / "broken.aimodel"
    broken.mkdir()
    for path in asset.path.iterdir():
        (broken / path.name).write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SamesightError) as caught:
        load(broken, asset)
    assert "Core AI cannot load it" in str(caught.value) and "\n" not in str(caught.value)
