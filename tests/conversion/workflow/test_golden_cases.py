from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from samesight.contract.answers import answers
from samesight.contract.errors import SamesightError
from samesight.contract.golden import read_cases
from samesight.contract.preprocess import preprocess
from samesight.contract.yuv import yuv420_from_bytes, yuv420_to_rgb
from samesight.conversion.parity.test_split import find_test_split
from samesight.conversion.sources.calibration import FEW_IMAGES, few_images_note
from samesight.conversion.sources.server_model import load_server
from samesight.conversion.sources.source import TestData
from samesight.conversion.workflow import golden_cases
from samesight.conversion.workflow.golden_cases import CASES, ORIENTATIONS, make_cases, stored_as, write_goldens
from samesight.conversion.workflow.server_answers import fingerprint_of, read_server_answers, server_answers

TestData.__test__ = False


@pytest.fixture(scope="module")
def server(digits_run, digits_spec):
    return load_server(digits_run / "network.pt2", digits_spec)


@pytest.fixture(scope="module")
def written(tmp_path_factory, server):
    folder = tmp_path_factory.mktemp("goldens")
    write_goldens(folder, server, TestData("digits", 0), [])
    return folder


def test_the_cases_cover_sizes_orientations_and_camera_frames(written):
    cases = read_cases(written)
    assert len(cases) == CASES
    longer = {max(case.picture.width, case.picture.height) for case in cases}
    assert {64, 320, 97, 200, 161} <= longer
    assert max(longer) <= 320
    turns = {(case.picture.orientation.quarter_turns, case.picture.orientation.mirrored) for case in cases}
    assert len(turns) == 8
    assert {case.yuv.layout for case in cases if case.yuv} == {"i420", "nv12", "nv21"}
    assert {case.yuv.matrix for case in cases if case.yuv} == {"bt601", "bt709"}
    assert any(case.yuv and case.picture.orientation.quarter_turns for case in cases)


def test_every_case_is_what_the_contract_and_the_server_make_of_its_image(written, server):
    for case in read_cases(written):
        tensor, geometry = preprocess(case.picture, server.spec.input)
        np.testing.assert_array_equal(tensor, case.tensor)
        outputs = server.outputs(tensor)
        np.testing.assert_array_equal(outputs["logits"], case.outputs["logits"])
        assert tuple(answers(outputs, server.spec, geometry)) == case.answers
        if case.yuv:
            frame = yuv420_from_bytes(case.yuv.data, case.picture.width, case.picture.height, case.yuv.layout)
            np.testing.assert_array_equal(yuv420_to_rgb(frame, case.yuv.matrix, case.yuv.range), case.picture.pixels)


