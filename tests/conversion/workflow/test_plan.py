from importlib import metadata

import pytest

from samesight.contract.errors import UsageError
from samesight.conversion.environments import ENVIRONMENTS
from samesight.conversion.formats import FORMATS
from samesight.conversion.npu.chips import find_chips
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.workflow.plan import choose, for_chips, group, left_out


def names(targets):
    return [target.name for target in targets]


def test_everything_by_default():
    made = choose("digits")
    assert names(made) == [
        "digits.fp32.pt",
        "digits.fp32.ptl",
        "digits.fp32.pt2",
        "digits.fp32.onnx",
        "digits.int8.onnx",
        "digits.fp32.pte",
        "digits.int8.pte",
        "digits.fp32.tflite",
        "digits.fp16.tflite",
        "digits.int8.tflite",
        "digits.dynamic-int8.tflite",
        "digits.fp16.mlpackage",
        "digits.fp16.aimodel",
    ]
    assert {target.file for target in made} == {f"artifacts/{name}" for name in names(made)}


def test_all_means_all():
    everything = choose("m", ["all"])
    assert everything == choose("m", ["all"], ["all"]) == choose("m", [], ["all"])
    assert len(everything) == sum(len(row.usual) for row in FORMATS.values())
    assert set(choose("m")) < set(everything)
    assert names(choose("m", ["mlpackage"])) == [
        f"m.{precision}.mlpackage" for precision in ("fp32", "fp16", "int8", "int8-weights", "palette6", "palette4")
    ]


def test_formats_by_name_or_suffix_each_once():
    assert names(choose("m", ["tflite", ".pte", "litert"], ["int8"])) == ["m.int8.tflite", "m.int8.pte"]


def test_what_nothing_here_runs_is_made_by_name_alone():
    assert "m.fp32.vulkan.pte" not in names((*choose("m"), *choose("m", [], ["fp32"])))
    assert names(choose("m", ["vulkan.pte"])) == [f"m.{name}.vulkan.pte" for name in ("fp32", "fp16", "int8")]


def test_a_precision_alone_leaves_out_formats_that_cannot_hold_it():
    assert names(choose("m", [], ["fp16"])) == [
        "m.fp16.tflite",
        "m.fp16.mlpackage",
        "m.fp16.coreml.pte",
        "m.fp16.aimodel",
    ]


@pytest.mark.parametrize(
    ("formats", "precisions", "sentence"),
    [
        (
            ["tfjs"],
            [],
            "unknown format 'tfjs'; choose among pt, ptl, pt2, onnx, pte, tflite, mlpackage, coreml.pte, vulkan.pte, "
            "aimodel",
        ),
        ([], ["int4"], f"unknown precision 'int4'; choose among {', '.join(PRECISIONS)}"),
        (["aimodel"], ["int8"], "Core AI (.aimodel) holds no int8, only fp32, fp16"),
        (["tflite", "pt"], ["int8", "fp16"], "TorchScript (.pt) holds no int8 or fp16, only fp32"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(formats, precisions, sentence):
    with pytest.raises(UsageError) as caught:
        choose("m", formats, precisions)
    assert str(caught.value) == sentence


def test_every_format_has_a_place_of_its_own_in_one_group():
    places = [(row.environment, row.group, row.order) for row in FORMATS.values()]
    assert len(set(places)) == len(FORMATS) and {row.environment for row in FORMATS.values()} <= set(ENVIRONMENTS)


def test_groups_lose_and_repeat_nothing():
    for precision in (None, *PRECISIONS):
        made = choose("m", [], [precision] if precision else [])
        groups = group(made)
        assert all(groups)
        assert sorted(names(target for targets in groups for target in targets)) == sorted(names(made))


def test_one_process_calibrates_while_another_makes_what_needs_no_calibration():
    first, second = group(choose("m", ["onnx", "pte", "tflite"], ["fp32", "int8"]))
    assert names(first) == ["m.int8.tflite", "m.int8.onnx", "m.fp32.tflite", "m.fp32.onnx"]
    assert names(second) == ["m.fp32.pte", "m.int8.pte"]


def test_what_is_not_installed_is_left_out_unless_asked_for(monkeypatch):
    def version(package):
        raise metadata.PackageNotFoundError(package)

    assert left_out() == []
    monkeypatch.setattr("samesight.conversion.formats.metadata.version", version)
    sentence = "Core AI (.aimodel) needs coreai-torch, which is not installed; pip install 'samesight[coreai]'"
    assert "m.fp16.aimodel" not in names(choose("m")) + names(choose("m", ["all"]))
    assert left_out() == left_out(["all"]) == [f"left out: {sentence}"]
    assert left_out(["tflite"]) == []
    with pytest.raises(UsageError) as caught:
        choose("m", ["aimodel"])
    assert str(caught.value) == sentence


def test_what_is_compiled_for_chips_comes_from_fp32_and_int8():
    made = choose("m", ["tflite"])
    chips = find_chips(["SM8650", "Tensor G3"])
    compiled = for_chips(made, "m", chips)
    assert [(target.name, target.source, target.chip) for target in compiled] == [
        ("m.fp16.SM8650.tflite", "m.fp32.tflite", chips[0]),
        ("m.fp16.Tensor-G3.tflite", "m.fp32.tflite", chips[1]),
        ("m.int8.SM8650.tflite", "m.int8.tflite", chips[0]),
        ("m.int8.Tensor-G3.tflite", "m.int8.tflite", chips[1]),
    ]
    # A compiler of a maker has an environment of its own, and so a process.
    assert {target.environment for target in compiled} == {"snapdragon", "main"}
    with pytest.raises(UsageError, match=r"--unit npu compiles \.tflite files of fp32, int8 and w8a16 from the own"):
        for_chips(choose("m", ["tflite"], ["fp16"]), "m", chips)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--unit", "npu"], "--unit npu compiles for chips by name; give --soc, such as --soc SM8650"),
        (["--soc", "SM8650"], "--soc names chips whose NPUs are compiled for; give --unit npu too"),
        (["--unit", "npu", "--soc", "SM8660"], "no chip 'SM8660' is known here; did you mean SM8650"),
        (
            ["--unit", "npu", "--soc", "SM8650", "--to", "pte"],
            "--unit npu compiles .tflite files of fp32, int8 and w8a16",
        ),
        (["--unit", "gpu"], "GPUs take .tflite files as they are"),
        (["--unit", "tpu"], "--unit: no unit 'tpu'; choose among cpu and npu"),
    ],
)
def test_a_wrong_unit_or_chip_is_one_sentence_with_code_2(samesight_here, tmp_path, options, sentence):
    done = samesight_here("convert", "x.pt2", "--out", tmp_path / "b", *options)
    assert done.returncode == 2 and sentence in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "b").exists()
