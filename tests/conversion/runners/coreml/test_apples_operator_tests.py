"""The evaluator gives the values that Apple's own operator tests expect of Core ML."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from samesight.conversion.runners.coreml.operators.table import OPERATORS, TESTED

pytestmark = pytest.mark.slow
# The first system that has an operator tests all of it; later ones where its meaning has changed.
FILES = [
    *(f"iOS14/test_{name}.py" for name in ("activation", "conv", "elementwise_binary", "elementwise_unary", "linear")),
    *(f"iOS14/test_{name}.py" for name in ("image_resizing", "normalization", "pool", "reduction", "scatter_gather")),
    *(f"iOS14/test_{name}.py" for name in ("tensor_operation", "tensor_transformation")),
    *(f"iOS15/test_{name}.py" for name in ("elementwise_unary", "image_resizing")),
    *(f"iOS16/test_{name}.py" for name in ("tensor_transformation", "scatter_gather")),
    *(f"iOS17/test_{name}.py" for name in ("image_resizing", "linear", "tensor_transformation")),
    *("iOS16/test_constexpr_ops.py", "iOS17/test_quantization.py"),
    *("iOS18/test_compression.py", "iOS18/test_transformers.py"),
]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """The process's output, and the types of the operators whose values were right."""
    folder = tmp_path_factory.mktemp("apple")
    (coremltools,) = importlib.util.find_spec("coremltools").submodule_search_locations
    tests = Path(coremltools) / "converters" / "mil" / "mil" / "ops" / "tests"
    files = [str(tests / file) for file in FILES]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "apples_operator_tests",
        "-p",
        "no:cacheprovider",
        "--no-header",
    ]
    environment = {**os.environ, "OPERATORS_SEEN": str(folder / "seen"), "PYTHONPATH": str(Path(__file__).parent)}
    environment.pop("PYTEST_ADDOPTS", None)
    (folder / "pytest.ini").write_text("[pytest]\n")
    made = subprocess.run(
        [*command, "-c", str(folder / "pytest.ini"), "--rootdir", str(folder), *files],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )
    return made, set((folder / "seen").read_text().split())


def test_all_pass(outcome):
    made, _ = outcome
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-1000:]
    passed = int(re.search(r"(\d+) passed", made.stdout)[1])
    assert passed > 140


def test_every_operator_that_is_said_to_be_tested_is(outcome):
    _, seen = outcome
    assert {kind for kind, row in OPERATORS.items() if row.source.startswith(TESTED)} <= seen
