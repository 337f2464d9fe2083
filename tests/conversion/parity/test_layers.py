"""A program against the network it was made from: the first value that departs has a name."""

import copy

import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.conversion.formats.coreml import convert
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.parity.layers import (
    Tally,
    compare_layers,
    compare_outputs,
    first_departure,
    floor_of,
    outputs_by_role,
)
from samesight.conversion.preparation.prepare import prepare
from samesight.conversion.quantization.quantize import quantize
from samesight.conversion.runners.coreml.evaluator import load_evaluator
from samesight.conversion.sources.calibration import calibration_tensors, find_calibration_images
from samesight.conversion.sources.server_model import load_program, load_server


@pytest.fixture(scope="module")
def tensors(digits_run, digits_spec):
    return calibration_tensors(find_calibration_images(digits_run / "calibration")[:4], digits_spec.input)


def evaluator_of(prepared, folder):
    return load_evaluator(convert(Lowering(prepared.spec, "fp16", prepared, None, folder / "m.mlpackage")).path)


def test_a_faithful_program_departs_nowhere(digits_run, digits_spec, digits_prepared, tensors, tmp_path):
    evaluator = evaluator_of(digits_prepared, tmp_path)
    layers = compare_layers(evaluator, digits_prepared, tensors)
    assert [layer.operator for layer in layers][:3] == ["conv", "conv", "relu"]
    assert len(layers) >= len(evaluator.steps) - 4  # all but the casts and what has a name of its own
    assert first_departure(layers, floor_of(evaluator)) is None
    assert all(45 < layer.db < 100 for layer in layers)
    (figures,) = compare_outputs(evaluator, load_server(digits_run / "network.pt2", digits_spec), tensors)
    assert 45 < figures.snr_db < 100


def test_the_first_value_of_a_changed_layer_is_named(digits_run, digits_spec, digits_prepared, tensors, tmp_path):
    """A package whose second convolution has other weights."""
    program = copy.deepcopy(load_program(digits_run / "network.pt2"))
    with torch.no_grad():
        program.state_dict["3.weight"].mul_(1.2)
    changed = prepare(program, digits_spec)
    evaluator = evaluator_of(changed, tmp_path)
    layers = compare_layers(evaluator, digits_prepared, tensors)
    departed = first_departure(layers, floor_of(evaluator))
    assert departed.operator == "conv"
    assert departed.node == "conv2d_2"  # the first is the normalisation
    before = layers[: layers.index(departed)]
    assert len(before) >= 3
    assert all(layer.db > 45 for layer in before)


def test_channels_that_int8_equalized_do_not_depart(digits_run, digits_spec, digits_inputs, tmp_path):
    """The network with channels of very unlike sizes, which calibration makes alike; a changed layer is still named."""
    program = copy.deepcopy(load_program(digits_run / "network.pt2"))
    sizes = torch.logspace(0, -2, 16)
    with torch.no_grad():
        program.state_dict["1.weight"].mul_(sizes)
        program.state_dict["1.bias"].mul_(sizes)
        program.state_dict["3.weight"].div_(sizes.reshape(1, -1, 1, 1))
    prepared = prepare(program, digits_spec)
    quantized = quantize(prepared, digits_inputs)
    assert next(step for step in quantized.steps if step.name == "equalized channels").kept
    made = convert(Lowering(digits_spec, "int8", prepared, quantized, tmp_path / "int8.mlpackage"))
    evaluator = load_evaluator(made.path)
    layers = compare_layers(evaluator, prepared, digits_inputs[:4])
    assert "relu" in {layer.operator for layer in layers}
    assert first_departure(layers, floor_of(evaluator)) is None
    with torch.no_grad():
        program.state_dict["3.weight"].mul_(-1)
    departed = first_departure(
        compare_layers(evaluator, prepare(program, digits_spec), digits_inputs[:4]), floor_of(evaluator)
    )
    assert departed.node == "conv2d_2"


def test_outputs_of_another_model_are_refused(digits_prepared, boxes_spec, tmp_path):
    evaluator = evaluator_of(digits_prepared, tmp_path)
    with pytest.raises(SamesightError, match="gives logits, but the run has logits, boxes"):
        outputs_by_role(evaluator, {"logits": None}, boxes_spec)


FACTORS = np.array([[1.0, 1.0, 2.0, 3.2], [1.25, 1.25, 3.1, 5.0]])  # the least and the largest


@pytest.mark.parametrize(
    ("made", "least", "most"),
    [
        ([1, 1, 1, 1], 200, None),  # calibration did not keep the step
        ([1, 1, 2.5, 4], 200, None),
        ([1, 1.1, 2.2, 4.4], 200, None),  # what other images than calibration's lead to
        ([3, 3, 3, 3], -20, 12.5),  # a layer's weights times three
        ([3, 3, 7.5, 12], -20, 0),
        ([1.5, 1.5, 3.75, 6], -20, 16),
        ([1, 1, 2.5, -4], -20, 8),
        ([0.5, 0.5, 1.25, 2], -20, 8),  # equalization makes nothing smaller
        ([1, 1, 0, 0], -20, 5),
    ],
)
def test_channels_that_int8_equalized_are_no_fault_and_other_gains_are(made, least, most):
    values = np.random.default_rng(0).normal(size=(3, 1, 4, 8, 8)).astype(np.float32)
    tally = Tally("conv", "conv2d", values.shape[1:], factors=FACTORS)
    for value in values:
        tally.add(value, value * np.asarray(made, np.float32).reshape(1, 4, 1, 1))
    decibels = 300 if tally.db is None else tally.db
    assert decibels > 100 if most is None else least < decibels < most


def test_noise_is_counted_in_the_plain_values_own_size():
    rng = np.random.default_rng(0)
    value, noise = rng.normal(size=(2, 1, 4, 64, 64)).astype(np.float32)
    scale = np.array([1, 1, 2.5, 4], np.float32).reshape(1, 4, 1, 1)
    tally = Tally("conv", "conv2d", value.shape, factors=FACTORS)
    tally.add(value, (value + noise / 10) * scale)
    assert tally.db == pytest.approx(20, abs=0.3)  # a tenth of the amplitude


@pytest.mark.parametrize(
    ("error", "rounding", "least", "most"), [(1, 2**-11, 66, 80), (1, 0, -60, 0), (8, 2**-11, -60, 0)]
)
def test_rounding_of_a_value_that_hardly_varies_is_no_fault(error, rounding, least, most):
    rng = np.random.default_rng(0)
    value = (-3.448 + 1e-5 * rng.normal(size=(1, 63, 1, 1))).astype(np.float32)
    tally = Tally("conv", "conv2d", value.shape, rounding=rounding)
    tally.add(value, value.astype(np.float16) + np.float32(error * 2**-11 * 0.5))
    assert least < tally.db < most
