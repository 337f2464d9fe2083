"""Fine-tuning for int8: the better of PTQ and QAT becomes a run that converts to what was judged."""

import json

import numpy as np
import pytest
import torch

from contract.errors import SamesightError, UsageError
from contract.image import load_picture
from contract.preprocess import preprocess
from contract.spec import read_spec
from training.config import make_config
from training.data import open_data
from training.qat import fine_tune
from training.workflow import train


def quiet(_):
    pass


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    options = {"epochs": 5, "limit": 300, "threads": 1, "patience": 0, "calibration": 16}
    return train(make_config(out=folder / "digits", **options), report=quiet)


@pytest.fixture(scope="module")
def tuned(digits):
    return fine_tune(digits, report=quiet, epochs=1, learning_rate=3e-4)


def record_of(run):
    return json.loads((run / "run.json").read_text())


def int8_program(run):
    """What conversion makes of a run."""
    from conversion.preparation import prepare
    from conversion.quantization import quantize, read_ranges

    spec = read_spec(run / "model.json")
    prepared = prepare(torch.export.load(run / "network.pt2"), spec)
    return spec, quantize(prepared, None, read_ranges(run / "quantization.json")).folded


def top1(run):
    spec, program = int8_program(run)
    hits = []
    for example in open_data("digits", seed=0).test:
        from contract.image import Picture

        tensor, _ = preprocess(Picture(example.pixels), spec.input)
        (logits,) = program(torch.from_numpy(tensor).permute(2, 0, 1)[None].float().contiguous())
        hits.append(int(logits.argmax()) == example.label)
    return float(np.mean(hits))


def test_the_new_run_says_who_won(digits, tuned):
    assert tuned == digits.with_name("digits-qat")
    verdict = record_of(tuned)["quantization"]
    assert verdict["winner"] in ("ptq", "qat") and verdict["from"] == str(digits)
    scores = {name: figures["validation_top1"] for name, figures in verdict["int8"].items()}
    assert scores[verdict["winner"]] == max(scores.values())
    assert record_of(tuned)["data"] == record_of(digits)["data"]
    assert len(list((tuned / "calibration").iterdir())) == 16


def test_conversion_makes_the_int8_program_that_was_judged(tuned):
    verdict = record_of(tuned)["quantization"]
    assert abs(top1(tuned) - verdict["int8"][verdict["winner"]]["top1"]) < 1e-6


@pytest.mark.parametrize("winner", ["ptq", "qat"])
def test_either_winner_is_kept_whole(digits, tmp_path, monkeypatch, winner):
    """The one that is said to be better on the validation images is the one that the run holds."""
    import training.qat

    honest = training.qat.Candidate
    made = []

    def biased(prepared, ranges, validation, test):
        name = "ptq" if not made else "qat"
        made.append(name)
        score = 1.0 if name == winner else 0.0
        return honest(prepared, ranges, validation | {training.qat.MONITOR: score}, test)

    monkeypatch.setattr(training.qat, "Candidate", biased)
    run = fine_tune(digits, report=quiet, out=tmp_path / "run", epochs=1, learning_rate=3e-3)
    verdict = record_of(run)["quantization"]
    assert made == ["ptq", "qat"] and verdict["winner"] == winner
    assert abs(top1(run) - verdict["int8"][winner]["top1"]) < 1e-6
    spec = read_spec(run / "model.json")
    picture = load_picture(sorted((run / "calibration").iterdir())[0])
    pixels = torch.from_numpy(preprocess(picture, spec.input)[0]).permute(2, 0, 1)[None].float().contiguous()
    normal = (pixels / 255 - spec.input.mean[0]) / spec.input.std[0]
    first, now = (torch.export.load(folder / "network.pt2").module()(normal) for folder in (digits, run))
    gap = float((first - now[0] if isinstance(now, tuple) else first - now).abs().max())
    assert gap < 1e-3 if winner == "ptq" else gap > 1e-3, "QAT changes the weights, PTQ keeps them"


def test_a_detector_is_tuned_too(tmp_path):
    options = {"epochs": 1, "limit": 16, "threads": 1, "calibration": 8}
    source = train(make_config(data="scenes", out=tmp_path / "scenes", **options), report=quiet)
    run = fine_tune(source, report=quiet, epochs=1)
    verdict = record_of(run)["quantization"]
    assert {"map50", "map"} <= set(verdict["int8"]["qat"])
    spec, program = int8_program(run)
    outputs = program(torch.zeros(1, 3, 128, 128))
    assert spec.roles == ("logits", "boxes") and [tuple(o.shape) for o in outputs] == [(1, 1024, 10), (1, 1024, 4)]


def test_interrupted_fine_tuning_goes_on(digits, tuned, tmp_path):
    from training.workflow import resume

    def stop(line):
        if line.startswith("epoch 2/"):
            raise KeyboardInterrupt

    run = tmp_path / "run"
    with pytest.raises(SamesightError, match="--resume"):
        fine_tune(digits, report=stop, out=run, epochs=2)
    lines = []
    assert resume(run, report=lines.append) == run
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["2/2"]
    assert "winner" in record_of(run)["quantization"]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"model": "timm:resnet18"}, "--model"), ({"data": "scenes"}, "--data"), ({"epochs": 0}, "--epochs")],
)
def test_options_that_the_run_decides(digits, tmp_path, options, words):
    with pytest.raises(UsageError, match=words):
        fine_tune(digits, report=quiet, out=tmp_path / "run", **options)
    assert not list(tmp_path.iterdir())


def test_no_run(tmp_path):
    with pytest.raises(SamesightError, match="not a finished run"):
        fine_tune(tmp_path, report=quiet)
