import numpy as np
import pytest

from samesight.contract.answers import Answer, answers, check_shapes
from samesight.contract.errors import SamesightError
from samesight.contract.orientation import Orientation
from samesight.contract.preprocess import geometry
from samesight.contract.spec import BoxCoding, Detection, Input, Letterbox, ModelSpec, Outputs, Slice

F = np.float32
INPUT = Input(width=32, height=32, framing=Letterbox(), mean=(0.0,) * 3, std=(1.0,) * 3)
CLASSIFIER = ModelSpec(
    name="digits",
    task="classification",
    input=INPUT,
    outputs=Outputs(tensors=("l",), roles={"logits": Slice(tensor="l")}, activation="softmax"),
    labels=("zero", "one", "two"),
    top_k=2,
)
DETECTOR = ModelSpec(
    name="scenes",
    task="detection",
    input=INPUT,
    outputs=Outputs(
        tensors=("l", "b", "o"),
        roles={"logits": Slice(tensor="l"), "boxes": Slice(tensor="b"), "objectness": Slice(tensor="o")},
        activation="sigmoid",
    ),
    detection=Detection(boxes=BoxCoding(coding="distances", strides=(16,)), score_threshold=0.25),
    labels=("cat", "dog"),
)


def heads(**changes):
    outputs = {
        "logits": np.array([[[-9, -9], [-9, 3], [4, -9], [-9, -9]]], F),
        "boxes": np.full((1, 4, 4), 4, F),
        "objectness": np.array([[[9], [9], [9], [9]]], F),
    }
    return {**outputs, **changes}


def test_a_classification():
    found = answers({"logits": np.array([[1.0, 3.0, 2.0]], F)}, CLASSIFIER)
    assert [(answer.label, answer.index, answer.box) for answer in found] == [("one", 1, None), ("two", 2, None)]
    assert found[0].score == float(F(found[0].score)) == pytest.approx(0.665241)


def test_a_detection_in_the_stored_and_in_the_upright_image():
    # Stored 128 x 64, upright 64 x 128: scaled by 1/4 to 16 x 32, 8 columns of border left and right.
    place = geometry(128, 64, Orientation(1), INPUT)
    seen = answers(heads(), DETECTOR, place, upright=True)
    # Cell (row 1, column 0): centre (8, 24); cell (row 0, column 1): centre (24, 8).
    assert [(answer.label, answer.index, answer.box) for answer in seen] == [
        ("cat", 0, (0.0, 80.0, 16.0, 112.0)),
        ("dog", 1, (48.0, 16.0, 64.0, 48.0)),
    ]
    stored = answers(heads(), DETECTOR, place)
    assert [answer.box for answer in stored] == [(80.0, 48.0, 112.0, 64.0), (16.0, 0.0, 48.0, 16.0)]
    assert [answer.score for answer in stored] == [answer.score for answer in seen]


def test_answers_are_plain_values():
    answer = answers(heads(), DETECTOR, geometry(10, 10, Orientation(), INPUT))[0]
    assert type(answer.index) is int and type(answer.score) is float and all(type(v) is float for v in answer.box)
    assert hash(answer) and answer == Answer(answer.label, answer.index, answer.score, answer.box)


def test_nothing_found_is_an_empty_list():
    quiet = heads(logits=np.full((1, 4, 2), -9, F))
    assert answers(quiet, DETECTOR, geometry(10, 10, Orientation(), INPUT)) == []


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((1, 1000), r"^model digits: output 'logits' is \[1, 1000\], but the spec means \[1, 3\]; correct labels in"),
        ((3,), r"is \[3\], but the spec means \[1, 3\]"),
        ((2, 3), r"is \[2, 3\]"),
        ((1, 3, 1), r"is \[1, 3, 1\]"),
    ],
)
def test_a_classifier_of_other_shape_is_refused(shape, sentence):
    with pytest.raises(SamesightError, match=sentence):
        answers({"logits": np.zeros(shape, F)}, CLASSIFIER)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"logits": np.zeros((1, 4, 3), F)}, r"'logits' is \[1, 4, 3\], but the spec means \[1, 4, 2\]"),
        ({"logits": np.zeros((4, 2), F)}, r"'logits' is \[4, 2\]"),
        ({"boxes": np.zeros((1, 5, 4), F)}, r"'boxes' is \[1, 5, 4\], but the spec means \[1, 4, 4\]"),
        ({"boxes": np.zeros((1, 4, 4, 1), F)}, r"'boxes' is \[1, 4, 4, 1\]"),
        ({"objectness": np.zeros((1, 4, 2), F)}, r"'objectness' is \[1, 4, 2\], but the spec means \[1, 4, 1\]"),
        ({"logits": np.zeros((1, 4, 2), np.float64)}, "'logits' is float64; dequantize it to float32 first"),
        ({"boxes": np.zeros((1, 4, 4), np.int8)}, "'boxes' is int8"),
        ({"logits": np.full((1, 4, 2), np.nan, F)}, "'logits' holds values that are not finite"),
        ({"objectness": np.full((1, 4, 1), np.inf, F)}, "'objectness' holds values that are not finite"),
        ({"boxes": np.full((1, 4, 4), np.nan, F)}, "the box at position 2 is not finite"),
    ],
)
def test_heads_that_contradict_the_spec_are_refused(changes, sentence):
    with pytest.raises(SamesightError, match=sentence):
        answers(heads(**changes), DETECTOR, geometry(10, 10, Orientation(), INPUT))


def test_another_number_of_grid_points_is_refused():
    shapes = {"logits": (1, 9, 2), "boxes": (1, 9, 4), "objectness": (1, 9, 1)}
    with pytest.raises(SamesightError, match=r"'boxes' is \[1, 9, 4\], .* \[1, 4, 4\]; correct strides or input size"):
        check_shapes(shapes, DETECTOR)


def test_a_missing_role_and_a_missing_geometry_are_refused():
    outputs = heads()
    del outputs["objectness"]
    with pytest.raises(SamesightError, match="model scenes: no output for the role 'objectness'"):
        answers(outputs, DETECTOR, geometry(10, 10, Orientation(), INPUT))
    with pytest.raises(SamesightError, match="boxes need the geometry"):
        answers(heads(), DETECTOR)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_refused(value):
    with pytest.raises(SamesightError, match=r"^model digits: output 'logits' holds values that are not finite; "):
        answers({"logits": np.array([[0.0, value, 1.0]], F)}, CLASSIFIER)
