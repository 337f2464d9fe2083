"""The chips that are known here, and what is said where their compilers are not."""

import importlib
import sys

import pytest

from samesight.contract.errors import SamesightError, UsageError
from samesight.conversion.environments import STAMP
from samesight.conversion.npu.chips import CHIPS, MAKERS, find_chips, maker_of, require_compilers
from samesight.conversion.setup.snapdragon import LIBRARIES, NEEDED
from samesight.conversion.workflow.doctor import examine


@pytest.mark.parametrize("maker", MAKERS)
def test_the_chips_are_those_that_litert_compiles_for(maker):
    vendor = importlib.import_module(f"ai_edge_litert.aot.vendors.{maker}.target")
    ours = {chip.target for chip in CHIPS.values() if chip.maker == maker}
    assert ours == {model.value for model in vendor.SocModel} - {"ALL"}


def test_chips_are_found_by_androids_and_by_litert_s_name_each_once():
    assert [chip.name for chip in find_chips(["SM8750", "sm8650", "SM8750"])] == ["SM8750", "SM8650"]
    assert find_chips(["Tensor G3"]) == find_chips(["tensor_g3"]) == (CHIPS["Tensor G3"],)
    assert find_chips(["E9965"]) == find_chips(["S5E9965"]) == (CHIPS["s5e9965"],)
    assert CHIPS["Tensor G3"].in_file_names == "Tensor-G3"
    assert maker_of("sm8650") is MAKERS["qualcomm"] and maker_of("SM9999") is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [("SM8660", r"SM8650"), ("MT6999", r"MT699[13]"), ("Tensor G9", "Tensor G"), ("?", "choose among")],
)
def test_an_unknown_chip_is_one_sentence_with_the_nearest(name, hint):
    with pytest.raises(UsageError, match=rf"^--soc: no chip '{name.replace('?', '[?]')}' is known here; .*{hint}"):
        find_chips(["SM8750", name])


@pytest.mark.parametrize(
    ("chip", "needs"),
    [
        ("MT6991", "MediaTek's compiler is not available here, needs the NeuroPilot SDK; pip install"),
        ("Tensor G4", "Google's compiler is not available here, needs the Tensor SDK; pip install"),
        ("s5e9965", "Samsung's compiler is not available here, needs the Exynos AI LiteCore SDK; pip install"),
    ],
)
def test_compilers_that_are_not_here_say_what_they_need(chip, needs):
    with pytest.raises(SamesightError, match=f"^--soc {chip}: {needs}"):
        require_compilers(find_chips([chip]))


def test_an_sdk_that_is_installed_and_empty_is_none(tmp_path, monkeypatch):
    """Makers' packages fetch their libraries while they are installed, and say nothing where they could not."""
    package = tmp_path / "ai_edge_litert_sdk_mediatek"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert "ai-edge-litert-sdk-mediatek is installed and empty" in str(MAKERS["mediatek"].missing())
    (package / "data/v8_0_10/host/lib").mkdir(parents=True)
    (package / "data/v8_0_10/host/lib/libneuron_adapter.so").touch()
    assert MAKERS["mediatek"].missing() is None
    sys.modules.pop("ai_edge_litert_sdk_mediatek", None)


def test_a_folder_of_libraries_is_taken_where_litert_takes_it(monkeypatch):
    monkeypatch.setenv("GOOGLE_TENSOR_COMPILER_LIB", "/opt/tensor")
    assert MAKERS["google_tensor"].missing() is None


def test_an_installation_that_lost_a_library_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMESIGHT_TOOLS", str(tmp_path))
    folder = tmp_path / "snapdragon"
    libraries = folder / "site" / LIBRARIES
    libraries.mkdir(parents=True)
    assert str(MAKERS["qualcomm"].missing()).endswith("is not installed; samesight setup snapdragon")
    (folder / "python").write_text("#!/bin/sh\n")
    (folder / "python").chmod(0o755)
    (folder / STAMP).touch()
    for name in NEEDED[1:]:
        (libraries / name).touch()
    expected = f"{folder}: has no {NEEDED[0]}; remove the folder and run samesight setup snapdragon"
    assert MAKERS["qualcomm"].missing() == expected
    (libraries / NEEDED[0]).touch()
    assert MAKERS["qualcomm"].missing() is None


def test_doctor_has_a_row_for_each_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMESIGHT_TOOLS", str(tmp_path))
    checks = {check.name: check for check in examine() if check.kind == "compiler"}
    assert checks.keys() == MAKERS.keys() and not any(check.ready for check in checks.values())
    assert "SM8650" in checks["qualcomm"].serves
    assert checks["qualcomm"].found.endswith("is not installed; samesight setup snapdragon")
    assert "needs the NeuroPilot SDK" in checks["mediatek"].found
