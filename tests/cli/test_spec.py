"""`samesight spec` as people type it: a proposal that `convert` takes, and one sentence for what cannot be."""

import json

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from samesight.cli.spec import spec as spec_command
from samesight.contract.random_images import Generator, random_image
from samesight.contract.spec import read_spec

NETS = """
import torch
from torch import nn

def classifier():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))

def fixed():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 48, 2))

def texts():
    class Net(nn.Module):
        def forward(self, x):
            return "cat"
    return Net()

def broken():
    raise ValueError("no weights")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "nets_of_spec.py").write_text(NETS)
    (tmp_path / "labels.txt").write_text("cat\ndog\nfox\nowl\n")
    (tmp_path / "labels.onnx").write_text("cat")
    (tmp_path / "photos").mkdir()
    generator = Generator(4)
    for number in range(4):
        Image.fromarray(random_image(generator, 80, 60)).save(tmp_path / f"photos/{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_function_gets_a_spec_with_which_it_converts(folder, samesight_here):
    done = samesight_here(
        "spec", "nets_of_spec:classifier", "--labels", "labels.txt", "--mean", "imagenet", "--out", "model.json"
    )
    assert done.returncode == 0, done.stderr
    spec = read_spec(folder / "model.json")
    assert (spec.name, spec.labels, spec.input.width) == ("classifier", ("cat", "dog", "fox", "owl"), 224)
    assert spec.input.std == (0.229, 0.224, 0.225)
    assert "guess   input.width, height: the first size that it ran on" in done.stderr
    assert "unknown input.framing, filter" in done.stderr and "labels:" not in done.stderr
    converted = samesight_here(
        "convert", "nets_of_spec:classifier", "--spec", "model.json", "--calibration", "photos", "--out", "mine",
        "--to", "onnx", "--precision", "fp32", "--no-cache", "--json",
    )  # fmt: skip
    assert converted.returncode == 0 and json.loads(converted.stdout)["passed"] is True


def test_a_program_knows_its_size(folder, samesight_here):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 24 * 40, 3))
    torch.export.save(torch.export.export(network.eval(), (torch.zeros(1, 3, 24, 40),)), "net.pt2")
    done = samesight_here("spec", "net.pt2", "--json")
    proposal = json.loads(done.stdout)
    assert done.returncode == 0 and proposal["spec"]["input"]["width"] == 40
    assert {remark["field"] for remark in proposal["remarks"] if remark["sure"] == "unknown"} == {
        "labels",
        "input.mean, std",
        "input.framing, filter",
    }


def test_a_library_has_its_spec(samesight_here):
    done = samesight_here("spec", "timm:test_resnet")
    spec = json.loads(done.stdout)
    assert spec["input"]["width"] == 160 and spec["labels"][0] == "tench"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nets_of_spec:fixed",), 1, "runs on no image of 224 x 224, 320 x 320"),
        (("nets_of_spec:texts",), 1, "returns str as output 0, where tensors"),
        (("nets_of_spec:broken",), 1, "ValueError: no weights"),
        (("nets_of_spec:nothing",), 1, "has no attribute 'nothing'"),
        (
            ("nowhere",),
            1,
            "no such source; give a .pt2 file, an .onnx file, a folder in Hugging Face's form, timm:NAME",
        ),
        (("m.onnx",), 1, "m.onnx: no such file"),
        (("labels.onnx",), 1, "damaged or not an ONNX file"),
        (("timm:resnet8", "--size", "x"), 2, "is no size"),
        (("timm:test_resnet", "--mean", "imagenet"), 2, "has its own normalisation"),
        (("nets_of_spec:classifier", "--mean", "1,2"), 2, "has 2 numbers, but the network takes 3 channels"),
        (("nets_of_spec:classifier", "--labels", "nets_of_spec.py"), 1, "label"),
    ],
)
def test_what_cannot_be_proposed_is_one_sentence(folder, samesight_here, arguments, code, words):
    done = samesight_here("spec", *arguments)
    assert done.returncode == code and words in done.stderr and done.stderr.count("\n") == 1


def test_sizes_and_weights_reach_the_network(folder, samesight_here):
    done = samesight_here("spec", "nets_of_spec:fixed", "--size", "48x64")
    assert done.returncode == 0 and json.loads(done.stdout)["input"]["height"] == 64
    torch.save({"0.weight": torch.zeros(2)}, "w.pth")
    wrong = samesight_here("spec", "nets_of_spec:fixed", "--size", "48x64", "--weights", "w.pth")
    assert wrong.returncode == 1 and "w.pth: does not fit nets_of_spec:fixed" in wrong.stderr


def test_convert_without_a_spec_names_the_command(folder, samesight_here):
    done = samesight_here("convert", "nets_of_spec:classifier", "--calibration", "photos", "--out", "mine")
    assert done.returncode == 2 and "`samesight spec nets_of_spec:classifier` proposes a spec" in done.stderr


def test_at_a_terminal_it_asks_what_only_a_person_can_know(folder, monkeypatch):
    monkeypatch.setattr("samesight.cli.spec.at_terminal", lambda: True)
    monkeypatch.syspath_prepend(folder)
    answers = ["48x64", "cat, dog, cat", "cat", "cat,dog,fox,owl", "0.5,0.5", "imagenet", "middle", "crop"]
    done = CliRunner().invoke(
        spec_command, ["nets_of_spec:classifier", "--out", "model.json"], "\n".join(answers) + "\n"
    )
    assert done.exit_code == 0, done.output
    spec = read_spec(folder / "model.json")
    assert (spec.input.width, spec.input.height, spec.labels) == (48, 64, ("cat", "dog", "fox", "owl"))
    assert (spec.input.mean, spec.input.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert spec.input.framing.rule == "crop" and "unknown" not in done.stderr
    for wrong in ("neither a file nor the names of 4 classes", "takes 3 channels", "'middle' is not one of"):
        assert wrong in done.stderr


def test_empty_answers_take_what_is_proposed_and_options_are_not_asked(folder, monkeypatch):
    monkeypatch.setattr("samesight.cli.spec.at_terminal", lambda: True)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 24 * 40, 3))
    torch.export.save(torch.export.export(network.eval(), (torch.zeros(1, 3, 24, 40),)), "net.pt2")
    done = CliRunner().invoke(spec_command, ["net.pt2", "--mean", "imagenet"], "\n\n")
    assert done.exit_code == 0 and "Mean" not in done.stderr and "Width" not in done.stderr
    assert json.loads(done.stdout)["labels"] == ["class 0", "class 1", "class 2"]
    refused = CliRunner().invoke(spec_command, ["net.pt2", "--yes"], "")
    assert refused.exit_code == 0 and "?" not in refused.stderr and "classes:" not in refused.stderr


def onnx_file(path, sides, nodes):
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, sides)
    logits = helper.make_tensor_value_info("scores", TensorProto.FLOAT, (None, 5))
    weights = numpy_helper.from_array(np.ones((3 * 24 * 40, 5), np.float32), "weights")
    graph = helper.make_graph([helper.make_node(*node) for node in nodes], "g", [image], [logits], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def test_an_onnx_file_is_run_by_onnx_runtime(folder, samesight_here):
    nodes = [("Flatten", ["image"], ["flat"]), ("MatMul", ["flat", "weights"], ["scores"])]
    onnx_file("fixed.onnx", (1, 3, 24, 40), nodes)
    done = samesight_here("spec", "fixed.onnx", "--json")
    proposal = json.loads(done.stdout)["spec"]
    assert (proposal["input"]["width"], proposal["input"]["height"], len(proposal["labels"])) == (40, 24, 5)
    assert proposal["outputs"]["tensors"] == ["scores"]
    onnx_file("free.onnx", ("batch", 3, "height", "width"), nodes)
    free = samesight_here("spec", "free.onnx")
    assert free.returncode == 1 and "runs on no image of 224 x 224, 320 x 320" in free.stderr
    sized = samesight_here("spec", "free.onnx", "--size", "40x24", "--out", "model.json")
    assert sized.returncode == 0 and read_spec(folder / "model.json").input.width == 40
