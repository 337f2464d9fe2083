"""Detection against docs/contract.md, repeated here in plain Python with float32 scalars."""

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torchvision.ops import box_iou

from samesight.contract.activation import exp, sigmoid, softmax
from samesight.contract.box_coding import decode, grid_points, position_count
from samesight.contract.detection import detect, iou_matrix, reaches_threshold, suppress
from samesight.contract.errors import SamesightError
from samesight.contract.spec import AnchorGrid, BoxCoding, Detection, Input, ModelSpec, Outputs, Slice, Stretch

F = np.float32


def detector(
    activation="sigmoid",
    coding=None,
    labels=("a", "b", "c"),
    objectness=False,
    size=(16, 8),
    combination="product",
    **options,
):
    roles = {"logits": Slice(tensor="l"), "boxes": Slice(tensor="b")}
    if objectness:
        roles["objectness"] = Slice(tensor="o")
    return ModelSpec(
        name="finder",
        task="detection",
        input=Input(width=size[0], height=size[1], framing=Stretch(), mean=(0.0,) * 3, std=(1.0,) * 3),
        outputs=Outputs(tensors=("l", "b", "o"), roles=roles, activation=activation),
        detection=Detection(boxes=coding or BoxCoding(coding="corners"), objectness=combination, **options),
        labels=labels,
    )


def tensors(logits, boxes, objectness=None):
    result = {"logits": np.array([logits], F), "boxes": np.array([boxes], F)}
    if objectness is not None:
        result["objectness"] = np.array([objectness], F)[..., None]
    return result


# ---- the text, line by line ----


def pos(x):
    return x if x > 0 else F(0)


def decoded(spec, raw, position):
    coding = spec.detection.boxes
    w, h = F(spec.input.width), F(spec.input.height)
    b = [F(v) for v in raw]
    points = [
        (F(column + 0.5) * F(s), F(row + 0.5) * F(s), F(s), F(s))
        for s in coding.strides
        for row in range(spec.input.height // s)
        for column in range(spec.input.width // s)
    ] + [
        (F((column + grid.offset) * grid.step[0]), F((row + grid.offset) * grid.step[1]), F(width), F(height))
        for grid in coding.grids
        for row in range(grid.rows)
        for column in range(grid.columns)
        for width, height in grid.anchors
    ]
    if points:
        cx, cy, across, down = points[position]
    if coding.coding == "anchor_deltas":
        b = [v / F(divisor) for v, divisor in zip(b, coding.divisors, strict=True)]
        sides = [F(exp(np.array([min(float(v), math.log(1000 / 16))]))[0]) for v in b[2:]]
        b = [b[0] * across + cx, b[1] * down + cy, across * sides[0], down * sides[1]]
    if coding.unit == "fraction":
        b = [b[0] * w, b[1] * h, b[2] * w, b[3] * h]
    if coding.unit in ("stride", "anchor"):
        b = [b[0] * across, b[1] * down, b[2] * across, b[3] * down]
    if coding.coding == "distances":
        return [cx - pos(b[0]), cy - pos(b[1]), cx + pos(b[2]), cy + pos(b[3])]
    if coding.coding == "corners":
        return [b[0], b[1], b[2] if b[2] > b[0] else b[0], b[3] if b[3] > b[1] else b[1]]
    half_x, half_y = pos(b[2]) * F(0.5), pos(b[3]) * F(0.5)
    return [b[0] - half_x, b[1] - half_y, b[0] + half_x, b[1] + half_y]


def iou_by_the_text(a, b):
    width = pos(min(a[2], b[2]) - max(a[0], b[0]))
    height = pos(min(a[3], b[3]) - max(a[1], b[1]))
    common = width * height
    union = ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])) - common
    return common / union if union > 0 else F(0)


