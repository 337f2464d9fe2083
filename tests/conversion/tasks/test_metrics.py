import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samesight.contract.answers import Answer
from samesight.conversion.tasks.average_precision import average_precision, match_image, weighted_precision
from samesight.conversion.tasks.bootstrap import interval, sample_weights
from samesight.conversion.tasks.classification import top1_hits
from samesight.conversion.tasks.detection import ranking_spec

CLASSES = 3


def _boxes(random, count):
    corner = random.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + random.uniform(12, 40, (count, 2))], axis=1).astype(np.float32)


def _images(seed):
    random = np.random.default_rng(seed)
    images = []
    for _ in range(random.integers(1, 8)):
        count = int(random.integers(0, 5))
        boxes, labels = _boxes(random, count), random.integers(0, CLASSES, count)
        near = boxes + random.uniform(-5, 5, boxes.shape).astype(np.float32)
        found = np.concatenate([near, _boxes(random, int(random.integers(0, 3)))])
        classes = np.concatenate([labels, random.integers(0, CLASSES, len(found) - count)])
        # No ties: faster-coco-eval orders them otherwise than pycocotools, which keeps the order of the images.
        scores = random.uniform(0, 1, len(found))
        answers = [
            Answer("", int(c), float(s), tuple(map(float, b))) for c, s, b in zip(classes, scores, found, strict=True)
        ]
        images.append((answers, boxes, labels))
    return images


def _crowds(seed, count):
    """Regions about as large as a third of the image, for each of `count` images."""
    random = np.random.default_rng([seed, 1])
    found = []
    for _ in range(count):
        corner = random.uniform(0, 60, (int(random.integers(0, 3)), 2))
        boxes = np.concatenate([corner, corner + random.uniform(20, 60, corner.shape)], axis=1).astype(np.float32)
        found.append((boxes, random.integers(0, CLASSES, len(boxes))))
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_map50_is_that_of_torchmetrics(seed, crowded):
    import torch
    from torchmetrics.detection import MeanAveragePrecision

    images = _images(seed)
    crowds = _crowds(seed, len(images)) if crowded else [(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))] * 7
    # Its own recall levels are float32: 0.8 is above a recall of 4 / 5 there, in COCO's float64 it is not.
    levels = np.linspace(0, 1, 101).tolist()
    oracle = MeanAveragePrecision(iou_thresholds=[0.5], rec_thresholds=levels, backend="faster_coco_eval")
    for (answers, boxes, labels), (regions, kinds) in zip(images, crowds, strict=False):
        ranked = sorted(answers, key=lambda a: -a.score)
        found = {
            "boxes": torch.tensor([a.box for a in ranked]).reshape(-1, 4),
            "scores": torch.tensor([a.score for a in ranked]),
            "labels": torch.tensor([a.index for a in ranked], dtype=torch.int64),
        }
        wanted = {
            "boxes": torch.from_numpy(np.concatenate([boxes, regions])),
            "labels": torch.from_numpy(np.concatenate([labels, kinds])),
            "iscrowd": torch.tensor([0] * len(boxes) + [1] * len(regions)),
        }
        oracle.update([found], [wanted])
    expected = max(0.0, float(oracle.compute()["map"]))
    matches = [
        match_image(answers, boxes, labels, CLASSES, 0.5, *regions)
        for (answers, boxes, labels), regions in zip(images, crowds, strict=False)
    ]
    assert average_precision(matches) == pytest.approx(expected, abs=1e-6)


def test_what_is_found_in_a_crowd_is_neither_right_nor_wrong():
    """By hand, after `evaluateImg` of pycocotools: only own area counts, any number may lie there, its class alone."""
    truth = np.array([[0, 0, 10, 10]], np.float32), np.array([0])
    crowd = np.array([[50, 50, 90, 90]], np.float32), np.array([0])

    def score(*boxes):
        answers = [Answer("", index, 0.9 - 0.1 * i, box) for i, (index, box) in enumerate(boxes)]
        return average_precision([match_image(answers, *truth, CLASSES, 0.5, *crowd)])

    right, inside, also, half_out = (0, 0, 10, 10), (52, 52, 60, 60), (70, 70, 80, 80), (86, 50, 96, 60)
    assert score((0, right)) == 1.0
    assert score((0, inside), (0, also), (0, right)) == pytest.approx(1.0), "before the right one, and not counted"
    # One wrong answer before the only right one: precision 1/2 at every recall.
    assert score((0, half_out), (0, right)) == pytest.approx(0.5), "40 % of its area is inside"
    assert score((1, inside), (0, right)) == pytest.approx(1.0), "a class without a truth has no curve"
    assert score((0, (30, 30, 40, 40)), (0, right)) == pytest.approx(0.5)
    other = np.array([[50, 50, 90, 90]], np.float32), np.array([1])
    answers = [Answer("", 0, 0.9, inside), Answer("", 0, 0.8, right)]
    assert average_precision([match_image(answers, *truth, CLASSES, 0.5, *other)]) == pytest.approx(0.5), "its class"
    # A crowd is nothing that has to be found.
    assert average_precision([match_image(answers[1:], *truth, CLASSES, 0.5, *crowd)]) == 1.0


