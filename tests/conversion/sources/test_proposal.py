"""What is proposed for a network by its outputs, for families of networks whose coding is known."""

import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.contract.spec import BoxCoding, Input
from samesight.conversion.sources.box_guess import grids_of, guess_boxes
from samesight.conversion.sources.proposal import propose
from support.yolo import SIZE, detector, smooth_images

RANDOM = np.random.default_rng(5)
WIDE = Input(width=64, height=32, mean=(0.0,) * 3, std=(1.0,) * 3)


def proposed(outputs, labels=None, spec=WIDE):
    arrays = {name: np.asarray(values, np.float32)[:, None] for name, values in outputs.items()}
    return propose("the net", "net", arrays, spec, labels)


def sureness(proposal, field):
    return next(remark.sure for remark in proposal.remarks if remark.field == field)


def points(strides):
    """Middles and sizes of the cells, [N, 2] and [N, 1], from the definition in docs/contract.md."""
    cells = [
        ((column + 0.5) * s, (row + 0.5) * s, s)
        for s in strides
        for row in range(WIDE.height // s)
        for column in range(WIDE.width // s)
    ]
    table = np.array(cells, np.float32)
    return table[:, :2], table[:, 2:]


def test_a_classifier():
    logits = RANDOM.normal(0, 3, (3, 7))
    found = proposed({"out": logits})
    assert found.spec.task == "classification" and found.spec.outputs.activation == "softmax"
    assert found.spec.labels[:2] == ("class 0", "class 1") and sureness(found, "labels") == "unknown"
    assert proposed({"out": logits}, tuple("abcdefg")).spec.labels == tuple("abcdefg")
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert proposed({"out": scores}).spec.outputs.activation == "none"


def corners_and_centres(strides, runs=3):
    middle, cell = points(strides)
    middle = middle + RANDOM.normal(0, 0.2, (runs, *middle.shape)) * cell
    size = np.exp(RANDOM.normal(0.3, 0.4, middle.shape)) * cell
    return np.concatenate([middle - size / 2, middle + size / 2], -1), np.concatenate([middle, size], -1)


@pytest.mark.parametrize("strides", [(4,), (8, 16), (4, 8, 16)])
def test_boxes_of_a_grid_are_known_by_their_middles(strides):
    scale = np.array([64, 32, 64, 32])
    for boxes, coding in zip(corners_and_centres(strides), ("corners", "center_size"), strict=True):
        for values, unit in ((boxes, "pixels"), (boxes / scale, "fraction")):
            guess = guess_boxes(values.astype(np.float32), WIDE)
            assert guess.coding == BoxCoding(coding=coding, unit=unit) and guess.sure == "likely"


def test_distances_and_queries():
    count = (64 // 8) * (32 // 8)
    assert list(grids_of(count, WIDE)) == [(8,)]
    cells = np.abs(RANDOM.normal(2, 1, (3, count, 4))).astype(np.float32)
    assert guess_boxes(cells, WIDE).coding == BoxCoding(coding="distances", unit="stride", strides=(8,))
    assert guess_boxes(cells * 8, WIDE).coding == BoxCoding(coding="distances", unit="pixels", strides=(8,))
    queries = RANDOM.uniform(0.05, 0.95, (3, 100, 4)).astype(np.float32)
    assert guess_boxes(queries, WIDE).coding == BoxCoding(coding="center_size", unit="fraction")
    assert guess_boxes(queries, WIDE).sure == "guess"
    corners = np.concatenate([queries[..., :2], queries[..., :2] + queries[..., 2:]], -1)
    assert guess_boxes(corners, WIDE).coding == BoxCoding(coding="corners", unit="fraction")
    deltas = RANDOM.normal(0, 1, (3, 99, 4)).astype(np.float32)
    assert guess_boxes(deltas, WIDE) is None


def mixed(strides, classes, objectness):
    _, boxes = corners_and_centres(strides)
    scores = RANDOM.uniform(0, 1, (*boxes.shape[:2], classes + objectness))
    return np.concatenate([boxes, scores], -1)


def test_mixed_outputs_of_the_yolo_family_are_split():
    channels_first = mixed((4, 8, 16), 5, objectness=False).transpose(0, 2, 1)
    found = proposed({"output0": channels_first})
    roles = found.spec.outputs.roles
    assert (roles["boxes"].channel_axis, roles["boxes"].start, roles["boxes"].stop) == (1, 0, 4)
    assert (roles["logits"].channel_axis, roles["logits"].start, roles["logits"].stop) == (1, 4, None)
    assert found.spec.detection.boxes == BoxCoding(coding="center_size") and len(found.spec.labels) == 5
    assert sureness(found, "outputs.roles.objectness") == "guess"
    channels_last = mixed((4, 8, 16), 5, objectness=True)
    found = proposed({"output0": channels_last})
    assert found.spec.roles == ("logits", "boxes", "objectness") and len(found.spec.labels) == 5
    assert (found.spec.outputs.roles["objectness"].start, found.spec.outputs.roles["objectness"].stop) == (4, 5)
    # Labels decide, whatever is usual.
    assert proposed({"output0": channels_last}, tuple("abcdef")).spec.roles == ("logits", "boxes")
    found = proposed({"output0": channels_first}, tuple("abcd"))
    assert found.spec.roles == ("logits", "boxes", "objectness")
    assert all(remark.field != "outputs.roles.objectness" for remark in found.remarks)


def test_outputs_apart_get_their_roles_by_shape_and_name():
    boxes, _ = corners_and_centres((8,))
    logits = RANDOM.normal(0, 2, (3, 32, 6))
    found = proposed({"scores": logits, "where": boxes})
    assert found.spec.outputs.roles["logits"].tensor == "scores" and found.spec.outputs.activation == "sigmoid"
    assert found.spec.detection.boxes == BoxCoding(coding="corners")
    four = proposed({"cls": logits[..., :4], "bbox": boxes, "obj": logits[..., :1]})
    assert [part.tensor for part in four.spec.outputs.roles.values()] == ["cls", "bbox", "obj"]
    background = proposed({"scores": logits, "where": boxes}, tuple("abcde")).spec
    assert background.detection.background == 5 and background.outputs.activation == "softmax"


@pytest.mark.parametrize(
    ("outputs", "labels", "words"),
    [
        ({"o": (3, 300, 6)}, None, "as boxes look after suppression"),
        ({"o": (3, 64 + 2, 160)}, ("a", "b"), "distributions of distances"),
        ({"o": (3, 9, 160)}, ("a", "b"), "correct --labels"),
        ({"a": (3, 8, 4, 4), "b": (3, 8, 2, 2)}, None, "join outputs of several scales"),
        ({"a": (3, 32, 4), "b": (3, 16, 5)}, None, "write the spec by hand"),
        ({"a": (3, 32, 3)}, None, "too few for boxes and classes"),
        ({"a": (3, 7)}, ("a", "b"), "a has 7 classes, but there are 2 labels; correct --labels"),
        ({"a": (3, 32, 7), "b": (3, 32, 4)}, ("a", "b"), "a has 7 classes, but there are 2 labels"),
    ],
)
def test_what_no_spec_can_say_is_one_sentence(outputs, labels, words):
    with pytest.raises(SamesightError) as error:
        proposed({name: RANDOM.normal(size=shape) for name, shape in outputs.items()}, labels)
    assert words in str(error.value) and str(error.value).startswith("the net: ")


def test_a_real_network_of_the_yolo_family():
    images = torch.from_numpy(smooth_images(3).transpose(0, 3, 1, 2).copy()).float() / 255
    with torch.no_grad():
        network = detector()
        output = torch.cat([network(image[None]) for image in images]).numpy()
    spec = Input(width=SIZE, height=SIZE, mean=(0.0,) * 3, std=(1.0,) * 3)
    found = proposed({"output0": output}, ("a", "b", "c"), spec)
    assert found.spec.detection.boxes == BoxCoding(coding="center_size")
    assert found.spec.outputs.activation == "none" and found.spec.roles == ("logits", "boxes")
    assert sureness(found, "detection.boxes") == "likely"
