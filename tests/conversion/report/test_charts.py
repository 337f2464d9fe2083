"""The report's drawings: matching as the verdicts match, curves whose mean is the metric, labels that can be read."""

import base64
import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from samesight.contract.answers import Answer
from samesight.contract.gates import GATES
from samesight.contract.verdicts import MetricFigures, Verdict
from samesight.conversion.report.charts import LETTER_WIDTH, nice_ticks, scatter
from samesight.conversion.report.gallery import LARGEST_SIDE, data_uri
from samesight.conversion.report.panels import Shown
from samesight.conversion.report.table import INTERVAL_MARGIN, INTERVAL_WIDTH, loss_scale
from samesight.conversion.report.tasks.classification import confusion, mistakes
from samesight.conversion.report.tasks.detection import panel
from samesight.conversion.report.text import percent, signed, size
from samesight.conversion.tasks.agreement import Agreement
from samesight.conversion.tasks.average_precision import average_precision, match_image, precision_at_recall
from samesight.conversion.tasks.matching import match_answers

SHARES = st.floats(0, 1)


def answers_of(random, count):
    corner = random.uniform(0, 30, (count, 2))
    boxes = np.concatenate([corner, corner + random.uniform(5, 20, (count, 2))], axis=1)
    return [
        Answer("ab"[c], c, float(s), tuple(b))
        for c, s, b in zip(random.integers(0, 2, count).tolist(), random.random(count), boxes.tolist(), strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 8), st.integers(0, 8), st.sampled_from([0.1, 0.5, 0.8]))
def test_boxes_match_as_agreement_counts_them(seed, first, second, iou):
    random = np.random.default_rng(seed)
    served, found = answers_of(random, first), answers_of(random, second)
    counted = Agreement("detection", iou)
    counted.add(served, found)
    columns, _ = match_answers(served, found, iou)
    matched = [column for column in columns if column is not None]
    assert len(matched) == len(set(matched)) == counted.same and len(served) + len(found) == 2 * counted.all


