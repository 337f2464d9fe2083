import zipfile
from pathlib import Path

import pytest
import torch

from samesight.conversion.formats.interface import Lowering
from samesight.conversion.formats.torchscript import convert


@pytest.fixture(params=[".pt", ".ptl"])
def suffix(request):
    return request.param


def made(tmp_path, prepared, suffix):
    return convert(Lowering(prepared.spec, "fp32", prepared, None, tmp_path / f"model{suffix}"))


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


def test_no_path_of_this_computer_is_inside(tmp_path, digits_prepared, suffix):
    with zipfile.ZipFile(made(tmp_path, digits_prepared, suffix).path) as archive:
        records = b"".join(archive.read(name) for name in archive.namelist())
    assert str(Path(torch.__file__).parent).encode() not in records and b"graph_module.py" not in records
