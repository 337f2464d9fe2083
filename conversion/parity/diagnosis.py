"""Finds the likely cause of a difference: applies known faults to the same images and names the one that fits best.

Where no fault explains half of the difference, pairs of faults are tried.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import Any

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import answers
from samesight.contract.golden import GoldenCase
from samesight.contract.image import Picture
from samesight.contract.preprocess import geometry, preprocess
from samesight.contract.spec import Input, ModelSpec
from samesight.conversion.normalisation import network_values, pixels_for
from samesight.conversion.parity.faults import IMAGE_FAULTS, VALUE_FAULTS, answer_faults, image_pairs
from samesight.conversion.qparams import Float32, UInt8
from samesight.conversion.runners.interface import LoadedModel
from samesight.conversion.snr import decibels
from samesight.conversion.tasks.agreement import Agreement
from samesight.conversion.tasks.interface import AnswerFault, Answers

# Right code reaches these: a float resize with antialias instead of the contract's rounded one gives 46 dB and a mean
# score difference of 0.0006 and less; one without antialias gives 24 dB and 0.0046 and more.
SAME_DB = 45.0
SAME_SCORE = 0.003
# Golden images on which faults before the network are tried: each costs more than a hundred inferences.
DIAGNOSED = 12
# A fault that takes this much from the distance of input tensors explains half of it.
HALF_DB = 6.0
# More pairs than faults could fit by chance, so a pair must leave no more than this share of the difference.
LEFT_BY_PAIR = 0.25

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
    given = spec.input
    before_network = BeforeNetwork(
        reference,
        lambda: hypotheses(pictures, given, images={} if levels else IMAGE_FAULTS),
        lambda: chain(
            hypotheses(pictures, given, images={}),
            iter(()) if levels else hypotheses(pictures, given, values={}),
        ),
        lambda: iter(()) if levels else hypotheses(pictures, given, image_pairs(), {}),
    )
    return explain_answers(cases[first_cases], predictions[first_cases], spec, iou, before_network)


@dataclass(frozen=True)
class BeforeNetwork:
    """Faults before the network that are not ruled out, as inputs of the network.

    Attributes:
        reference: loads an artifact of the bundle that runs here.
        first: what is tried first: `hypotheses`.
        single: those of one fault.
        pairs: those of two image faults.
    """

    reference: Callable[[], LoadedModel | None]
    first: Callable[[], Named]
    single: Callable[[], Named]
    pairs: Callable[[], Named]


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
        _, cause = _nearest(hypotheses(pictures, spec, image_pairs(), {}), actual, best_db, cause)
    return cause


def _nearest(
    candidates: Named, actual: Sequence[Float32], best_db: float, cause: str | None
) -> tuple[float, str | None]:
    for name, values in candidates:
        db = tensor_db(values, actual)
        if db > best_db + 0.5:
            best_db, cause = db, name
    return best_db, cause


def explain_answers(
    cases: Sequence[GoldenCase],
    predictions: Answers,
    spec: ModelSpec,
    iou: float,
    before_network: BeforeNetwork | None = None,
) -> str | None:
    """The fault, or the pair of faults, with which the network gives the same answers as the code under test.

    Args:
        cases: golden images with their expected outputs and answers.
        predictions: the answers of the code under test.
        spec: of the model.
        iou: least overlap of two boxes that count as the same.
        before_network: faults before the network; None where the returned tensor rules them out.

    Returns:
        The fault in words; None when none explains half of the difference.
    """
    unexplained = _difference([case.answers for case in cases], predictions, spec, iou)
    after = list(answer_faults(cases, predictions, spec))
    smallest, cause = _best(after, spec, iou, unexplained / 2)
    run = before_network.reference() if before_network and smallest >= unexplained / 10 else None
    if before_network and run:
        changed = (
            AnswerFault(name, [case.answers for case in _rerun(cases, values, spec, run)], predictions)
            for name, values in before_network.first()
        )
        smallest, nearer = _best(changed, spec, iou, smallest)
        cause = nearer or cause
    if cause:
        return cause
    smallest, cause = _best(_pairs_after(after, cases, predictions), spec, iou, unexplained * LEFT_BY_PAIR)
    if before_network and run:
        pairs = (
            AnswerFault(name, [case.answers for case in _rerun(cases, values, spec, run)], predictions)
            for name, values in before_network.pairs()
        )
        across = (
            AnswerFault(f"{name} and {fault.name}", fault.expected, fault.interpreted)
            for name, values in before_network.single()
            for fault in answer_faults(_rerun(cases, values, spec, run), predictions, spec)
        )
        smallest, nearer = _best(chain(pairs, across), spec, iou, smallest)
        cause = nearer or cause
    return cause


def _best(faults: Iterable[AnswerFault], spec: ModelSpec, iou: float, smallest: float) -> tuple[float, str | None]:
    """The least difference that a fault leaves, below `smallest`, and its name."""
    cause = None
    for fault in faults:
        difference = _difference(fault.expected, fault.interpreted, spec, iou)
        if difference < smallest - 1e-6:
            smallest, cause = difference, fault.name
    return smallest, cause


def _pairs_after(
    faults: Sequence[AnswerFault], cases: Sequence[GoldenCase], predictions: Answers
) -> Iterator[AnswerFault]:
    """Two faults after the network: one that changes the right answers, and one that reads the given ones otherwise."""
    right = [list(case.answers) for case in cases]
    changing = [fault for fault in faults if fault.interpreted is predictions]
    reading = [fault for fault in faults if [list(image) for image in fault.expected] == right]
    for one, other in product(changing, reading):
        yield AnswerFault(f"{one.name} and {other.name}", one.expected, other.interpreted)


def _rerun(
    cases: Sequence[GoldenCase], values: Sequence[Float32], spec: ModelSpec, run: LoadedModel
) -> list[GoldenCase]:
    """The cases with the network's outputs and answers for these inputs."""
    changed = []
    for case, value in zip(cases, values, strict=True):
        outputs = run(pixels_for(value, spec.input))
        place = geometry(case.picture.width, case.picture.height, case.picture.orientation, spec.input)
        changed.append(replace(case, outputs=outputs, answers=tuple(answers(outputs, spec, place))))
    return changed


def _difference(expected: Answers, predictions: Answers, spec: ModelSpec, iou: float) -> float:
    agreement = Agreement(spec.task, iou)
    for a, b in zip(expected, predictions, strict=True):
        agreement.add(a, b)
    return 1.0 - (agreement.share or 0.0) + 0.1 * (agreement.score_difference or 0.0)
