"""Transfer learning: what is taken from a run, what begins anew, and what learns when."""

import json
import shutil

import pytest
import torch
from PIL import Image

from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.spec import read_spec
from samesight.datasets import open_data
from samesight.training.config import make_config
from samesight.training.run_folder import check_source
from samesight.training.train import fit, prepare, train
from samesight.training.transfer import start_options

pytestmark = pytest.mark.slow
SMALL = {"epochs": 2, "limit": 48, "batch_size": 16, "threads": 1, "patience": 0}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Digits in a folder per class, even ones and odd ones."""
    folder = tmp_path_factory.mktemp("photos")
    for number, example in enumerate(list(open_data("digits", seed=0).train)[:80]):
        path = folder / ("even", "odd")[example.label % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(example.pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return train(make_config(**SMALL, out=tmp_path_factory.mktemp("runs") / "digits"))


def weights(run):
    state = torch.load(run / "checkpoint.ckpt", weights_only=True)["state_dict"]
    return {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}


def from_run(source, out, **options):
    return make_config(**start_options(source, SMALL | {"out": out} | options))


def test_a_frozen_backbone_keeps_its_weights_and_the_new_head_learns(digits, photos, tmp_path):
    lines = []
    run = train(from_run(digits, tmp_path / "run", data=f"folder:{photos}", freeze=2), lines.append)
    before, after = weights(digits), weights(run)
    assert after["head.weight"].shape[0] == 2 and read_spec(run / "model.json").labels == ("even", "odd")
    backbone = [name for name in before if not name.startswith("head.")]
    assert all(torch.equal(before[name], after[name]) for name in backbone), "statistics of BatchNorm too"
    said = [line for line in lines if line.startswith("starting from")]
    assert said == [
        f"starting from {digits.resolve()}: {len(before) - 2} of {len(before)} tensors; "
        "head begins anew, for the labels are others"
    ]
    assert "the head alone learns for 2 of 2 epochs" in lines
    record = json.loads((run / "run.json").read_text())["config"]
    assert (record["start_from"], record["freeze"], record["backbone_rate"]) == (str(digits.resolve()), 2, 0.1)


def test_a_backbone_that_was_frozen_learns_later(digits, photos, tmp_path):
    config = from_run(digits, tmp_path / "run", data=f"folder:{photos}", freeze=1)
    setup = prepare(config, tmp_path / "run.partial", lambda line: None, begun=False)
    frozen = []
    setup.lightning_module.register_forward_hook(
        lambda module, images, outputs: frozen.append((module.current_epoch, module.network.stem[1].training))
    )
    fit(setup, tmp_path / "run")
    after, before = setup.lightning_module.network.state_dict(), weights(digits)
    assert not any(torch.equal(before[name], after[name]) for name in before if name.endswith("0.weight"))
    assert (0, True) not in frozen and (1, True) in frozen


def test_the_same_labels_keep_the_head(digits, tmp_path):
    lines = []
    config = from_run(digits, tmp_path / "run", data="digits")
    setup = prepare(config, tmp_path / "partial", lines.append, begun=False)
    assert f"starting from {digits.resolve()}: all weights, for it has the same labels" in lines
    own, before = setup.lightning_module.network.state_dict(), weights(digits)
    assert all(torch.equal(own[name], before[name]) for name in before)


def test_each_part_has_its_learning_rate(digits, photos, tmp_path):
    config = from_run(digits, tmp_path / "run", data=f"folder:{photos}", backbone_rate=0.25, schedule="constant")
    module = prepare(config, tmp_path / "partial", lambda line: None, begun=False).lightning_module
    module.trainer = type("T", (), {"estimated_stepping_batches": 10})()
    groups = module.configure_optimizers().param_groups
    assert [group["lr"] for group in groups] == [0.004, 0.004, 0.001, 0.001]
    sizes = [sum(p.numel() for p in group["params"]) for group in groups]
    assert sizes[:2] == [72 * 2, 2] and sum(sizes) == sum(p.numel() for p in module.network.parameters())


def test_a_detector_keeps_all_but_its_scores(tmp_path, tmp_path_factory):
    scenes = train(
        make_config(**(SMALL | {"epochs": 1, "limit": 16, "batch_size": 8}), data="scenes", out=tmp_path / "scenes")
    )
    images = tmp_path / "images"
    images.mkdir()
    annotations = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "digit"}]}
    for number, example in enumerate(list(open_data("scenes", "detection", 0).validation)[:20]):
        Image.fromarray(example.pixels).save(images / f"{number}.png")
        annotations["images"].append({"id": number, "file_name": f"{number}.png", "width": 128, "height": 128})
        for x1, y1, x2, y2 in example.boxes.tolist():
            entry = {"id": len(annotations["annotations"]) + 1, "image_id": number, "category_id": 1, "iscrowd": 0}
            annotations["annotations"].append(entry | {"bbox": [x1, y1, x2 - x1, y2 - y1]})
    (tmp_path / "boxes.json").write_text(json.dumps(annotations))
    config = from_run(scenes, tmp_path / "run", data=f"coco:{images},{tmp_path / 'boxes.json'}")
    setup = prepare(config, tmp_path / "partial", lambda line: None, begun=False)
    own, before = setup.lightning_module.network.state_dict(), weights(scenes)
    others = {name for name in before if not (own[name].shape == before[name].shape and own[name].equal(before[name]))}
    assert others == {"heads.scores.weight", "heads.scores.bias"} and own["heads.scores.bias"].shape == (1,)
    assert (setup.resolved.width, setup.resolved.framing) == (128, "letterbox")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"freeze": 2}, "--freeze keeps a backbone's weights; give some to start from by --pretrained or --from"),
        ({"backbone_rate": 0.5}, "--backbone-lr is for a backbone with weights; add --pretrained or --from"),
        ({"pretrained": True, "model": "timm:resnet18", "backbone_rate": 2.0}, "--backbone-lr: "),
    ],
)
def test_options_without_weights_are_refused(options, sentence):
    with pytest.raises(UsageError) as error:
        make_config(data="digits", **options)
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_what_cannot_be_started_from(digits, photos, tmp_path):
    with pytest.raises(UsageError, match="--model is decided by the run"):
        start_options(digits, {"model": "timm:resnet18"})
    with pytest.raises(SamesightError, match="not a finished run"):
        start_options(tmp_path, {})
    tuned = tmp_path / "tuned"
    shutil.copytree(digits, tuned)
    record = json.loads((tuned / "run.json").read_text())
    record["config"]["tuned_from"] = "runs/digits"
    (tuned / "run.json").write_text(json.dumps(record))
    with pytest.raises(SamesightError, match=r"fine-tuned for int8.*start from the run that it came from, runs/digits"):
        start_options(tuned, {})
    other = tmp_path / "other"
    shutil.copytree(digits, other)
    state = torch.load(other / "checkpoint.ckpt", weights_only=True)
    state["state_dict"]["network.stem.0.weight"] = torch.zeros(8, 3, 3, 3)
    torch.save(state, other / "checkpoint.ckpt")
    assert check_source(other)
    with pytest.raises(SamesightError, match=r"its stem\.0\.weight does not fit this network"):
        train(from_run(other, tmp_path / "run", data=f"folder:{photos}"))
    (other / "checkpoint.ckpt").write_bytes(b"PK")
    with pytest.raises(SamesightError, match=r"checkpoint\.ckpt: damaged"):
        train(from_run(other, tmp_path / "run", data=f"folder:{photos}"))
    assert not (tmp_path / "run").exists() and not (tmp_path / "run.partial").exists()