def test_turned_cases_show_the_digit_upright(written, server):
    """The server model, trained on upright digits alone, would not read them turned."""
    split = [example.label for example in golden_cases.open_data("digits", seed=0).test]
    cases = read_cases(written)
    truth = [split[number * len(split) // CASES] for number in range(CASES)]
    right = [case.answers[0].index == label for case, label in zip(cases, truth, strict=True)]
    assert np.mean(right) >= 0.9


def test_server_json_has_the_answers_of_the_whole_split(written, server):
    found = read_server_answers(written)
    test = golden_cases.open_data("digits", seed=0).test
    assert len(found.images) == len(test)
    hits = [image[0].index == example.label for image, example in zip(found.images, test, strict=True)]
    assert found.metric == pytest.approx(np.mean(hits))
    assert found.metric > 0.9


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_stored_image_is_turned_back_upright(orientation):
    upright = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(orientation.upright(stored_as(upright, orientation)), upright)


def test_large_outputs_make_fewer_cases(server, monkeypatch):
    monkeypatch.setattr(golden_cases, "BUDGET_BYTES", 400_000)
    images = [lambda: np.zeros((64, 64, 3), np.uint8)] * 40
    assert 1 <= len(make_cases(server, images)) < CASES


def test_without_test_data_the_calibration_images_are_shown(tmp_path, server):
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for number, path in enumerate(paths):
        Image.new("RGB", (50 + number, 40), (number, 90, 200)).save(path)
    (tmp_path / "out").mkdir()
    assert write_goldens(tmp_path / "out", server, None, paths) == ""
    assert len(read_cases(tmp_path / "out")) == 3
    assert read_server_answers(tmp_path / "out") is None


@pytest.mark.parametrize(
    ("source", "labels", "sentence"),
    [
        ("digits", "abcdefghij", "digits: its classes are 0, 1, 2, 3, 4, …, the model's a, b, c, d, e, …, so"),
        ("folder:/nowhere", "0123456789", "/nowhere: "),
    ],
)
def test_a_run_can_be_converted_where_its_data_is_not(tmp_path, digits_run, digits_spec, source, labels, sentence):
    server = load_server(digits_run / "network.pt2", digits_spec.model_copy(update={"labels": tuple(labels)}))
    calibration = sorted((digits_run / "calibration").iterdir())
    note = write_goldens(tmp_path, server, TestData(source, 0), calibration)
    assert note.startswith(sentence)
    assert note.endswith("the golden cases show calibration images and there is no metric")
    assert read_server_answers(tmp_path) is None
    assert len(read_cases(tmp_path)) == len(calibration)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"labels": tuple("012345678")}, r"output 'logits' is \[1, 10\], but the spec means \[1, 9\]"),
        ({"input": {"width": 48}}, r"does not take a float32 input \[1, 3, 32, 48\]"),
        (
            {"outputs": {"tensors": ("logits", "boxes")}},
            "the network gives 1 outputs, but the spec names logits, boxes",
        ),
    ],
)
def test_a_spec_that_contradicts_the_network_is_one_sentence(digits_run, digits_spec, change, sentence):
    update = {
        name: getattr(digits_spec, name).model_copy(update=value) if isinstance(value, dict) else value
        for name, value in change.items()
    }
    with pytest.raises(SamesightError, match=sentence) as caught:
        load_server(digits_run / "network.pt2", digits_spec.model_copy(update=update))
    assert "in model.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_images_that_a_run_left_out_are_left_out_again(tmp_path, server):
    """A folder of two digits with a damaged image in the test part: in server.json, and where a bundle is verified."""
    for number in range(40):
        path = tmp_path / "data" / str(number % 2) / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20, 3), number, np.uint8)).save(path)
    source = f"folder:{tmp_path / 'data'}"
    spec = server.spec.model_copy(update={"labels": ("0", "1")})
    test = golden_cases.open_data(source, "classification", 0).test
    (tmp_path / "data" / test[3].name).write_bytes(b"damaged")
    left = [example.name for number, example in enumerate(test) if number != 3]
    split, note = golden_cases._test_split(TestData(source, 0, skip_damaged=True), spec)
    assert [example.name for example in split] == left and not note
    answered = server_answers(spec, 1.0, [[]] * 7, fingerprint_of(split))
    (tmp_path / "server.json").write_text(answered.to_json())
    data = SimpleNamespace(source=source, seed=0)
    bundle = SimpleNamespace(folder=tmp_path, spec=spec, manifest=SimpleNamespace(data=data))
    assert [example.name for example in find_test_split(bundle).examples] == left
    (tmp_path / "data" / test[0].name).write_bytes(b"damaged later")
    with pytest.raises(SamesightError, match="has 6 test images, the server model answered 7"):
        find_test_split(bundle)


def test_calibration_images_of_another_kind_are_named(server, tmp_path, monkeypatch):
    """Those of the training part are of the test images' kind; dark ones are not."""
    data = golden_cases.open_data("digits", seed=0)
    monkeypatch.setattr(golden_cases, "write_cases", lambda *_: None)
    monkeypatch.setattr(golden_cases, "answer_split", lambda *_: SimpleNamespace(to_json=lambda: ""))
    monkeypatch.setattr(golden_cases, "make_cases", lambda *_: [])
    notes = {}
    for name, divisor in (("alike", 1), ("dark", 8)):
        (tmp_path / name).mkdir()
        paths = [tmp_path / name / f"{index}.png" for index in range(20)]
        for index, path in enumerate(paths):
            Image.fromarray(data.train[index].pixels // divisor).save(path)
        notes[name] = write_goldens(tmp_path / name, server, TestData("digits", 0), paths)
    assert notes["alike"] == ""
    assert notes["dark"].startswith("the calibration images are unlike the test images (mean ")


def test_few_calibration_images_are_said():
    assert few_images_note(FEW_IMAGES) == ""
    assert few_images_note(1).startswith("int8 was calibrated with 1 image,")
    assert few_images_note(FEW_IMAGES - 1).endswith("give some 100")
