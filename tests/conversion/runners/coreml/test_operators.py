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

from samesight.contract.errors import SamesightError  # noqa: E402
from samesight.conversion.runners.coreml.bound_operator import evaluate_operation  # noqa: E402
from samesight.conversion.runners.coreml.operators.grounding import DOCUMENT, SOURCES, with_section  # noqa: E402
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


def values(kind, inputs, target=ct.target.iOS17):
    return evaluate_operation(build(kind, inputs, target)).numpy()


def test_a_window_that_hangs_over_is_divided_by_the_whole_kernel():
    """What Core ML gave: github.com/apple/coremltools/pull/2844."""
    grid = np.arange(49, dtype=np.float32).reshape(1, 1, 7, 7)
    pool = {"kernel_sizes": [2, 2], "strides": [3, 3], "pad_type": "valid", "ceil_mode": True}
    wanted = [[4, 7, 4.75], [25, 28, 15.25], [21.25, 22.75, 12]]
    np.testing.assert_array_equal(values("avg_pool", {"x": grid, **pool})[0, 0], wanted)
    excluded = {"x": grid, **pool, "exclude_padding_from_average": True}
    np.testing.assert_array_equal(values("avg_pool", excluded)[0, 0], [[4, 7, 9.5], [25, 28, 30.5], [42.5, 45.5, 48]])
    line = {"x": grid[:, :, 0], "kernel_sizes": [2], "strides": [3], "pad_type": "valid", "ceil_mode": True}
    np.testing.assert_array_equal(values("avg_pool", line)[0, 0], [0.5, 3.5, 3])


def test_the_mean_of_no_element_is_refused():
    """MIL keeps a window that begins behind an unpadded map; nobody says what Core ML puts there."""
    pool = {"kernel_sizes": [1], "strides": [3], "pad_type": "valid", "ceil_mode": True}
    operation = build("avg_pool", {"x": np.ones((1, 1, 3), np.float32), **pool, "exclude_padding_from_average": True})
    with pytest.raises(SamesightError, match="has no mean of a window without elements"):
        evaluate_operation(operation)


@pytest.mark.parametrize("size", [2, 3])
def test_the_neighbours_of_lines_are_not_their_channels(size):
    """Apple's values (coremltools 9.0, TestNormalizationLocalResponseNorm): every element is alone."""
    x = np.array([[[1, -7], [5, -6], [-3, -5]]], np.float32)
    wanted = {
        2: [[0.99996257, -6.98716545], [4.99531746, -5.99191284], [-2.99898791, -4.99531746]],
        3: [[0.99997497, -6.99143696], [4.99687672, -5.99460602], [-2.99932504, -4.99687672]],
    }
    np.testing.assert_allclose(values("local_response_norm", {"x": x, "size": size})[0], wanted[size], rtol=1e-6)


OUT_OF_BOUNDS = [
    *(
        (kind, -1)
        for kind in ("gather", "gather_along_axis", "gather_nd", "scatter", "scatter_along_axis", "scatter_nd")
    ),
    *((kind, 3) for kind in ("gather_nd", "scatter", "scatter_nd")),
]


@pytest.mark.parametrize(("kind", "index"), OUT_OF_BOUNDS)
def test_an_index_out_of_bounds_is_refused_from_ios_17_on(kind, index):
    """MIL's documentation: negative indices count from the end up to iOS 16, and are out of bounds after."""
    inputs = {"indices": np.array([index], np.int32)}
    if kind.startswith("scatter"):
        inputs |= {"data": np.array([1, 2, 3], np.float32), "updates": np.array([9], np.float32), "mode": "update"}
    else:
        inputs["x"] = np.array([1, 2, 3], np.float32)
    if kind.endswith("_nd"):
        inputs["indices"] = inputs["indices"][:, None]
    with pytest.raises(SamesightError, match=r"an index is not in 0\.\.2, where the operator is undefined"):
        evaluate_operation(build(kind, inputs))
    if index == -1:
        assert values(kind, inputs, ct.target.iOS16).tolist() == ([1, 2, 9] if "data" in inputs else [3])


def test_nearest_neighbours_have_half_pixel_centres_when_resized():
    """Apple's values: coremltools 9.0, TestResize.test_resize_nearest_neighbor."""
    x = np.array([-6.174, 9.371], np.float32).reshape(1, 1, 2, 1)
    inputs = {"x": x, "shape": [1, 1, 3, 2], "resized_dims": np.uint32(2), "interpolation_mode": "NEAREST_NEIGHBOR"}
    np.testing.assert_array_equal(values("resize", inputs).ravel(), np.float32([-6.174, -6.174] + [9.371] * 4))
    with pytest.raises(SamesightError, match="has no nearest neighbour for one sample of a longer axis"):
        values("resize_nearest_neighbor", {"x": x, "target_size_height": 1, "target_size_width": 1})


def test_the_document_says_what_each_operator_is_grounded_in():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_section(text) == text
    assert all(row.source.split(";")[0] in SOURCES for row in OPERATORS.values())


EXAMPLES = {
    ("UNALIGN_CORNERS", 5): [0, 0.1, 0.5, 0.9, 1],
    ("STRICT_ALIGN_CORNERS", 5): [0, 0.25, 0.5, 0.75, 1],
    ("ALIGN_CORNERS", 5): [0, 0.25, 0.5, 0.75, 1],
    ("DEFAULT", 5): [0, 0.4, 0.8, 1, 1],
    ("OFFSET_CORNERS", 5): [0.1, 0.3, 0.5, 0.7, 0.9],
    ("UNALIGN_CORNERS", 6): [0, 0, 0.33, 0.67, 1, 1],
    ("STRICT_ALIGN_CORNERS", 6): [0, 0.2, 0.4, 0.6, 0.8, 1],
    ("ALIGN_CORNERS", 1): [0.5],
    ("DEFAULT", 6): [0, 0.33, 0.67, 1, 1, 1],
    ("OFFSET_CORNERS", 6): [0.08, 0.25, 0.42, 0.58, 0.75, 0.92],
}


@pytest.mark.parametrize(("mode", "count"), EXAMPLES)
def test_sampling_modes_are_those_of_the_documentation(mode, count):
    """MIL's resize_bilinear: grid points for an input of [0, 1]; the values are the points."""
    x = np.array([0, 1], np.float32).reshape(1, 1, 1, 2)
    inputs = {"x": x, "target_size_height": 1, "target_size_width": count, "sampling_mode": mode}
    np.testing.assert_allclose(values("resize_bilinear", inputs).ravel(), EXAMPLES[mode, count], atol=6e-3)