def detect_by_the_text(outputs, spec):
    rule, activation = spec.detection, spec.outputs.activation
    logits = outputs["logits"][0]
    t = rule.score_threshold
    found = []
    for p, row in enumerate(logits):
        best = max((c for c in range(len(row)) if c != rule.background), key=lambda c: (row[c], -c))
        score = {"none": row, "sigmoid": sigmoid(row), "softmax": softmax(row)}[activation][best]
        limit = F(t)
        if "objectness" in outputs:
            presence = outputs["objectness"][0, p, 0]
            value = score * (sigmoid(presence) if activation == "sigmoid" else presence)
            if rule.objectness == "geometric_mean":
                value = np.sqrt(pos(value))
            score = value
        elif activation == "sigmoid":
            value = row[best]
            limit = F(-np.inf) if t == 0 else F(np.inf) if t == 1 else F(math.log(t / (1 - t)))
        else:
            value = score
        if value >= limit:
            box = decoded(spec, outputs["boxes"][0, p], p)
            found.append((value, p, best, score, box))
    found.sort(key=lambda entry: (-entry[0], entry[1]))
    kept = []
    for _, p, best, score, box in found:
        if len(kept) == rule.max_detections:
            break
        rivals = [k for k in kept if k[1] == best] if rule.suppression == "class_wise" else []
        if any(iou_by_the_text(k[3], box) > F(rule.iou_threshold) for k in rivals):
            continue
        kept.append((p, best, score, box))
    background = rule.background
    return [
        (p, c - 1 if background is not None and c > background else c, float(s), [float(v) for v in box])
        for p, c, s, box in kept
    ]


