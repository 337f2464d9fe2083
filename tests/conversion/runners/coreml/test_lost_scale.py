"""A fault of coremltools 9.0 that the evaluator found, in its smallest form.

The pass `common::int_op_canonicalization` turns dequantize(a) -> reshape -> quantize(b) into a reshape of the integers
without comparing a and b: the second quantization is lost, and all that follows is wrong by the factor b / a.
`formats/coreml.py` leaves the pass out. When the first test fails, coremltools has been repaired: remove
HARMFUL_PASSES there.
"""

import numpy as np
import pytest

from samesight.conversion.formats.coreml import HARMFUL_PASSES
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.coreml.evaluator import load_evaluator
from samesight.conversion.runners.coreml.import_coremltools import import_coremltools

ct = import_coremltools()
from coremltools.converters.mil import Builder as mb  # noqa: E402

VALUES = np.float32([0.3, -0.5, 0.7, 1.0]).reshape(1, 4, 1, 1)


def rescaled(path, removed):
    """Values on a grid of 0.1, reshaped, on a grid of 0.01."""

    @mb.program(input_specs=[mb.TensorSpec((1, 4, 1, 1))], opset_version=ct.target.iOS17)
    def program(x):
        coarse = mb.quantize(input=x, scale=np.float32(0.1), output_dtype="int8")
        flat = mb.reshape(x=mb.dequantize(input=coarse, scale=np.float32(0.1)), shape=(1, 4))
        fine = mb.quantize(input=flat, scale=np.float32(0.01), output_dtype="int8")
        return mb.dequantize(input=fine, scale=np.float32(0.01), name="y")

    pipeline = ct.PassPipeline.DEFAULT
    pipeline.remove_passes(removed)
    with quiet():
        ct.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=pipeline,
            skip_model_load=True,
        ).save(str(path))
    return load_evaluator(path)


def test_the_pass_loses_a_scale(tmp_path):
    evaluator = rescaled(tmp_path / "faulty.mlpackage", set())
    assert [step.kind for step in evaluator.steps].count("quantize") == 1
    assert evaluator({"x": VALUES})["y"] == pytest.approx(VALUES.reshape(1, 4) / 10)


def test_without_it_the_values_stay(tmp_path):
    evaluator = rescaled(tmp_path / "sound.mlpackage", HARMFUL_PASSES)
    assert [step.kind for step in evaluator.steps].count("quantize") == 2
    assert evaluator({"x": VALUES})["y"] == pytest.approx(VALUES.reshape(1, 4), abs=0.005)
