import torch

from samesight.conversion.formats.exported import convert
from samesight.conversion.formats.interface import Lowering


def made(tmp_path, prepared):
    return convert(Lowering(prepared.spec, "fp32", prepared, None, tmp_path / "model.pt2"))


def test_the_spec_is_inside(tmp_path, digits_prepared):
    files = {"model.json": ""}
    torch.export.load(str(made(tmp_path, digits_prepared).path), extra_files=files)
    assert files["model.json"] == digits_prepared.spec.to_json()