GRIDS = (
    AnchorGrid(columns=2, rows=3, step=(5.3, 3.0), anchors=((3.0, 4.0), (6.5, 2.25))),
    AnchorGrid(columns=1, rows=1, step=(16.0, 8.0), offset=0.25, anchors=((9.0, 7.0),)),
)
CODINGS = [
    BoxCoding(coding="distances", unit="pixels", strides=(4, 8)),
    BoxCoding(coding="distances", unit="stride", strides=(4,)),
    BoxCoding(coding="distances", unit="fraction", strides=(8, 4)),
    BoxCoding(coding="corners", unit="pixels"),
    BoxCoding(coding="corners", unit="fraction"),
    BoxCoding(coding="center_size", unit="pixels"),
    BoxCoding(coding="center_size", unit="fraction"),
    BoxCoding(coding="distances", unit="anchor", grids=GRIDS),
    BoxCoding(coding="distances", unit="fraction", grids=GRIDS[:1]),
    BoxCoding(coding="anchor_deltas", grids=GRIDS),
    BoxCoding(coding="anchor_deltas", grids=GRIDS, divisors=(10.0, 10.0, 5.0, 0.3)),
]
RAW = [-2.0, -1.0, -0.0, 0.0, 0.1, 0.25, 0.3, 0.5, 1.0, 1.7, 2.0]
LOGIT = [-4.0, -1.0, -0.405465, 0.0, 0.4, 0.5, 1.0, 3.0, 30.0, 31.0]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_detection_follows_the_text(data):
    draw = data.draw
    activation = draw(st.sampled_from(["none", "sigmoid", "softmax"]))
    coding = draw(st.sampled_from(CODINGS))
    background = draw(st.sampled_from([None, 0, 1, 3])) if activation != "sigmoid" else None
    spec = detector(
        activation,
        coding,
        objectness=draw(st.booleans()),
        background=background,
        score_threshold=draw(st.sampled_from([0.0, 0.25, 0.4, 0.5, 1.0])),
        iou_threshold=draw(st.sampled_from([0.0, 0.25, 0.5, 1.0])),
        max_detections=draw(st.sampled_from([1, 3, 100])),
        suppression=draw(st.sampled_from(["class_wise", "none"])),
        combination=draw(st.sampled_from(["product", "geometric_mean"])),
    )
    positions = position_count(coding, spec.input) if coding.strides or coding.grids else draw(st.integers(0, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    smooth = draw(st.booleans())

    def values(choices, *shape):
        drawn = random.choice(choices, (1, positions, *shape)).astype(F)
        return (drawn + random.normal(0, 0.3, drawn.shape)).astype(F) if smooth else drawn

    outputs = {"logits": values(LOGIT, spec.class_count), "boxes": values(RAW, 4)}
    if "objectness" in spec.roles:
        outputs["objectness"] = values(LOGIT, 1)
    found = detect(outputs, spec)
    assert found.boxes.dtype == found.scores.dtype == F and found.boxes.shape == (len(found.scores), 4)
    actual = zip(
        found.positions.tolist(), found.classes.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True
    )
    assert list(actual) == detect_by_the_text(outputs, spec)


def test_reaches_threshold_is_what_suppression_starts_from():
    spec = detector(suppression="none", score_threshold=0.5)
    random = np.random.default_rng(0)
    outputs = tensors(random.normal(size=(40, 3)), random.normal(size=(40, 4)))
    expected = np.zeros(40, bool)
    expected[detect(outputs, spec).positions] = True
    assert np.array_equal(reaches_threshold(outputs, spec), expected)
    assert expected.any() and not expected.all()


def test_a_logit_at_the_threshold_is_kept_and_one_below_is_not():
    limit = F(math.log(0.4 / 0.6))
    spec = detector(score_threshold=0.4, labels=("a",))
    outputs = tensors([[limit], [np.nextafter(limit, F(-1))]], [[0, 0, 1, 1], [4, 4, 5, 5]])
    assert detect(outputs, spec).positions.tolist() == [0]


def test_saturated_scores_are_ranked_by_logit():
    spec = detector(labels=("a",), iou_threshold=0.5)
    outputs = tensors([[40.0], [50.0]], [[0, 0, 4, 4], [0, 0, 4, 4]])
    found = detect(outputs, spec)
    assert found.positions.tolist() == [1] and found.scores.tolist() == [1.0]


def test_classes_do_not_suppress_each_other():
    same = [[1, 1, 5, 5]] * 3
    spec = detector(score_threshold=0.5)
    found = detect(tensors([[1, 0, 0], [0, 2, 0], [3, 0, 0]], same), spec)
    assert list(zip(found.positions.tolist(), found.classes.tolist(), strict=True)) == [(2, 0), (1, 1)]


def test_a_suppressed_box_suppresses_nothing():
    # Each overlaps its neighbour by half (IoU 1/3); the middle one goes, so the third stays.
    boxes = [[0, 0, 4, 4], [2, 0, 6, 4], [4, 0, 8, 4]]
    found = detect(tensors([[3], [2], [1]], boxes), detector(labels=("a",), iou_threshold=0.3))
    assert found.positions.tolist() == [0, 2]


def test_iou_at_the_threshold_stays():
    boxes = [[0, 0, 4, 4], [0, 0, 4, 2]]  # IoU exactly 0.5
    found = detect(tensors([[3], [2]], boxes), detector(labels=("a",), iou_threshold=0.5))
    assert found.positions.tolist() == [0, 1]


def test_boxes_without_area_live_side_by_side():
    boxes = [[2, 2, 2, 2], [2, 2, 2, 2], [0, 0, 4, 4]]
    found = detect(tensors([[3], [2], [1]], boxes), detector(labels=("a",), iou_threshold=0.0))
    assert found.positions.tolist() == [0, 1, 2]


def test_background_is_never_an_answer():
    spec = detector("softmax", background=0, labels=("a", "b"), score_threshold=0.2)
    found = detect(tensors([[5, 4, 1], [0, 0, 6]], [[0, 0, 1, 1], [3, 3, 4, 4]]), spec)
    assert found.classes.tolist() == [1, 0]  # indices of labels
    expected = softmax(np.array([5, 4, 1], F))[1]
    assert found.scores.tolist()[1] == float(expected)  # the background's share counts


def test_nothing_found():
    found = detect(tensors([[-9.0, -9, -9]], [[0, 0, 1, 1]]), detector())
    assert found.boxes.shape == (0, 4) and len(found.scores) == len(found.classes) == 0


def test_grid_points_by_hand():
    spec = detector(size=(8, 4)).input
    coding = BoxCoding(coding="distances", strides=(4, 2))
    x, y, width, height = grid_points(coding, spec)
    assert x.tolist() == [2, 6, 1, 3, 5, 7, 1, 3, 5, 7]
    assert y.tolist() == [2, 2, 1, 1, 1, 1, 3, 3, 3, 3]
    assert width.tolist() == height.tolist() == [4, 4] + [2] * 8
    assert position_count(coding, spec) == 10


def test_distances_by_hand():
    spec = detector(coding=BoxCoding(coding="distances", unit="stride", strides=(4,)), size=(8, 4))
    raw = np.array([[0.5, 0.25, 1, 2], [-3, 0, -1, 0]], F)
    boxes = decode(raw, np.array([1, 0]), spec.detection.boxes, spec.input)
    assert boxes.tolist() == [[4, 1, 10, 10], [2, 2, 2, 2]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_kept_box_must_be_finite(coding, value):
    spec = detector(coding=coding, labels=("a",))
    positions = position_count(coding, spec.input) or 2
    logits, boxes = np.full((positions, 1), -9.0), np.zeros((positions, 4))
    boxes[1] = value
    assert len(detect(tensors(logits, boxes), spec).scores) == 0  # below the threshold nobody looks
    logits[1] = 9
    stays = coding.coding in ("distances", "corners") and coding.unit == "pixels"
    if np.isfinite(value) and (stays or coding.divisors[0] > 1):
        assert len(detect(tensors(logits, boxes), spec).scores) == 1
        return
    with pytest.raises(SamesightError, match=r"the box at position 1 is not finite; .* another precision or unit$"):
        detect(tensors(logits, boxes), spec)


def test_huge_boxes_overflow_quietly(recwarn):
    boxes = [[-3e38, -3e38, 3e38, 3e38], [0, 0, 1, 1], [-3e38, -3e38, 3e38, 3e38]]
    found = detect(tensors([[3], [2], [1]], boxes), detector(labels=("a",), iou_threshold=0.0))
    assert found.positions.tolist() == [0, 1, 2]  # inf / inf is not greater than anything
    assert not recwarn.list


COORDINATES = st.lists(st.floats(0, 100, width=32), min_size=4, max_size=4)


@given(st.lists(COORDINATES, min_size=1, max_size=6))
def test_iou_is_torchvisions(rows):
    boxes = np.array([[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in rows], F)
    assume(((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) > 1e-3).all())
    expected = box_iou(torch.from_numpy(boxes).double(), torch.from_numpy(boxes).double()).numpy()
    assert np.abs(iou_matrix(boxes, boxes) - expected).max() < 1e-3
    assert iou_matrix(boxes, boxes[:0]).shape == (len(boxes), 0)


def test_iou_has_the_bits_of_the_text():
    random = np.random.default_rng(7)
    corner = random.uniform(-3, 20, (40, 2))
    boxes = np.concatenate([corner, corner + random.uniform(0, 15, (40, 2))], axis=1).astype(F)
    expected = [[float(iou_by_the_text(a, b)) for b in boxes] for a in boxes]
    assert iou_matrix(boxes, boxes).tolist() == expected


def test_thousands_of_boxes_take_no_time():
    random = np.random.default_rng(0)
    corner = random.uniform(0, 600, (8400, 2))
    boxes = np.concatenate([corner, corner + random.uniform(5, 60, (8400, 2))], axis=1).astype(F)
    start = time.process_time()
    kept = suppress(boxes, random.integers(0, 80, 8400), 0.5, 300)
    assert len(kept) == 300
    assert time.process_time() - start < 1


def test_a_classifier_does_not_detect():
    spec = ModelSpec(
        name="digits",
        task="classification",
        input=detector().input,
        outputs=Outputs(tensors=("l",), roles={"logits": Slice(tensor="l")}, activation="softmax"),
        labels=("a",),
    )
    with pytest.raises(SamesightError, match="model digits: its task is classification"):
        detect(tensors([[0.0]], [[0, 0, 1, 1]]), spec)
