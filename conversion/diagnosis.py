"""Why does it differ? Known faults are tried on the same images; the one that explains the difference best is named."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from contract.answers import Answer, answers
from contract.image import Picture
from contract.preprocess import preprocess
from contract.spec import Input, ModelSpec
from conversion.comparison import Agreement, decibel
from conversion.faults import IMAGE_FAULTS, VALUE_FAULTS, network_values, pixels_for
from conversion.formats.interface import Runner

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

SAME_DB = 45.0


def hypotheses(pictures: Sequence[Picture], spec: Input) -> Iterator[tuple[str, list[Float32]]]:
    """Every image fault alone, every value fault alone, and every pair of both: its name, and the network's inputs."""
    for image in (None, *IMAGE_FAULTS):
        tensors = [
            IMAGE_FAULTS[image](picture, spec) if image else preprocess(picture, spec)[0] for picture in pictures
        ]
        for value in (None, *VALUE_FAULTS):
            if image or value:
                make = VALUE_FAULTS[value] if value else network_values
                yield " and ".join(name for name in (image, value) if name), [make(t, spec) for t in tensors]


def tensor_db(expected: Sequence[Float32], given: Sequence[Float32]) -> float:
    """Signal-to-noise ratio of network inputs over all images, in dB, capped at 200 dB for equal ones.

    The signal is the energy about the mean, so a constant input scores 0 dB or less.
    """
    whole = np.concatenate([array.ravel() for array in expected]).astype(np.float64)
    noise = np.concatenate([array.ravel() for array in given]).astype(np.float64) - whole
    if not np.any(noise):
        return 200.0
    return min(200.0, decibel(float(np.mean((whole - whole.mean()) ** 2)), float(np.mean(noise**2))))


def explain_tensor(pictures: Sequence[Picture], given: Sequence[Float32], spec: Input) -> str | None:
    """The fault (or pair of faults) whose input tensors are nearest to the given ones.

    Args:
        pictures: the images.
        given: what somebody's code makes of them: network inputs, float32 [H, W, C].
        spec: the contract's input.

    Returns:
        The fault in words; None when none is nearer than the contract itself and as near as 25 dB.
    """
    reference = [network_values(preprocess(picture, spec)[0], spec) for picture in pictures]
    best, cause = max(tensor_db(reference, given), 25.0), None
    for name, values in hypotheses(pictures, spec):
        found = tensor_db(values, given)
        if found > best + 0.5:
            best, cause = found, name
    return cause


def explain_answers(
    pictures: Sequence[Picture],
    given: Sequence[Sequence[Answer]],
    spec: ModelSpec,
    run: Runner,
    iou: float,
) -> str | None:
    """The fault that makes an artifact of this bundle give the same answers as somebody's code gave.

    Returns:
        The fault in words; None when none comes nearer than the contract's own answers.
    """
    prepared = [preprocess(picture, spec.input) for picture in pictures]
    right = [answers(run(tensor), spec, geometry) for tensor, geometry in prepared]
    best, cause = _likeness(right, given, iou), None
    for name, change in _reading_faults(spec, pictures).items():
        found = _likeness([change(i, image) for i, image in enumerate(right)], given, iou)
        if found > best:
            best, cause = found, name
    for name, values in hypotheses(pictures, spec.input):
        changed = [
            answers(run(pixels_for(value, spec.input)), spec, geometry)
            for value, (_, geometry) in zip(values, prepared, strict=True)
        ]
        found = _likeness(changed, given, iou)
        if found > best + 1e-6:
            best, cause = found, name
    return cause


def _likeness(expected: Sequence[Sequence[Answer]], given: Sequence[Sequence[Answer]], iou: float) -> float:
    agreement = Agreement(iou)
    for a, b in zip(expected, given, strict=True):
        agreement.add(a, b)
    return (agreement.share or 0.0) - 0.1 * (agreement.score_difference or 0.0)


def _reading_faults(
    spec: ModelSpec, pictures: Sequence[Picture]
) -> dict[str, Callable[[int, Sequence[Answer]], list[Answer]]]:
    """Faults after the network: labels shifted, boxes left in the wrong pixels."""

    def shift(by: int) -> Callable[[int, Sequence[Answer]], list[Answer]]:
        def change(_: int, image: Sequence[Answer]) -> list[Answer]:
            count = len(spec.labels)
            return [Answer(spec.labels[(a.index + by) % count], (a.index + by) % count, a.score, a.box) for a in image]

        return change

    def exchanged(_: int, image: Sequence[Answer]) -> list[Answer]:
        return [Answer(a.label, a.index, a.score, a.box and (a.box[1], a.box[0], a.box[3], a.box[2])) for a in image]

    def in_input(i: int, image: Sequence[Answer]) -> list[Answer]:
        across, down = spec.input.width / pictures[i].width, spec.input.height / pictures[i].height
        return [
            Answer(
                a.label,
                a.index,
                a.score,
                a.box and (a.box[0] * across, a.box[1] * down, a.box[2] * across, a.box[3] * down),
            )
            for a in image
        ]

    faults = {"the labels are one too high": shift(1), "the labels are one too low": shift(-1)}
    if spec.task == "detection":
        faults |= {
            "x and y of the boxes are exchanged": exchanged,
            "the boxes are in pixels of the network's input, not mapped back to the image": in_input,
        }
    return faults
