"""The table of several tools' int8: figures are those of the outputs, and a tool that fails is a row that says so."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.conversion.formats.int8_comparison import bound, tools
from samesight.conversion.formats.int8_comparison.__main__ import against_the_best, main, rows
from samesight.conversion.formats.int8_comparison.aimet import aimet, check_aimet
from samesight.conversion.formats.int8_comparison.case import Case, of_torch
from samesight.conversion.formats.int8_comparison.chance import difference
from samesight.conversion.preparation.prepare import pixels_of
from samesight.conversion.quantization.layers import fingerprint_of, layers_of
from samesight.conversion.quantization.recipe import Recipe
from samesight.conversion.quantization.search import Evidence
from samesight.datasets import open_data

IMAGES = 40


@pytest.fixture(scope="module")
def case(digits_prepared, digits_spec, digits_inputs):
    examples = [open_data("digits", seed=0).test[number] for number in range(IMAGES)]
    inputs = [preprocess(Picture(example.pixels), digits_spec.input) for example in examples]
    tensors = np.stack([tensor for tensor, _ in inputs])
    evidence = Evidence(pixels_of(tensors), [geometry for _, geometry in inputs], examples)
    return Case("digits", digits_prepared, digits_inputs, evidence, evidence, tensors)


@pytest.fixture(scope="module")
def logits(case):
    return of_torch(case.prepared.module)(case.tensors)[0]


def right(logits, case):
    return 100 * np.mean(logits.argmax(1) == [example.label for example in case.test.examples])


def test_the_float_program_loses_nothing(case, logits):
    figures = case.judge(lambda images: [logits.copy()])
    assert (figures.decibels, figures.equal, figures.lost) == (np.inf, 1.0, 0.0)


def test_figures_are_those_of_the_outputs(case, logits):
    wrong = logits.copy()
    wrong[:10] = np.roll(wrong[:10], 1, axis=1)
    figures = case.judge(lambda images: [wrong])
    assert figures.equal == 0.75
    assert figures.lost == pytest.approx(right(logits, case) - right(wrong, case)) and figures.lost > 20
    noise, signal = np.square(wrong - logits).mean(), np.square(logits - logits.mean(0)).mean()
    assert figures.decibels == pytest.approx(10 * np.log10(signal / noise), abs=0.01)


def test_rows_of_ours_and_of_a_tool_that_fails(case, monkeypatch):
    def broken(case):
        raise ValueError("no | here\nand more")

    layers = layers_of(case.prepared.module)
    schemes = {layer.name: "float" if layer is layers[-1] else "int8" for layer in layers}
    recipe = Recipe(model="digits", network=fingerprint_of(layers), layers=schemes)
    monkeypatch.setattr(tools, "search", lambda *_: recipe)
    plain, mixed, other = [row for row, _ in rows(case, {"a": tools.ours, "b": tools.ours_auto, "c": broken})]
    assert other == "| digits | c | fails: ValueError: no / here | | | |"
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in (plain, mixed)]
    assert [each[:2] for each in cells] == [["digits", "a"], ["digits", "b"]]
    assert float(cells[1][2]) >= float(cells[0][2]) - 0.5 > 20, "dB"
    assert all(each[3].endswith("%") and abs(float(each[4])) <= 5 for each in cells)
    # The head's 512 x 10 weights in floats; the normalisation's 3, 3 x 16 x 9 and 16 x 32 x 9 bytes beside them.
    share = 4 * 5120 / (4 * 5120 + 3 + 432 + 4608)
    assert [each[5] for each in cells] == ["0 %", f"{100 * share:.0f} %"]


def test_the_activations_alone_have_less_noise_than_all_of_int8_and_more_than_none(case, logits):
    alone, whole = case.judge(tools.float_weights(case).program), case.judge(tools.ours(case).program)
    assert whole.decibels - 0.5 < alone.decibels < 60
    assert not np.array_equal(tools.float_weights(case).program(case.tensors)[0], logits)


def test_ranges_fitted_to_the_test_images_are_better_there(case, monkeypatch):
    """On images whose values ours were not taken from, and only activations are quantized."""
    monkeypatch.setattr(bound, "STEPS", 40)
    alone, fitted = (case.judge(make(case).program) for make in (tools.float_weights, bound.fitted_to_the_test_images))
    assert alone.decibels + 0.2 < fitted.decibels < 60


def noisy(case, logits, size, seed):
    noise = np.random.default_rng(seed).normal(0, size, logits.shape)
    return case.judge(lambda images: [(logits + noise).astype(np.float32)])


def test_a_difference_says_what_may_be_chance(case, logits):
    first, same, half = noisy(case, logits, 0.2, 0), noisy(case, logits, 0.2, 1), noisy(case, logits, 0.1, 0)
    assert difference(half, first) == pytest.approx((20 * np.log10(2),) * 3, abs=0.01)
    more, low, high = difference(same, first)
    assert low < 0 < high and low < more < high
    # By the noises' own spread: the error of a ratio of two means, in dB.
    apart = 10 / np.log(10) * (same.noises[0] / same.noises.mean() - first.noises[0] / first.noises.mean())
    assert high - low == pytest.approx(2 * 1.96 * apart.std() / IMAGES**0.5, rel=0.15)
    assert difference(first, half)[0] == pytest.approx(first.decibels - half.decibels, abs=1e-3)


def test_the_best_other_is_named(case, logits):
    found = {
        "samesight": noisy(case, logits, 0.1, 0),
        "one": noisy(case, logits, 0.2, 0),
        "two": noisy(case, logits, 1, 0),
    }
    told = against_the_best(case, found)
    assert told == "digits: samesight has +6.0 dB (95 % interval +6.0 to +6.0) over the best other: one"
    assert against_the_best(case, {"samesight": found["samesight"], "samesight, auto": found["one"]}) is None
    assert against_the_best(case, {"one": found["one"]}) is None


def test_an_interpreter_without_aimet_is_told(case):
    with pytest.raises(SamesightError, match=r"--aimet .*python.*: this interpreter cannot import aimet_onnx"):
        check_aimet(Path(sys.executable))
    with pytest.raises(SamesightError, match=r"--aimet no-such: .*pip install aimet-onnx"):
        check_aimet(Path("no-such"))


def test_aimet_s_own_error_stands_in_its_row(case):
    ((row, _),) = rows(case, {"AIMET": aimet(Path(sys.executable), "min-max")})
    assert row == "| digits | AIMET | fails: ModuleNotFoundError: No module named 'aimet_onnx' | | | |"


def test_the_command_names_a_run_that_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["int8_comparison", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    printed, said = capsys.readouterr()
    assert ended.value.code in (1, 2) and str(tmp_path) in said and said.count("\n") == 1
    assert not printed, "no head of a table that does not come"


def test_torch_programs_take_batches_image_by_image(case):
    outputs = of_torch(case.prepared.module)(case.tensors[:3])
    with torch.no_grad():
        single = case.prepared.module(pixels_of(case.tensors[2:3]))[0].numpy()
    assert outputs[0].shape == (3, 10) and np.allclose(outputs[0][2:], single, atol=1e-4)
