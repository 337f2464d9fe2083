"""Which cell answers for which box, and losses that vanish for the right answer."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from samesight.training.models.losses import RADIUS, assign, decode_distances, detection_loss, grid_centres

SIDE, STRIDE = 32, 4
CENTRES = grid_centres(SIDE // STRIDE, SIDE // STRIDE, STRIDE, torch.device("cpu"))
boxes = st.tuples(
    st.floats(0, 24, width=32), st.floats(0, 24, width=32), st.floats(1, 8, width=32), st.floats(1, 8, width=32)
).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


@settings(max_examples=200, deadline=None)
@given(st.lists(boxes, min_size=1, max_size=4))
def test_cells_answer_for_boxes_around_them(some):
    truth = torch.tensor([some])
    labels = torch.arange(len(some))[None]
    cell_labels, cell_boxes = assign(CENTRES, truth, labels, STRIDE)
    taken = cell_labels[0] >= 0
    assert taken.any()
    for centre, label, box in zip(CENTRES[taken], cell_labels[0][taken], cell_boxes[0][taken], strict=True):
        assert torch.equal(box, truth[0, label])
        middle = (box[:2] + box[2:]) / 2
        # Usually within the radius; a box between the middles takes the nearest, which is less than a cell away.
        assert (centre - middle).abs().max() <= RADIUS * STRIDE
    if len(some) == 1:
        middle = (truth[0, 0, :2] + truth[0, 0, 2:]) / 2
        nearest = (CENTRES - middle).abs().amax(1).argmin()
        assert taken[nearest]


def test_the_smallest_box_wins_a_cell_and_padding_none():
    truth = torch.tensor([[[0.0, 0, 32, 32], [14, 14, 22, 22], [0, 0, 32, 32]]])
    cell_labels, _ = assign(CENTRES, truth, torch.tensor([[5, 6, -1]]), STRIDE)
    nearest = ((CENTRES - 18) ** 2).sum(1).argmin()
    assert cell_labels[0, nearest] == 6
    assert set(cell_labels.unique().tolist()) <= {-1, 5, 6}


def test_distances_below_zero_count_as_zero():
    corners = decode_distances(torch.tensor([[[-1.0, 0.5, 2, -3]]]), torch.tensor([[10.0, 20]]), STRIDE)
    assert corners.tolist() == [[[10, 18, 18, 20]]]


def test_the_right_answer_costs_nothing_and_a_wrong_one_costs():
    truth, labels = torch.tensor([[[6.0, 6, 22, 26]]]), torch.tensor([[1]])
    cell_labels, cell_boxes = assign(CENTRES, truth, labels, STRIDE)
    logits = torch.full((1, 64, 3), -12.0)
    logits[0, cell_labels[0] >= 0, 1] = 12.0
    distances = torch.cat([CENTRES - cell_boxes[..., :2], cell_boxes[..., 2:] - CENTRES], -1) / STRIDE
    scores, overlap = detection_loss(logits, distances, truth, labels, (SIDE, SIDE), STRIDE)
    assert scores < 1e-3 and overlap < 1e-3
    wrong_class, _ = detection_loss(logits.roll(1, 2), distances, truth, labels, (SIDE, SIDE), STRIDE)
    _, wrong_box = detection_loss(logits, distances + 1, truth, labels, (SIDE, SIDE), STRIDE)
    assert wrong_class > 1 and wrong_box > 0.05


def test_an_image_without_boxes_still_teaches_background():
    logits = torch.zeros(1, 64, 3, requires_grad=True)
    scores, overlap = detection_loss(
        logits, torch.ones(1, 64, 4), torch.zeros(1, 1, 4), torch.tensor([[-1]]), (SIDE, SIDE), STRIDE
    )
    scores.backward()
    assert overlap == 0 and (logits.grad > 0).all()
