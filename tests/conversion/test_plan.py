import pytest

from contract.errors import UsageError
from conversion.formats import FORMATS, PRECISIONS
from conversion.plan import GROUPS, choose, group


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
    ]
    assert {target.file for target in made} == {f"artifacts/{name}" for name in names(made)}


def test_all_means_all():
    assert choose("digits", ["all"], ["all"]) == choose("digits")


def test_formats_by_name_or_suffix_each_once():
    assert names(choose("m", ["tflite", ".pte", "litert"], ["int8"])) == ["m.int8.tflite", "m.int8.pte"]


def test_a_precision_alone_leaves_out_formats_that_cannot_hold_it():
    assert names(choose("m", [], ["fp16"])) == ["m.fp16.tflite", "m.fp16.mlpackage"]


@pytest.mark.parametrize(
    ("formats", "precisions", "sentence"),
    [
        (["tfjs"], [], "unknown format 'tfjs'; choose among pt, ptl, pt2, onnx, pte, tflite, mlpackage"),
        ([], ["int4"], "unknown precision 'int4'; choose among fp32, fp16, int8, dynamic-int8"),
        (["mlpackage"], ["int8"], "Core ML (.mlpackage) holds no int8, only fp16"),
        (["tflite", "pt"], ["int8", "fp16"], "TorchScript (.pt) holds no int8 or fp16, only fp32"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(formats, precisions, sentence):
    with pytest.raises(UsageError) as caught:
        choose("m", formats, precisions)
    assert str(caught.value) == sentence


def test_every_format_is_in_exactly_one_group():
    assert sorted(name for names in GROUPS for name in names) == sorted(FORMATS)


def test_groups_lose_and_repeat_nothing():
    for precision in (None, *PRECISIONS):
        made = choose("m", [], [precision] if precision else [])
        groups = group(made)
        assert all(groups)
        assert sorted(names(target for targets in groups for target in targets)) == sorted(names(made))
