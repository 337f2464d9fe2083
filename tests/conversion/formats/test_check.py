"""Files are run where they are made: what phones could not run is refused, and what departs in int8 is named."""

import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.contract.spec import parse_spec
from samesight.conversion.formats import FORMATS, find_format
from samesight.conversion.formats.check import check_file
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.formats.operator_cases import CASES, Between
from samesight.conversion.formats.operator_sweep import SIZE, SPEC, columns, measure, pictures
from samesight.conversion.preparation.prepare import prepare
from samesight.conversion.quantization import quantizer
from samesight.conversion.quantization.quantize import quantize

pytestmark = pytest.mark.slow

aten = torch.ops.aten


def made(operator, precision, folder, name="litert"):
    """A file, and the job that made it."""
    spec, images = parse_spec(SPEC, "spec"), pictures()
    prepared = prepare(torch.export.export(Between(operator).eval(), (torch.zeros(1, 3, SIZE, SIZE),)), spec, images)
    quantized = quantize(prepared, images) if precision == "int8" else None
    job = Lowering(spec, precision, prepared, quantized, folder / f"x{FORMATS[name].suffix}")
    return FORMATS[name].load_module().convert(job), job


def test_a_file_that_its_runtime_refuses_is_refused_by_operator(tmp_path):
    with pytest.raises(SamesightError, match=r"TFLite's runtime cannot take the operator aten\.sort\.default in "):
        made(CASES["sort"], "fp32", tmp_path)


def test_an_operator_that_the_converter_quantizes_wrongly_is_named(tmp_path, monkeypatch):
    # Left open, the scale of a maximum is chosen by TFLite's converter, which misreads one of its sides.
    monkeypatch.delitem(quantizer.CHOICES, aten.maximum.default)
    monkeypatch.setattr(quantizer, "SAME_SCALE", tuple(set(quantizer.SAME_SCALE) - {aten.flip.default}))
    lowered, job = made(CASES["maximum"], "int8", tmp_path)
    with pytest.raises(SamesightError, match=r"TFLite computes aten\.\w+\.default in .* otherwise than"):
        check_file(FORMATS["litert"], lowered, job, pictures())


def test_an_l2_norm_in_int8_runs_in_executorch():
    row = measure("norm", ["executorch"])
    assert isinstance(row.cells["pte int8"], float) and not row.wrong(), row.cells


def test_what_follows_its_program_is_accepted(tmp_path):
    lowered, job = made(lambda x: sum(CASES[name](x) for name in ("maximum", "mish", "where")), "int8", tmp_path)
    check_file(FORMATS["litert"], lowered, job, pictures())


# Each was wrong, or no file at all, before it was rewritten or quantized as it is now (operator_sweep.py has them all).
SOUND = {
    "tflite": ("elu", "maximum", "minimum", "where", "masked_fill", "norm", "rsub", "repeat", "glu", "log_sigmoid"),
    "pte": ("softmax over a row", "mish", "hardshrink"),
    "onnx": ("attention", "softmax over a row", "depthwise conv_transpose"),
    "mlpackage": (
        "class token",
        "attention",
        "celu",
        "rms_norm",
        "log_sigmoid",
        "reciprocal",
        "max_pool with dilation",
        "addcmul",
        "addcdiv",
    ),
    "aimodel": ("elu", "selu", "std"),
}


@pytest.mark.parametrize("suffix", SOUND)
def test_an_artifact_computes_what_its_program_does(suffix):
    networks = [lambda x, name=name: CASES[name](x)[..., :10, :10] for name in SOUND[suffix]]
    CASES["sum"] = lambda x: sum(network(x) for network in networks)
    try:
        row = measure("sum", [suffix])
    finally:
        del CASES["sum"]
    assert row.cells.keys() == {title for title, _, _ in columns([find_format(suffix)])}
    assert all(isinstance(cell, float) for cell in row.cells.values()), row.cells
    assert not row.wrong(), row.cells
    assert np.isfinite(list(row.cells.values())).all()