def test_the_report_shows_as_the_same_what_the_verdict_counts_as_the_same():
    """Boxes without area too: they agree with themselves in the verdict, and were missing and extra in the report."""
    flat = [Answer("a", 0, 0.9, (0.0, 0.0, 0.0, 0.0)), Answer("b", 1, 0.8, (5.0, 5.0, 5.0, 9.0))]
    counted = Agreement("detection", GATES["int8"].iou)
    counted.add(flat, flat)
    shown = panel(Shown(0, "a.int8.onnx", "int8", None, ""), flat, flat, (64, 64))
    assert counted.share == 1.0 and shown.same and [box.kind for box in shown.boxes] == ["same", "same"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_the_curves_mean_is_the_metric(seed, images):
    random = np.random.default_rng(seed)
    matches = []
    for _ in range(images):
        truth = answers_of(random, int(random.integers(0, 5)))
        boxes = np.array([a.box for a in truth], np.float32).reshape(-1, 4)
        labels = np.array([a.index for a in truth], np.int64)
        matches.append(match_image([*truth[:2], *answers_of(random, 3)], boxes, labels, 2))
    assert precision_at_recall(matches).mean() == pytest.approx(average_precision(matches), abs=1e-12)


@given(SHARES)
def test_percent_does_not_round_up_to_all(share):
    assert (percent(share) == "100.0%") == (share == 1.0)


def verdict_of(number, precision, count, artifact, server=0.9):
    metric = MetricFigures(
        name="top1", images=9, server=server, artifact=artifact, drop=server - artifact, drop_low=-0.1, drop_high=0.1
    )
    return Verdict(
        name=f"m.{precision}.f{number}",
        format="onnx",
        precision=precision,
        unit="cpu",
        runner="r",
        passed=True,
        reason="",
        cases=1,
        metric=metric,
        bytes=count,
    )


@settings(max_examples=80, deadline=None)
@example([("fp32", 1, 1.0), ("fp32", 1, 0.5360765070575779)])
@given(
    st.lists(st.tuples(st.sampled_from(list(GATES)), st.integers(1, 10**8), st.floats(0.5, 1)), min_size=1, max_size=12)
)
def test_labels_and_points_stay_in_the_plot_and_labels_apart(rows):
    verdicts = [verdict_of(number, *row) for number, row in enumerate(rows)]
    drawn = scatter(verdicts)
    plot = drawn.plot
    assert all(plot.left <= p.x <= plot.right and plot.top <= p.y <= plot.bottom for p in drawn.points)
    assert plot.top <= drawn.server <= plot.bottom and len(drawn.points) == len(rows)
    for verdict in verdicts:
        assert any(
            tag.text.startswith(f"{verdict.precision} ") and verdict.name.rsplit(".", 1)[1] in tag.text
            for tag in drawn.tags
        )


def test_labels_of_a_usual_bundle_are_apart():
    sizes = {"fp32": 1e6, "fp16": 5e5, "int8": 2.7e5, "dynamic-int8": 2.8e5}
    verdicts = [
        verdict_of(number, precision, int(sizes[precision] * (1 + 0.02 * number)), 0.9)
        for number, precision in enumerate(["fp32"] * 6 + ["fp16", "int8", "int8", "int8", "dynamic-int8"])
    ]
    tags = scatter(verdicts).tags
    assert len(tags) == 4
    for first in tags:
        for second in tags:
            if first is not second and abs(first.y - second.y) < 15:
                assert abs(first.x - second.x) >= LETTER_WIDTH * (len(first.text) + len(second.text)) / 2


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_and_within(low, span):
    ticks = nice_ticks(low, low + span)
    assert 2 <= len(ticks) <= 11 and all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


@given(st.floats(-1, 1), st.floats(-1, 1), st.sampled_from(list(GATES)))
def test_the_loss_scale_rises_and_stays_in_the_drawing(first, second, precision):
    low, high = sorted((first, second))
    metric = MetricFigures(name="top1", images=1, server=1, artifact=1, drop=low, drop_low=low, drop_high=high)
    position = loss_scale([(metric, GATES[precision])])
    gate = position(GATES[precision].metric_drop)
    inside = 1e-9  # of a pixel: the end of the scale is a rounded product
    assert INTERVAL_MARGIN - inside <= position(low) <= position(high) <= INTERVAL_WIDTH - INTERVAL_MARGIN + inside
    assert position(0.0) < gate < INTERVAL_WIDTH - INTERVAL_MARGIN
    assert (position(high) > gate) == (high > GATES[precision].metric_drop)


def test_confusions_count_first_answers():
    given_answers = [[Answer("b", 1, 0.9), Answer("a", 0, 0.1)], [Answer("b", 1, 0.8)], [Answer("c", 2, 0.9)], []]
    table = confusion("x", given_answers, [0, 1, 2, 2], 3)
    assert [[cell.count for cell in row] for row in table.cells] == [[0, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert (table.right, table.images) == (2, 4)
    assert confusion("x", given_answers, [0, 1, 2, 2], 100).cells == ()
    (only,) = mistakes(given_answers, [given_answers[1], *given_answers[1:]], [0, 1, 2, 2], ["a", "b", "c"])
    assert (only.truth, only.answer, only.server, only.artifact) == ("a", "b", 1, 1)


def decoded(uri):
    kind, _, data = uri.removeprefix("data:image/").partition(";base64,")
    return kind, np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_small_images_are_exact_and_large_ones_reduced():
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    kind, pixels = decoded(data_uri(small))
    assert kind == "png" and np.array_equal(pixels, small)
    noise = random.integers(0, 256, (300, 900, 3), dtype=np.uint8)
    kind, pixels = decoded(data_uri(noise))
    assert kind == "jpeg" and pixels.shape == (LARGEST_SIDE // 3, LARGEST_SIDE, 3)


def test_figures_are_worded_once_and_well():
    assert [size(n) for n in (999, 1000, 669_621, 1_340_000)] == ["999 B", "1 KB", "670 KB", "1.3 MB"]
    assert [signed(v) for v in (-0.001, 0.0, 1.5, -1.5)] == ["0.00", "0.00", "+1.50", "\N{MINUS SIGN}1.50"]
