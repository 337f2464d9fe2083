import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.formats.torchscript import convert
from samesight.conversion.runners.torch import load


@pytest.fixture(params=[".pt", ".ptl"])
def suffix(request):
    return request.param


def made(tmp_path, prepared, suffix):
    return convert(Lowering(prepared.spec, "fp32", prepared, None, tmp_path / f"model{suffix}"))


@pytest.mark.parametrize("which", ["digits_prepared", "boxes_prepared"])
def test_it_computes_what_the_prepared_program_computes(tmp_path, request, which, suffix):
    prepared = request.getfixturevalue(which)
    lowered = made(tmp_path, prepared, suffix)
    size = prepared.spec.input
    tensor = np.random.default_rng(0).integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)
    runner = load(lowered.path, lowered)
    found = runner(tensor)
    expected = prepared.module(torch.from_numpy(tensor.transpose(2, 0, 1).copy()).float()[None])
    assert tuple(found) == prepared.spec.roles
    for info, role, want in zip(lowered.outputs, prepared.spec.roles, expected, strict=True):
        assert (info.role, info.shape, info.dtype) == (role, found[role].shape, "float32")
        assert np.std(found[role]) > 1e-3
        np.testing.assert_allclose(found[role], want.numpy(), rtol=1e-5, atol=1e-5)
    assert runner.qparams == runner.raw(tensor) == {}
    assert lowered.input_layout == "float32_nchw"
    assert lowered.input.shape == (1, 3, size.height, size.width)


def test_the_spec_is_inside(tmp_path, digits_prepared, suffix):
    lowered = made(tmp_path, digits_prepared, suffix)
    files = {"model.json": ""}
    if suffix == ".pt":
        torch.jit.load(str(lowered.path), _extra_files=files)
    else:
        torch._C._load_for_lite_interpreter(str(lowered.path), torch.device("cpu"))
        files["model.json"] = next(
            torch._C.PyTorchFileReader(str(lowered.path)).get_record(name)
            for name in torch._C.PyTorchFileReader(str(lowered.path)).get_all_records()
            if name == "extra/model.json"
        )
    text = files["model.json"]
    assert (text.decode() if isinstance(text, bytes) else text) == digits_prepared.spec.to_json()


def test_a_damaged_file_is_one_sentence(tmp_path, digits_prepared, suffix):
    lowered = made(tmp_path, digits_prepared, suffix)
    lowered.path.write_bytes(lowered.path.read_bytes()[:1000])
    with pytest.raises(SamesightError, match=r"torch cannot load it .*; convert again") as caught:
        load(lowered.path, lowered)
    assert "\n" not in str(caught.value)
