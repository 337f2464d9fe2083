"""Finds the likely cause of a difference: applies known faults to the same images and names the one that fits best."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import answers
from samesight.contract.golden import GoldenCase
from samesight.contract.image import Picture
from samesight.contract.preprocess import geometry, preprocess
from samesight.contract.spec import Input, ModelSpec
from samesight.conversion.normalisation import network_values, pixels_for
from samesight.conversion.parity.faults import IMAGE_FAULTS, VALUE_FAULTS, answer_faults
from samesight.conversion.qparams import Float32, UInt8
from samesight.conversion.runners.interface import LoadedModel
from samesight.conversion.snr import decibels
from samesight.conversion.tasks.agreement import Agreement
from samesight.conversion.tasks.interface import Answers

# Right code reaches these: a float resize with antialias instead of the contract's rounded one gives 46 dB and a mean
# score difference of 0.0006 and less; one without antialias gives 24 dB and 0.0046 and more.
SAME_DB = 45.0
SAME_SCORE = 0.003
# Golden images on which faults before the network are tried: each costs more than a hundred inferences.
DIAGNOSED = 12


def hypotheses(
    pictures: Sequence[Picture],
    spec: Input,
    images: Mapping[str, Callable[[Picture, Input], UInt8]] = IMAGE_FAULTS,
    values: Mapping[str, Callable[[UInt8, Input], Float32]] = VALUE_FAULTS,
) -> Iterator[tuple[str, list[Float32]]]:
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
    iou: float,
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
        iou: least overlap of two boxes that count as the same.
        reference: loads an artifact of the bundle that runs here.
    """
    first_cases = slice(0, DIAGNOSED)
    pictures, levels = [case.picture for case in cases[first_cases]], bool(tensors) and tensors[0].dtype == np.uint8
    if tensors and not same_tensor:
        values = [network_values(tensor, spec.input) if levels else tensor for tensor in tensors[first_cases]]
        return explain_tensor(pictures, values, spec.input, before_normalisation=levels)
    if tensors and not levels:
        return explain_answers(cases, predictions, spec, iou)
    candidates = hypotheses(pictures, spec.input, images={} if levels else IMAGE_FAULTS)
    return explain_answers(cases[first_cases], predictions[first_cases], spec, iou, candidates, reference())


def explain_tensor(
    pictures: Sequence[Picture], actual: Sequence[Float32], spec: Input, before_normalisation: bool = False
) -> str | None:
    """The fault (or pair of faults) whose input tensors are nearest to the actual ones.

    Args:
        pictures: the images.
        actual: the network inputs that the code under test makes of them, float32 [H, W, C].
        spec: the contract's input.
        before_normalisation: the code returned levels 0..255, so faults of the normalisation cannot be seen.

    Returns:
        The fault in words; None when none is nearer than the contract itself and as near as 25 dB.
    """
    reference = [network_values(preprocess(picture, spec)[0], spec) for picture in pictures]
    best_db, cause = max(tensor_db(reference, actual), 25.0), None
    for name, values in hypotheses(pictures, spec, values={} if before_normalisation else VALUE_FAULTS):
        db = tensor_db(values, actual)
        if db > best_db + 0.5:
            best_db, cause = db, name
    return cause


def explain_answers(
    cases: Sequence[GoldenCase],
    predictions: Answers,
    spec: ModelSpec,
    iou: float,
    candidates: Iterable[tuple[str, Sequence[Float32]]] = (),
    run: LoadedModel | None = None,
) -> str | None:
    """The fault with which the network gives the same answers as the code under test.

    Args:
        cases: golden images with their expected outputs and answers.
        predictions: the answers of the code under test.
        spec: of the model.
        iou: least overlap of two boxes that count as the same.
        candidates: the `hypotheses` about the network's input that are not ruled out.
        run: an artifact of this bundle, needed for those.

    Returns:
        The fault in words; None when none explains half of the difference.
    """
    unexplained = _difference([case.answers for case in cases], predictions, spec, iou)
    smallest, cause = unexplained / 2, None
    for fault in answer_faults(cases, predictions, spec):
        difference = _difference(fault.expected, fault.interpreted, spec, iou)
        if difference < smallest - 1e-6:
            smallest, cause = difference, fault.name
    if run is None or smallest < unexplained / 10:
        return cause
    sizes = [(case.picture.width, case.picture.height, case.picture.orientation) for case in cases]
    geometries = [geometry(*size, spec.input) for size in sizes]
    for name, values in candidates:
        changed = [
            answers(run(pixels_for(value, spec.input)), spec, mapping)
            for value, mapping in zip(values, geometries, strict=True)
        ]
        difference = _difference(changed, predictions, spec, iou)
        if difference < smallest - 1e-6:
            smallest, cause = difference, name
    return cause


def _difference(expected: Answers, predictions: Answers, spec: ModelSpec, iou: float) -> float:
    agreement = Agreement(spec.task, iou)
    for a, b in zip(expected, predictions, strict=True):
        agreement.add(a, b)
    return 1.0 - (agreement.share or 0.0) + 0.1 * (agreement.score_difference or 0.0)
