import os
import re

import pytest
import torch
from safetensors.torch import save_file

from samesight.contract.errors import SamesightError
from samesight.conversion.sources.build import build_network
from samesight.conversion.sources.library import Wishes, propose_spec
from samesight.conversion.sources.weights import load_weights, read_weights


def network(classes=3):
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, classes))


class Tripwire:
    def __reduce__(self):
        return os.mkdir, (self.place,)


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


WRAPPINGS = {
    "plain": lambda state: state,
    "DataParallel": lambda state: {f"module.{name}": value for name, value in state.items()},
    "compiled": lambda state: {f"_orig_mod.{name}": value for name, value in state.items()},
    "both": lambda state: {f"module._orig_mod.{name}": value for name, value in state.items()},
    "checkpoint": lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"state": {}}},
    "nested": lambda state: {"model": {"state_dict": state}},
    "Lightning": lambda state: {
        "state_dict": {f"model.{name}": value for name, value in state.items()} | {"loss.weight": torch.ones(3)}
    },
    "half": lambda state: {name: v.half() if v.is_floating_point() else v for name, v in state.items()},
    "without counters": lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_weights_get_into_the_network(tmp_path, wrapping):
    theirs, ours = network(), network()
    for parameter in theirs.parameters():
        parameter.data = parameter.data.half().float()
    torch.save(WRAPPINGS[wrapping](theirs.state_dict()), tmp_path / "w.pth")
    load_weights(ours, tmp_path / "w.pth", "theirs")
    assert equal(ours, theirs)
    assert all(parameter.dtype == torch.float32 for parameter in ours.parameters())


def test_safetensors_get_into_the_network(tmp_path):
    theirs, ours = network(), network()
    save_file({f"module.{name}": value for name, value in theirs.state_dict().items()}, tmp_path / "w.safetensors")
    load_weights(ours, tmp_path / "w.safetensors", "theirs")
    assert equal(ours, theirs)


def refused(path, make=network):
    with pytest.raises(SamesightError) as error:
        load_weights(make(), path, "the net")
    sentence = str(error.value)
    assert sentence.startswith(f"{path}: ") and "\n" not in sentence and len(sentence) < 600
    return sentence


def test_weights_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "w.pth"
    state = network().state_dict()
    torch.save({name: value for name, value in state.items() if name != "0.bias"}, path)
    assert "1 tensor of the network is not in the file (0.bias)" in refused(path)
    torch.save(state | {"3.weight": torch.ones(2)}, path)
    assert "1 tensor of the file is not in the network (3.weight)" in refused(path)
    torch.save(network(5).state_dict(), path)
    assert "2.weight is [5, 4] in the file and [3, 4] in the network" in refused(path)


def test_what_is_no_state_dict_is_refused_and_nothing_runs(tmp_path):
    trap = Tripwire()
    trap.place = str(tmp_path / "ran")
    path = tmp_path / "w.pth"
    for saved, words in (
        (network(), "holds more than tensors, which could run code while it loads"),
        ({"state_dict": network().state_dict(), "extra": trap}, "could run code while it loads"),
        ({"epoch": 3, "loss": 0.5}, "holds a dictionary of epoch, loss, no state dict"),
        ([1, 2], "holds list, no state dict"),
    ):
        torch.save(saved, path)
        assert words in refused(path)
    torch.jit.trace(torch.nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)).save(str(path))
    assert "not a state dict that torch reads" in refused(path)
    for content in (b"", b"no pickle at all", b"PK\x03\x04 cut off"):
        path.write_bytes(content)
        assert re.search("damaged or not a file of torch.save|not a state dict that torch reads", refused(path))
    torch.save(network().state_dict(), path)
    path.write_bytes(path.read_bytes()[:900])
    refused(path)
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 20)
    assert "not a safetensors file" in refused(tmp_path / "w.safetensors")
    assert "cannot be read" in refused(tmp_path / "none.pth")
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_tells_how_many_classes_it_knows(tmp_path):
    import timm

    theirs = timm.create_model("test_resnet", num_classes=7)
    torch.save({"state_dict": {f"module.{k}": v for k, v in theirs.state_dict().items()}}, tmp_path / "w.pth")
    spec = propose_spec("timm:test_resnet", tmp_path / "w.pth", Wishes(), random=False)
    assert spec.labels == tuple(f"class {number}" for number in range(7))
    assert equal(build_network("timm:test_resnet", tmp_path, spec, tmp_path / "w.pth", random=False), theirs)
    assert set(read_weights(tmp_path / "w.pth")) == {f"module.{name}" for name in theirs.state_dict()}


def test_weights_beside_a_function(tmp_path, monkeypatch, digits_spec):
    (tmp_path / "weighted_net.py").write_text(
        "import torch\ndef make():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2))\n"
    )
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    theirs = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2))
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    built = build_network("weighted_net:make", tmp_path, digits_spec, tmp_path / "w.pth", random=False)
    assert equal(built, theirs)
