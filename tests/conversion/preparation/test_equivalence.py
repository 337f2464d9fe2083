"""The proof that a prepared network is the original: judged by the original's own rounding."""

import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.conversion.preparation.equivalence import prove

SPEC = ModelSpec(
    name="tiny",
    task="classification",
    input=Input(width=6, height=6, mean=(0.5,) * 3, std=(0.25,) * 3),
    outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
    labels=("a", "b", "c", "d"),
)
WEIGHTS = torch.from_numpy(np.random.default_rng(0).normal(size=(108, 4)) / 100)
SAMPLES = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (4, 3, 6, 6)).astype(np.float32))


def linear(pixels, factor=1.0):
    return (pixels.flatten(1) * factor) @ WEIGHTS.to(pixels.dtype)


def chaotic(pixels, factor=1.0):
    """Each round multiplies an error by 40 on average."""
    values = linear(pixels, factor)
    for _ in range(3):
        values = torch.sin(60 * values)
    return values


def proof(network, prepared, exact=None, samples=SAMPLES):
    original = lambda pixels: [network(pixels)]  # noqa: E731
    return prove(original, prepared, lambda: exact or original, lambda pixels: pixels, SPEC, samples)


def test_the_same_arithmetic_in_another_order_is_equal():
    result = proof(linear, lambda pixels: (linear(pixels, 1 + 1e-7),))
    assert result.decibels > 100 and result.notes == ()


def test_a_network_that_rounds_more_than_the_difference_is_accepted_with_a_note():
    result = proof(chaotic, lambda pixels: (chaotic(pixels, 1 + 1e-7),))
    assert result.decibels < 90
    assert len(result.notes) == 2 and all("dB from the same network in float64" in note for note in result.notes)
    assert result.notes[0].startswith("on calibration images, tiny's logits")


def test_another_network_is_refused_however_much_the_original_rounds():
    for network in (linear, chaotic):
        with pytest.raises(
            SamesightError, match=r"on calibration images, the prepared network's logits differ"
        ) as error:
            proof(network, lambda pixels, network=network: (network(pixels, 1.01),))
        assert "randomness" not in str(error.value)


def test_randomness_is_named_where_it_was_seen():
    with pytest.raises(SamesightError, match="two runs of the network on one image give different logits; take random"):
        proof(lambda pixels: linear(pixels) + torch.rand(1), lambda pixels: (linear(pixels),))


def test_without_float64_the_difference_counts_as_before():
    def no_doubles(pixels):
        raise RuntimeError("expected scalar type Float but found Double")

    with pytest.raises(SamesightError, match="90 are needed"):
        proof(chaotic, lambda pixels: (chaotic(pixels, 1 + 1e-7),), no_doubles)
