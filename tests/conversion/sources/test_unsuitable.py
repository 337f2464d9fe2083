"""What people give to `convert` that it cannot start from: one sentence says what it is and what to do."""

import os
import pickle

import pytest
import torch
from PIL import Image

from samesight.contract.errors import SamesightError
from samesight.conversion.sources.source import open_source
from support.fixtures import small_network


class Tripwire:
    def __reduce__(self):
        return os.mkdir, (self.place,)


def refused(path):
    with pytest.raises(SamesightError) as error:
        open_source(str(path))
    sentence = str(error.value)
    assert sentence.startswith(f"{path}: ") and "\n" not in sentence and len(sentence) < 500
    return sentence


CONVERTED = {
    "m.tflite": "is a LiteRT",
    "m.pte": "is an ExecuTorch program",
    "M.MLMODEL": "is a Core ML model",
}


@pytest.mark.parametrize("name", CONVERTED)
def test_converted_models_are_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    sentence = refused(tmp_path / name)
    assert CONVERTED[name] in sentence and "the result of a conversion" in sentence
    assert "module:function" in sentence and "torch.export.save(torch.export.export(" in sentence


def test_folders_that_are_no_runs(tmp_path):
    (tmp_path / "x.mlpackage").mkdir()
    assert "is a Core ML package" in refused(tmp_path / "x.mlpackage")
    (tmp_path / "photos/cat").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "photos/cat/0.png")
    assert f"`samesight train folder:{tmp_path / 'photos'} --out RUN`" in refused(tmp_path / "photos")
    (tmp_path / "runs/one").mkdir(parents=True)
    (tmp_path / "runs/one/run.json").write_text("{}")
    assert f"give one of them, such as {tmp_path / 'runs/one'}" in refused(tmp_path / "runs")
    (tmp_path / "empty").mkdir()
    assert "is a folder, but not a run, which `samesight train` makes" in refused(tmp_path / "empty")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old form"])
def test_files_of_torch_save(tmp_path, zipped):
    network = small_network()

    def sentence(saved, name="best.pt"):
        torch.save(saved, tmp_path / name, _use_new_zipfile_serialization=zipped)
        return refused(tmp_path / name)

    weights = "holds weights (a state dict or a checkpoint) without the network"
    assert weights in sentence(network.state_dict())
    assert weights in sentence({"epoch": 3, "state_dict": network.state_dict()}, "last.pth")
    lightning = {"pytorch-lightning_version": "2.5", "state_dict": network.state_dict()}
    assert "is a checkpoint of Lightning" in sentence(lightning, "best.ckpt")
    assert "is a pickled network" in sentence(network)


def test_torchscript_and_what_torch_did_not_write(tmp_path):
    torch.jit.trace(small_network().eval(), torch.zeros(1, 3, 32, 32)).save(tmp_path / "best.pt")
    assert "is TorchScript" in refused(tmp_path / "best.pt")
    (tmp_path / "other.pt").write_bytes(b"no pickle at all")
    assert "is no file that torch wrote" in refused(tmp_path / "other.pt")


def test_a_pickle_is_read_and_not_run(tmp_path):
    trap = Tripwire()
    trap.place = str(tmp_path / "run by the pickle")
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(trap))
    refused(tmp_path / "evil.pt")
    assert not (tmp_path / "run by the pickle").exists()


def test_the_checkpoint_of_a_run_leads_to_the_run(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "checkpoint.ckpt").write_bytes(b"x")
    assert refused(tmp_path / "checkpoint.ckpt").endswith(f"give the run: {tmp_path}")
