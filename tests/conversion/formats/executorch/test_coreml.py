"""Core ML inside an ExecuTorch file: whole, in the one program's scales, and run without Apple's delegate."""

import numpy as np
import pytest
import torch
from torch import nn

from samesight.contract.errors import SamesightError
from samesight.conversion.formats.executorch import xnnpack
from samesight.conversion.formats.executorch.coreml import convert
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.preparation.equivalence import compare
from samesight.conversion.preparation.prepare import pixels_of, prepare
from samesight.conversion.runners.coreml.package import load

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("precision", "floor"), [("fp16", 45), ("int8", 20)])
def test_it_computes_the_network(tmp_path, digits_prepared, digits_quantized, digits_inputs, precision, floor):
    job = Lowering(digits_prepared.spec, precision, digits_prepared, digits_quantized, tmp_path / "d.coreml.pte")
    made = convert(job)
    assert made.delegated == 1.0 and made.os_minimum["ios"] == "18.0"
    assert (made.input_layout, made.input.shape, made.input.dtype) == ("float32_nchw", (1, 3, 32, 32), "float32")
    runner = load(made.path, made)
    found = torch.cat([torch.from_numpy(runner(tensor)["logits"]) for tensor in digits_inputs])
    wanted = torch.cat([digits_prepared.module(pixels_of(tensor[None]))[0] for tensor in digits_inputs])
    assert compare(wanted, found)[0] > floor
    if precision == "int8":
        grid = digits_quantized.outputs["logits"]
        assert dict(runner.qparams) == {"logits": grid}
        eager = torch.cat([digits_quantized.folded(pixels_of(tensor[None]))[0] for tensor in digits_inputs])
        raw = np.concatenate([runner.raw(tensor)["logits"] for tensor in digits_inputs])
        assert np.abs(raw - np.rint(eager.numpy() / np.float32(grid.scale)) - grid.zero_point).max() <= 3


def test_outputs_keep_their_roles(tmp_path, boxes_prepared):
    made = convert(Lowering(boxes_prepared.spec, "fp16", boxes_prepared, None, tmp_path / "b.coreml.pte"))
    tensor = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    found = load(made.path, made)(tensor)
    for role, wanted in zip(("logits", "boxes"), boxes_prepared.module(pixels_of(tensor[None])), strict=True):
        assert compare(wanted, torch.from_numpy(found[role]))[0] > 45


def test_a_network_that_core_ml_takes_in_part_is_refused(tmp_path, digits_spec):
    class Rare(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3 * 32 * 32, 10)

        def forward(self, x):
            return self.head(torch.special.bessel_j1(x).flatten(1))

    prepared = prepare(torch.export.export(Rare().eval(), (torch.zeros(1, 3, 32, 32),)), digits_spec)
    with pytest.raises(SamesightError) as caught:
        convert(Lowering(digits_spec, "fp16", prepared, None, tmp_path / "r.coreml.pte"))
    assert str(caught.value).startswith("ExecuTorch with Core ML ") and "\n" not in str(caught.value)
    assert not (tmp_path / "r.coreml.pte").exists()


def test_a_file_for_xnnpack_is_refused(tmp_path, digits_prepared):
    made = xnnpack.convert(Lowering(digits_prepared.spec, "fp32", digits_prepared, None, tmp_path / "d.pte"))
    with pytest.raises(SamesightError, match=r"no Core ML inside \(backends: XnnpackBackend\)"):
        load(made.path, made)
