"""Every row of the table of operators against an oracle that shares no code with it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from samesight.conversion.runners.coreml.import_coremltools import import_coremltools

ct = import_coremltools()
from coremltools.converters.mil import Builder as mb  # noqa: E402
from coremltools.converters.mil.mil import Function  # noqa: E402

from samesight.conversion.runners.coreml.bound_operator import evaluate_operation  # noqa: E402
from samesight.conversion.runners.coreml.operators.table import OPERATORS  # noqa: E402


def load_beside(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases, expected, compressed = map(load_beside, ("operator_cases", "expected_values", "compressed_cases"))
ROUNDS = 8


def build(kind, inputs, target=ct.target.iOS17):
    """The MIL operation with constant inputs, checked and typed by coremltools."""
    with Function({}, opset_version=target):
        made = getattr(mb, kind)(**inputs)
    return (made[0] if isinstance(made, (tuple, list)) else made).op


def as_tuple(value):
    return value if isinstance(value, (tuple, list)) else (value,)


@pytest.mark.parametrize("kind", sorted(cases.INFERRED))
def test_it_gives_what_coremltools_infers(kind):
    for seed in range(ROUNDS):
        inputs = cases.INFERRED[kind](np.random.default_rng(seed))
        operation = build(kind, inputs)
        values = as_tuple(evaluate_operation(operation))
        for value, variable in zip(values, operation.outputs, strict=True):
            assert variable.val is not None, "coremltools infers nothing here: the case belongs to EXPECTED"
            np.testing.assert_allclose(value.numpy(), variable.val, rtol=2e-5, atol=2e-5, err_msg=str(inputs))


@pytest.mark.parametrize("kind", sorted(expected.EXPECTED))
def test_it_gives_what_is_computed_by_hand(kind):
    target = ct.target.iOS18 if kind == "scaled_dot_product_attention" else ct.target.iOS17
    for seed in range(ROUNDS):
        inputs, wanted = expected.EXPECTED[kind](np.random.default_rng(seed))
        value = evaluate_operation(build(kind, inputs, target))
        np.testing.assert_allclose(value.numpy(), wanted, rtol=2e-5, atol=2e-5, err_msg=str(inputs))


def test_slice_update_gives_what_coremltools_infers():
    for seed in range(ROUNDS):
        rng = np.random.default_rng(seed)
        inputs = {**cases.slices(rng), "squeeze_mask": None}
        inputs = {name: value for name, value in inputs.items() if value is not None}
        part = build("slice_by_index", inputs).outputs[0].shape
        operation = build("slice_update", {**inputs, "update": cases.normal(rng, *part)}, ct.target.iOS18)
        np.testing.assert_array_equal(evaluate_operation(operation).numpy(), operation.outputs[0].val)


def test_dequantize_gives_what_coremltools_materialises():
    for seed in range(ROUNDS):
        operation = build("dequantize", cases.dequantize(np.random.default_rng(seed)))
        wanted = operation.materialized_val_inference()
        np.testing.assert_allclose(evaluate_operation(operation).numpy(), wanted, rtol=1e-6)


@pytest.mark.parametrize(("kind", "target"), sorted(compressed.COMPRESSED))
def test_compressed_weights_are_what_coremltools_decompresses(kind, target):
    for seed in range(ROUNDS):
        inputs = compressed.COMPRESSED[kind, target](np.random.default_rng(seed))
        operation = build(kind, inputs, getattr(ct.target, target))
        wanted = as_tuple(operation.materialized_val_inference())
        for value, each in zip(as_tuple(evaluate_operation(operation)), wanted, strict=True):
            np.testing.assert_allclose(value.numpy(), each.astype(np.float64), rtol=1e-6, err_msg=str(inputs))


def test_every_row_of_the_table_has_an_oracle():
    tested = {*cases.INFERRED, *expected.EXPECTED, *(kind for kind, _ in compressed.COMPRESSED)}
    assert set(OPERATORS) == {*tested, "slice_update", "dequantize"}


@pytest.mark.parametrize("kind", sorted(kind for kind in cases.INFERRED if OPERATORS[kind].exact))
def test_an_operator_that_is_not_rounded_leaves_half_precision_numbers(kind):
    for seed in range(4):
        inputs = cases.INFERRED[kind](np.random.default_rng(seed))
        halves = {name: _half(value) for name, value in inputs.items()}
        for value in as_tuple(evaluate_operation(build(kind, halves))):
            if value.is_floating_point():
                assert torch.equal(value, value.half().float())


def _half(value):
    if isinstance(value, list):
        return [_half(item) for item in value]
    kind = getattr(value, "dtype", None)
    return value.astype(np.float16) if kind == np.float32 else value


def test_results_are_rounded_to_the_declared_half_precision():
    third = np.float16(1) / np.float16(3)
    operation = build("mul", {"x": np.full(3, third, np.float16), "y": np.float16([3, 7, 60000])})
    assert evaluate_operation(operation).tolist() == [
        float(np.float16(float(third) * factor)) for factor in (3, 7, 60000)
    ]
    overflow = build("add", {"x": np.float16([60000]), "y": np.float16([60000])})
    assert evaluate_operation(overflow).tolist() == [float("inf")]
