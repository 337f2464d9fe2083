"""Files that somebody else made, judged by themselves: right ones pass, wrong ones fail and are told why."""

import json
from dataclasses import replace

import pytest
import torch

from samesight.contract.errors import SamesightError, UsageError
from samesight.conversion.parity.foreign import judge_file
from samesight.conversion.sources.source import TestData, open_source
from support.fixtures import SIDE

TestData.__test__ = False


@pytest.fixture(scope="module")
def source(digits_run, digits_spec):
    """The small classifier without test data: golden cases alone."""
    return open_source(str(digits_run / "network.pt2"), digits_spec, digits_run / "calibration")


def exported(network, path, name="whatever"):
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, SIDE, SIDE),),
        path,
        dynamo=True,
        external_data=False,
        verbose=False,
        output_names=[name],
    )
    return path


class Wrapped(torch.nn.Module):
    """The classifier as others might have exported it."""

    def __init__(self, network, kind):
        super().__init__()
        self.network, self.kind = network, kind

    def forward(self, image):
        if self.kind == "pixels":  # with the normalisation of the spec inside
            mean, std = (torch.tensor(values)[:, None, None] for values in ((0.5, 0.4, 0.3), (0.5, 0.6, 0.7)))
            image = (image / 255.0 - mean) / std
        if self.kind == "bgr":
            image = image.flip(1)
        return self.network(image)


@pytest.fixture(scope="module")
def files(digits_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs")
    network = torch.export.load(digits_run / "network.pt2").module(check_guards=False)
    return {kind: exported(Wrapped(network, kind), folder / f"{kind}.onnx") for kind in ("values", "pixels", "bgr")}


@pytest.mark.slow
def test_a_file_of_the_same_network_passes_however_it_takes_its_image(source, files):
    for takes in ("values", "pixels"):
        judged = judge_file(files[takes], source)
        assert judged.verdict.passed and judged.takes == takes and judged.outputs == ("whatever",), judged
        assert judged.verdict.precision == "fp32" and min(role.snr_db for role in judged.verdict.roles) > 100
        assert judged.likely_cause is None and judged.verdict.cases > 0


@pytest.mark.slow
def test_a_file_that_exchanges_channels_fails_with_its_cause(source, files):
    judged = judge_file(files["bgr"], source)
    assert judged.verdict.passed is False and "dB is below 80 dB" in judged.verdict.reason
    assert judged.likely_cause is not None and "BGR" in judged.likely_cause


@pytest.mark.slow
def test_the_demos_own_files_pass_as_a_strangers(demo, samesight):
    for name in ("digits.int8.tflite", "digits.fp32.pte", "digits.fp16.mlpackage"):
        options = ("--precision", "fp16") if "fp16" in name else ()
        done = samesight(
            "verify", demo / "digits/artifacts" / name, "--against", demo / "runs/digits", *options, "--json"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(done.stdout)
        assert told["takes"] == "pixels" and told["verdict"]["precision"] == name.split(".")[1]
        # The evaluator of Core ML is slow: as many images as fit into a minute.
        assert (
            told["verdict"]["metric"]["images"] == 359 or "of 359, for its runtime is slow" in told["verdict"]["reason"]
        )
    done = samesight("verify", demo / "scenes/artifacts/scenes.int8.tflite", "--against", demo / "runs/digits")
    assert done.returncode == 1 and "takes [1, 128, 128, 3], but the spec says [1, 3, 64, 64]" in done.stderr


@pytest.mark.slow
def test_what_cannot_be_judged_is_one_sentence(source, files, digits_spec, tmp_path):
    for name, content, sentence in (
        ("m.tflite", b"no file", "cannot be loaded"),
        ("m.onnx", files["values"].read_bytes()[:999], "cannot be loaded"),
        ("m.pte", b"x" * 99, "cannot be loaded"),
        ("m.pt", b"x", "is not judged by itself; give a .tflite, .onnx, .pte or .mlpackage"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SamesightError) as error:
            judge_file(tmp_path / name, source)
        assert str(error.value).startswith(f"{tmp_path / name}: ") and sentence in str(error.value)
    with pytest.raises(SamesightError, match=r"none\.onnx: no such file"):
        judge_file(tmp_path / "none.onnx", source)
    with pytest.raises(UsageError, match=r"unknown precision 'int4'; choose among fp32"):
        judge_file(files["values"], source, "int4")
    fewer = digits_spec.model_copy(update={"labels": digits_spec.labels[:9]})
    with pytest.raises(SamesightError):
        judge_file(files["values"], replace(source, spec=fewer))


def test_options_that_do_not_belong_together_are_refused(samesight_here, tmp_path):
    for options in (("--spec", "m.json"), ("--against", "r", "--apps"), ("--precision", "int8")):
        done = samesight_here("verify", tmp_path, *options)
        assert done.returncode == 2 and "--against" in done.stderr
