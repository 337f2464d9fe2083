"""Fine-tuning for int8: the better of PTQ and QAT becomes a run that converts to what was judged."""

import json

import numpy as np
import pytest
import torch

import samesight
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.gates import GATES, STEPS_APART
from samesight.contract.image import load_picture
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import read_spec
from samesight.conversion.parity.verify import verify_bundle
from samesight.datasets import open_data
from samesight.training.config import make_config
from samesight.training.qat import fine_tune
from samesight.training.train import train

pytestmark = pytest.mark.slow

TUNING = {"epochs": 1, "learning_rate": 3e-3, "limit": 64}


def quiet(_):
    pass


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    options = {"epochs": 4, "limit": 200, "threads": 1, "patience": 0, "calibration": 16}
    return train(make_config(out=folder / "digits", **options), report=quiet)


@pytest.fixture(scope="module")
def timm_run(tmp_path_factory):
    options = {"epochs": 3, "limit": 400, "threads": 1, "patience": 0, "calibration": 16, "learning_rate": 4e-3}
    out = tmp_path_factory.mktemp("timm") / "run"
    return train(make_config(model="timm:test_efficientnet", out=out, **options), report=quiet)


@pytest.fixture(scope="module")
def tuned(digits):
    return fine_tune(digits, report=quiet, **TUNING)


def record_of(run):
    return json.loads((run / "run.json").read_text())


def int8_program(run):
    """What conversion makes of a run."""
    from samesight.conversion.preparation.prepare import prepare
    from samesight.conversion.quantization.quantize import quantize, read_ranges

    spec = read_spec(run / "model.json")
    prepared = prepare(torch.export.load(run / "network.pt2"), spec)
    return spec, quantize(prepared, None, read_ranges(run / "quantization.json")).folded


def top1(run):
    spec, program = int8_program(run)
    hits = []
    for example in open_data("digits", seed=0).test:
        from samesight.contract.image import Picture

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
    assert record_of(tuned)["data"] == record_of(digits)["data"] | {"train": 64}
    assert len(list((tuned / "calibration").iterdir())) == 16


def test_conversion_makes_the_int8_program_that_was_judged(tuned):
    verdict = record_of(tuned)["quantization"]
    assert abs(top1(tuned) - verdict["int8"][verdict["winner"]]["top1"]) < 1e-6


def test_its_result_converts_to_every_int8_format(tuned, tmp_path):
    """The runtimes' own int8, not the program in torch: each agrees with the tuned network and with what was judged."""
    bundle = samesight.convert(
        tuned, tmp_path / "digits", to=["onnx", "pte", "tflite"], precision=["int8"], cache=False
    )
    verdicts = verify_bundle(bundle).artifacts
    assert [(v.format, v.precision) for v in verdicts] == [(f, "int8") for f in ("onnx", "executorch", "litert")]
    judged = record_of(tuned)["quantization"]
    for verdict in verdicts:
        assert verdict.snr_db > GATES["int8"].snr_db and verdict.steps_apart < STEPS_APART, verdict.name
        assert abs(verdict.metric.artifact - judged["int8"][judged["winner"]]["top1"]) < 0.01


def test_the_other_winner_is_kept_as_whole(digits, tuned, tmp_path, monkeypatch):
    """With the validation metric turned round, the run holds the other candidate, its weights and its ranges."""
    from samesight.training import qat as qat_module

    honest = record_of(tuned)["quantization"]["winner"]
    winner = {"ptq": "qat", "qat": "ptq"}[honest]
    monkeypatch.setattr(qat_module, "is_better", lambda qat, ptq: winner == "qat")
    run = fine_tune(digits, report=quiet, out=tmp_path / "run", **TUNING)
    verdict = record_of(run)["quantization"]
    assert verdict["winner"] == winner
    assert abs(top1(run) - verdict["int8"][winner]["top1"]) < 1e-6
    kept, changed = (run, tuned) if winner == "ptq" else (tuned, run)
    network, ranges = calibrated(digits)
    assert gap(kept, network) == 0 and ranges_of(kept) == ranges, "PTQ is what calibration makes of the run"
    assert gap(changed, network) > 1e-3, "QAT changes the weights"


def calibrated(run):
    """The float network and the ranges that calibration alone makes of a run; its weights may be rounded ones."""
    from samesight.conversion.preparation.prepare import prepare
    from samesight.conversion.quantization.quantize import as_network, quantize

    spec = read_spec(run / "model.json")
    tensors = np.stack(
        [preprocess(load_picture(path), spec.input)[0] for path in sorted((run / "calibration").iterdir())]
    )
    plain = quantize(prepare(torch.export.load(run / "network.pt2"), spec, tensors), tensors)
    return as_network(plain.prepared)[0], plain.ranges


def ranges_of(run):
    from samesight.conversion.quantization.quantize import read_ranges

    return read_ranges(run / "quantization.json")


def gap(run, network):
    """The greatest difference of a run's float network and another on a calibration image."""
    spec = read_spec(run / "model.json")
    picture = load_picture(sorted((run / "calibration").iterdir())[0])
    pixels = torch.tensor(preprocess(picture, spec.input)[0]).permute(2, 0, 1)[None].float().contiguous()
    normal = (pixels / 255 - spec.input.mean[0]) / spec.input.std[0]
    logits = []
    for exported in (torch.export.load(run / "network.pt2"), network):
        with torch.no_grad():
            found = exported.module()(normal)
        logits.append(found[0] if isinstance(found, tuple) else found)
    return float((logits[0] - logits[1]).abs().max())


def test_a_detector_is_tuned_too(tmp_path):
    options = {"epochs": 1, "limit": 16, "threads": 1, "calibration": 8}
    source = train(make_config(data="scenes", out=tmp_path / "scenes", **options), report=quiet)
    run = fine_tune(source, report=quiet, epochs=1)
    verdict = record_of(run)["quantization"]
    assert {"map50", "map"} <= set(verdict["int8"]["qat"])
    spec, program = int8_program(run)
    outputs = program(torch.zeros(1, 3, 128, 128))
    assert spec.roles == ("logits", "boxes") and [tuple(o.shape) for o in outputs] == [(1, 1024, 10), (1, 1024, 4)]


def test_a_backbone_of_timm_is_tuned_and_never_made_worse(timm_run, tmp_path):
    """SiLU and squeeze-and-excite; a learning rate that ruins the weights leaves what calibration found."""
    run = fine_tune(timm_run, report=quiet, out=tmp_path / "run", epochs=1, learning_rate=0.3, limit=64)
    verdict = record_of(run)["quantization"]
    scores = {name: figures["validation_top1"] for name, figures in verdict["int8"].items()}
    assert verdict["winner"] == "ptq" and scores["qat"] < scores["ptq"] - 0.1
    assert abs(top1(run) - verdict["int8"]["ptq"]["top1"]) < 1e-6


def test_interrupted_fine_tuning_goes_on(digits, tuned, tmp_path):
    from samesight.training.train import resume

    def stop(line):
        if line.startswith("epoch 2/"):
            raise KeyboardInterrupt

    run = tmp_path / "run"
    with pytest.raises(SamesightError, match="--resume"):
        fine_tune(digits, report=stop, out=run, epochs=2, limit=32)
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
