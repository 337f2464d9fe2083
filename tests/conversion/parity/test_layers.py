"""A program against the network it was made from: the first value that departs has a name."""

import copy

import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.conversion.formats.coreml import convert
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.parity.layers import (
    compare_layers,
    compare_outputs,
    first_departure,
    floor_of,
    outputs_by_role,
)
from samesight.conversion.preparation.prepare import prepare
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


def test_outputs_of_another_model_are_refused(digits_prepared, boxes_spec, tmp_path):
    evaluator = evaluator_of(digits_prepared, tmp_path)
    with pytest.raises(SamesightError, match="gives logits, but the run has logits, boxes"):
        outputs_by_role(evaluator, {"logits": None}, boxes_spec)
