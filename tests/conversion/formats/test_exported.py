import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.conversion.formats.exported import convert
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.runners.torch import load


def made(tmp_path, prepared):
    return convert(Lowering(prepared.spec, "fp32", prepared, None, tmp_path / "model.pt2"))


@pytest.mark.parametrize("which", ["digits_prepared", "boxes_prepared"])
def test_it_computes_what_the_prepared_program_computes(tmp_path, request, which):
    prepared = request.getfixturevalue(which)
    lowered = made(tmp_path, prepared)
    size = prepared.spec.input
    tensor = np.random.default_rng(0).integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)
    found = load(lowered.path, lowered)(tensor)
    expected = prepared.module(torch.from_numpy(tensor.transpose(2, 0, 1).copy()).float()[None])
    assert tuple(found) == prepared.spec.roles
    for info, role, want in zip(lowered.outputs, prepared.spec.roles, expected, strict=True):
        assert (info.role, info.shape) == (role, found[role].shape)
        np.testing.assert_array_equal(found[role], want.numpy())


def test_the_spec_is_inside(tmp_path, digits_prepared):
    files = {"model.json": ""}
    torch.export.load(str(made(tmp_path, digits_prepared).path), extra_files=files)
    assert files["model.json"] == digits_prepared.spec.to_json()


def test_a_damaged_file_is_one_sentence(tmp_path, digits_prepared):
    lowered = made(tmp_path, digits_prepared)
    lowered.path.write_bytes(lowered.path.read_bytes()[:1000])
    with pytest.raises(SamesightError, match=r"cannot load it .*; convert again") as caught:
        load(lowered.path, lowered)
    assert "\n" not in str(caught.value)
