import zipfile
from pathlib import Path

import torch

from samesight.conversion.formats.exported import convert
from samesight.conversion.formats.interface import Lowering


def made(tmp_path, prepared):
    return convert(Lowering(prepared.spec, "fp32", prepared, None, tmp_path / "model.pt2"))


def test_the_spec_is_inside(tmp_path, digits_prepared):
    files = {"model.json": ""}
    torch.export.load(str(made(tmp_path, digits_prepared).path), extra_files=files)
    assert files["model.json"] == digits_prepared.spec.to_json()


def test_no_path_of_this_computer_is_inside(tmp_path, digits_prepared):
    traced = [node for node in digits_prepared.exported.graph.nodes if "stack_trace" in node.meta]
    with zipfile.ZipFile(made(tmp_path, digits_prepared).path) as archive:
        records = b"".join(archive.read(name) for name in archive.namelist())
    assert str(Path(torch.__file__).parent).encode() not in records
    assert traced and all("stack_trace" in node.meta for node in traced)
