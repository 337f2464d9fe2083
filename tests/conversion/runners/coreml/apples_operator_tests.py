"""A pytest plugin that runs coremltools' own operator tests with the evaluator in the place of Core ML.

Apple's continuous integration runs these tests on macOS and compares Core ML's predictions with the expected values;
elsewhere coremltools predicts nothing, and the tests compare nothing. Set OPERATORS_SEEN to a file: the operators of
each program whose values were the expected ones are written there, a line for each program.
"""

import os
import re
from pathlib import Path

import numpy as np
import pytest

os.environ["PYMIL_TEST_TARGETS"] = "mlprogram"
os.environ["INCLUDE_MIL_FP32_UNIT_TESTS"] = "1"
# Refused by coremltools itself on Linux, about errors, slow, or without a prediction.
LEFT_OUT = ("TestCropResize", "TestFill::test_builder_to_backend_symbolic", "invalid", "_inference")
# Of which there is no smoke test.
ONLY_LONG = ("TestConv", "TestResize::", "TestReshape", "TestShape", "TestScaledDotProductAttention", "mixed_precision")
ONE_OF_EACH = re.compile(r"(?:mode|op_name|pad_type|rank)=([A-Za-z_0-9]+)")
"""Parameters that name an operator or a variant; of all others the first case is enough."""

from samesight.conversion.runners.coreml.import_coremltools import import_coremltools  # noqa: E402

import_coremltools()
from coremltools.converters.mil.mil.ops.tests import testing_utils as of_operators  # noqa: E402

from samesight.conversion.runners.coreml.evaluator import load_evaluator  # noqa: E402
from samesight.conversion.runners.coreml.operators.table import OPERATORS, STRUCTURE  # noqa: E402
from samesight.conversion.runners.coreml.program import read_package, unknown_operators  # noqa: E402


def compare(mlmodel, input_key_values, expected_outputs, dtype="fp32", atol=1e-4, rtol=1e-5, **options):
    """What coremltools' compare_backend does on a Mac."""
    path = Path(mlmodel.package_path)
    package = read_package(path)
    if unknown := unknown_operators(package, {*OPERATORS, *STRUCTURE}):
        pytest.skip(f"not in the table: {', '.join(unknown)}")
    if options.get("state") is not None:
        pytest.skip("states are not evaluated")
    evaluator = load_evaluator(path)
    found = evaluator({name: np.asarray(value) for name, value in input_key_values.items()})
    if dtype == "fp16" or any(np.asarray(value).dtype == np.float16 for value in input_key_values.values()):
        atol, rtol = max(100 * atol, 0.5), max(100 * rtol, 0.05)  # as compare_backend has it
    for name, wanted in (expected_outputs or {}).items():
        wanted = np.asarray(wanted)
        if options.get("also_compare_shapes", True) and wanted.shape:
            assert found[name].shape == wanted.shape
        np.testing.assert_allclose(found[name], wanted.astype(np.float64), atol=atol, rtol=rtol)
    if expected_outputs:
        with Path(os.environ["OPERATORS_SEEN"]).open("a") as stream:
            stream.write(" ".join(unknown_operators(package, STRUCTURE)) + "\n")


of_operators.compare_backend = compare


def is_wanted(name):
    """A short test in single precision."""
    short = "smoke" in name or any(test in name for test in ONLY_LONG)
    return short and "fp16" not in name and "float16" not in name and not any(part in name for part in LEFT_OUT)


def pytest_collection_modifyitems(config, items):
    """The first case of each test and variant."""
    seen, kept = set(), []
    for item in items:
        key = item.nodeid.split("[")[0], *ONE_OF_EACH.findall(item.nodeid)
        if is_wanted(item.nodeid) and key not in seen:
            seen.add(key)
            kept.append(item)
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept
