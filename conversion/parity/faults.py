"""Frequent faults in an app's or a server's code between the image and the network, and after it, each as a function.

Those of the image code are a table of their own (`image_faults.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from samesight.contract.answers import Answer
from samesight.contract.golden import GoldenCase
from samesight.contract.spec import Input, ModelSpec
from samesight.conversion.normalisation import network_values
from samesight.conversion.qparams import Float32, UInt8
from samesight.conversion.tasks import TASKS
from samesight.conversion.tasks.interface import AnswerFault, Answers

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _affine(scale: float, offset: float) -> Callable[[UInt8, Input], Float32]:
    return lambda tensor, spec: (tensor.astype(np.float32) * np.float32(scale) + np.float32(offset)).astype(np.float32)


def _again(make: Callable[[UInt8, Input], Float32]) -> Callable[[UInt8, Input], Float32]:
    """What an artifact, which normalises itself, makes of values that were no pixel levels any more."""
    return lambda tensor, spec: network_values(make(tensor, spec), spec)


def _signed(tensor: UInt8, spec: Input) -> Float32:
    return network_values(tensor.view(np.int8).astype(np.float32), spec)


def _not_shifted(tensor: UInt8, spec: Input) -> Float32:
    return network_values(tensor ^ np.uint8(128), spec)


def _not_divided(tensor: UInt8, spec: Input) -> Float32:
    return network_values(tensor, spec.model_copy(update={"std": (1.0,) * spec.channel_count}))


def _not_centred(tensor: UInt8, spec: Input) -> Float32:
    return network_values(tensor, spec.model_copy(update={"mean": (0.0,) * spec.channel_count}))


def _imagenet(tensor: UInt8, spec: Input) -> Float32:
    if spec.channel_count != 3:
        return network_values(tensor, spec)
    return network_values(
        tensor, spec.model_copy(update={"value_range": (0, 1), "mean": IMAGENET_MEAN, "std": IMAGENET_STD})
    )


def _twice(tensor: UInt8, spec: Input) -> Float32:
    return ((network_values(tensor, spec) - np.array(spec.mean)) / np.array(spec.std)).astype(np.float32)


def _reversed(tensor: UInt8, spec: Input) -> Float32:
    return network_values(tensor, spec.model_copy(update={"mean": spec.mean[::-1], "std": spec.std[::-1]}))


VALUE_FAULTS: dict[str, Callable[[UInt8, Input], Float32]] = {
    "the pixels are left at 0..255": _affine(1.0, 0.0),
    "the pixels are scaled to 0..1 and not normalised": _affine(1 / 255, 0.0),
    "the pixels are scaled to -1..1": _affine(1 / 127.5, -1.0),
    "the pixels are scaled to 0..1 twice": _affine(1 / 255**2, 0.0),
    "ImageNet's mean and standard deviation are used": _imagenet,
    "the normalisation is applied twice": _twice,
    "mean and standard deviation are in reverse order": _reversed,
    "the mean is subtracted, but not divided by the standard deviation": _not_divided,
    "the mean is not subtracted": _not_centred,
    "the artifact, which normalises by itself, is given pixels scaled to 0..1": _again(_affine(1 / 255, 0.0)),
    "the artifact, which normalises by itself, is given pixels scaled to -1..1": _again(_affine(1 / 127.5, -1.0)),
    "the artifact, which normalises by itself, is given normalised values": _again(network_values),
    "the bytes of the pixels are read as signed (128..255 become negative)": _signed,
    "the bytes of the pixels go into an int8 input without subtracting 128": _not_shifted,
}


def answer_faults(cases: Sequence[GoldenCase], predictions: Answers, spec: ModelSpec) -> Iterator[AnswerFault]:
    """Every fault after the network: those that any task has, then those of this one.

    Args:
        cases: golden images with the network's outputs.
        predictions: the answers of the code under test to each.
        spec: of the model.
    """
    right = [case.answers for case in cases]
    for by, name in ((1, "the labels are one too high"), (-1, "the labels are one too low")):
        yield AnswerFault(name, [[_shifted(answer, by, spec) for answer in image] for image in right], predictions)
    fractions = [[replace(answer, score=answer.score / 100) for answer in image] for image in predictions]
    yield AnswerFault("the scores are percent, not 0..1", right, fractions)
    yield from TASKS[spec.task].answer_faults(cases, predictions, spec)


def _shifted(answer: Answer, by: int, spec: ModelSpec) -> Answer:
    index = (answer.index + by) % len(spec.labels)
    return replace(answer, index=index, label=spec.labels[index])