def test_nothing_found_and_nothing_there():
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    assert average_precision([match_image([], *nothing, CLASSES)]) == 0.0
    assert average_precision([]) == 0.0
    one = np.array([[0, 0, 9, 9]], np.float32), np.array([1])
    assert average_precision([match_image([], *one, CLASSES)]) == 0.0


def test_top1_looks_at_the_first_answer():
    answers = [[Answer("b", 1, 0.9), Answer("a", 0, 0.1)], [Answer("a", 0, 0.9)], []]
    assert top1_hits(answers, [1, 1, 0]) == [1.0, 0.0, 0.0]


def test_the_bootstrap_pairs_images():
    hits = np.array([1.0] * 90 + [0.0] * 10)
    weights = sample_weights(100)
    assert weights.shape == (1000, 100) and (weights.sum(axis=1) == 100).all()
    worse = hits.copy()
    worse[:4] = 0.0
    low, high = interval(weights @ hits / 100, weights @ worse / 100, 100)
    assert 0.0 <= low < 0.04 < high < 0.09


def test_a_weighted_metric_is_that_of_repeated_images():
    matches = [
        match_image(answers, boxes, labels, CLASSES) for seed in range(4) for answers, boxes, labels in _images(seed)
    ]
    random = np.random.default_rng(5)
    weights = random.integers(0, 3, (20, len(matches))).astype(np.float64)
    for row, found in zip(weights, weighted_precision(matches, weights), strict=True):
        repeated = [match for match, times in zip(matches, row, strict=True) for _ in range(int(times))]
        # Copies of one hit raise the precision in steps, which no recall level may fall between: nearly, not exactly.
        assert found == pytest.approx(average_precision(repeated), abs=0.01)


def test_the_metric_keeps_weak_boxes():
    from samesight.contract.spec import BoxCoding, Detection, Input, ModelSpec, Outputs, Slice

    spec = ModelSpec(
        name="d",
        task="detection",
        input=Input(width=8, height=8, mean=(0, 0, 0), std=(1, 1, 1)),
        outputs=Outputs(
            tensors=("a", "b"), roles={"logits": Slice(tensor="a"), "boxes": Slice(tensor="b")}, activation="sigmoid"
        ),
        detection=Detection(boxes=BoxCoding(coding="corners"), score_threshold=0.4, max_detections=10),
        labels=("x",),
    )
    rule = ranking_spec(spec).detection
    assert (rule.score_threshold, rule.max_detections) == (0.05, 100)


@pytest.mark.parametrize("images", [36, 359, 1500])
def test_no_loss_seen_leaves_room_for_the_rule_of_three(images):
    """The exact bound of Clopper and Pearson for 0 of n, 1 - 0.05^(1/n), is just below 3 / n."""
    hits = (np.arange(images) % 10 > 0).astype(np.float64)
    weights = sample_weights(images)
    low, high = interval(weights @ hits / images, weights @ hits / images, images)
    assert low == 0.0 and high == pytest.approx(3 / images)
    assert 1 - 0.05 ** (1 / images) == pytest.approx(high, rel=0.06)


def test_gains_alone_prove_nothing_about_losses():
    images = 40
    hits = np.ones(images)
    hits[:4] = 0.0
    better = np.ones(images)
    weights = sample_weights(images)
    low, high = interval(weights @ hits / images, weights @ better / images, images)
    seen = np.percentile(weights @ (hits - better) / images, 97.5)
    assert low < 0.0 and high == pytest.approx(seen + 3 / images)
    mixed = better.copy()
    mixed[39] = 0.0
    _, high = interval(weights @ hits / images, weights @ mixed / images, images)
    assert high == pytest.approx(np.percentile(weights @ (hits - mixed) / images, 97.5)), "a loss was seen"
