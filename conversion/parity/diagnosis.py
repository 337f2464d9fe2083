"""Finds the likely cause of a difference: applies known faults to the same images and names the one that fits best.

Where no fault explains half of the difference, pairs of faults are tried.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from samesight.contract.golden import GoldenCase
from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Input, ModelSpec
from samesight.conversion.normalisation import network_values
from samesight.conversion.parity.causes import named, rank
from samesight.conversion.parity.faults import VALUE_FAULTS
from samesight.conversion.parity.hypotheses import Hypotheses, Network, Question, listing
from samesight.conversion.parity.image_faults import IMAGE_FAULTS, image_pairs
from samesight.conversion.qparams import Float32, UInt8
from samesight.conversion.runners.interface import LoadedModel
from samesight.conversion.snr import decibels
from samesight.conversion.tasks.decoding_faults import decoded
from samesight.conversion.tasks.interface import Answers

# Right code reaches these: a float resize with antialias instead of the contract's rounded one gives 46 dB and a mean
# score difference of 0.0006 and less; one without antialias gives 24 dB and 0.0046 and more.
SAME_DB = 45.0
SAME_SCORE = 0.003
# Golden images on which faults before the network are tried: each costs more than a hundred inferences.
DIAGNOSED = 12
# A fault that takes this much from the distance of input tensors explains half of it.
HALF_DB = 6.0

Named = Iterator[tuple[str, list[Float32]]]


def hypotheses(
    pictures: Sequence[Picture],
    spec: Input,
    images: Mapping[str, Callable[[Picture, Input], UInt8]] = IMAGE_FAULTS,
    values: Mapping[str, Callable[[UInt8, Input], Float32]] = VALUE_FAULTS,
) -> Named:
    """Every image fault alone, every value fault alone, and every pair of both: its name, and the network's inputs."""
    for image in (None, *images):
        tensors = [images[image](picture, spec) if image else preprocess(picture, spec)[0] for picture in pictures]
        for value in (None, *values):
            if image or value:
                make = values[value] if value else network_values
                yield " and ".join(name for name in (image, value) if name), [make(t, spec) for t in tensors]


def tensor_db(expected: Sequence[Float32], actual: Sequence[Float32]) -> float:
    """Signal-to-noise ratio of network inputs over all images, in dB, capped at 200 dB for equal ones.

    The signal is the energy about the mean, so a constant input scores 0 dB or less.
    """
    signal = np.concatenate([array.ravel() for array in expected]).astype(np.float64)
    noise = np.concatenate([array.ravel() for array in actual]).astype(np.float64) - signal
    if not np.any(noise):
        return 200.0
    return min(200.0, decibels(float(np.mean((signal - signal.mean()) ** 2)), float(np.mean(noise**2))))


def likely_cause(
    cases: Sequence[GoldenCase],
    predictions: Answers,
    tensors: Sequence[npt.NDArray[Any]],
    same_tensor: bool,
    spec: ModelSpec,
    reference: Callable[[], LoadedModel | None],
) -> str | None:
    """The known fault that best explains a difference, among those that the returned values do not rule out.

    Args:
        cases: golden images with their expected outputs and answers.
        predictions: the answers of the code under test.
        tensors: the network's inputs [H, W, C] that it returned, uint8 before normalisation or float32 after it; empty
            when it returned answers alone.
        same_tensor: whether they equal the contract's.
        spec: of the model.
        reference: loads an artifact of the bundle that runs here.
    """
    levels = bool(tensors) and tensors[0].dtype == np.uint8
    if tensors and not same_tensor:
        pictures = [case.picture for case in cases[:DIAGNOSED]]
        values = [network_values(tensor, spec.input) if levels else tensor for tensor in tensors[:DIAGNOSED]]
        return explain_tensor(pictures, values, spec.input, before_normalisation=levels)
    model = None if tensors and not levels else reference()
    if model is not None:
        cases, predictions = cases[:DIAGNOSED], predictions[:DIAGNOSED]
    listed = [replace(case, answers=tuple(decoded(case, listing(spec)))) for case in cases]
    cause = named(rank(Hypotheses(Question(spec, listed, network_of(model), images=not levels)), predictions))
    return cause.name if cause else None


def network_of(model: LoadedModel | None, floats: bool = True) -> Network | None:
    """A model as a function of levels; one that does not take floats gets them rounded and clipped."""
    if model is None:
        return None
    if floats:
        return lambda levels: model(cast("UInt8", levels))  # a float layout is packed the same
    return lambda levels: model(np.clip(np.round(levels), 0, 255).astype(np.uint8))


def explain_tensor(
    pictures: Sequence[Picture], actual: Sequence[Float32], spec: Input, before_normalisation: bool = False
) -> str | None:
    """The fault, or the pair of faults, whose input tensors are nearest to the actual ones.

    Args:
        pictures: the images.
        actual: the network inputs that the code under test makes of them, float32 [H, W, C].
        spec: the contract's input.
        before_normalisation: the code returned levels 0..255, so faults of the normalisation cannot be seen.

    Returns:
        The fault in words; None when none is nearer than the contract itself and as near as 25 dB.
    """
    reference = [network_values(preprocess(picture, spec)[0], spec) for picture in pictures]
    itself = tensor_db(reference, actual)
    single = hypotheses(pictures, spec, values={} if before_normalisation else VALUE_FAULTS)
    best_db, cause = _nearest(single, actual, max(itself, 25.0), None)
    if cause is None or best_db < itself + HALF_DB:
        pairs = {" and ".join(names): both for names, both in image_pairs().items()}
        _, cause = _nearest(hypotheses(pictures, spec, pairs, {}), actual, best_db, cause)
    return cause


def _nearest(
    candidates: Named, actual: Sequence[Float32], best_db: float, cause: str | None
) -> tuple[float, str | None]:
    for name, values in candidates:
        db = tensor_db(values, actual)
        if db > best_db + 0.5:
            best_db, cause = db, name
    return best_db, cause
