"""What the code that gave some answers may have done wrong, and the answers that it would give then."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from samesight.contract.answers import Answer, answers
from samesight.contract.errors import SamesightError
from samesight.contract.golden import GoldenCase
from samesight.contract.image import Picture
from samesight.contract.preprocess import Geometry, geometry, preprocess
from samesight.contract.spec import Input, ModelSpec, Role
from samesight.contract.tasks import TASKS
from samesight.conversion.normalisation import levels_for
from samesight.conversion.parity.faults import VALUE_FAULTS, answer_faults
from samesight.conversion.parity.image_faults import IMAGE_FAULTS, ImageFault, image_pairs
from samesight.conversion.qparams import Float32, QuantParams, UInt8
from samesight.conversion.tasks.interface import AnswerFault, Answers

Outputs = dict[Role, Float32]
Network = Callable[[Float32], Outputs]
"""From levels float32 [H, W, C], in 0..255 unless a fault makes them others, to raw outputs."""
LISTED = 100
"""Classes of an image that are compared; labels further down are taken for as unlikely as the last."""

SATURATED = (np.float32(np.inf), np.float32(17.0), np.float32(37.0))
"""Logits from which on a sigmoid is 1: never, in float32 and in float64."""


@dataclass(frozen=True)
class Question:
    """Images, and what is known of the code that answered them.

    Attributes:
        spec: of the model.
        cases: the images with the right outputs and answers.
        network: runs levels; None where faults before the network are ruled out, or nothing runs here.
        images: whether the image code may be wrong; not where its tensor is known to be right.
        values: whether normalisation and layout may be wrong.
        qparams: of the quantized outputs.
        others: answers of other models to the same images, by name.
    """

    spec: ModelSpec
    cases: Sequence[GoldenCase]
    network: Network | None = None
    images: bool = True
    values: bool = True
    qparams: Mapping[Role, QuantParams] = field(default_factory=dict)
    others: Mapping[str, Answers] = field(default_factory=dict)


def listing(spec: ModelSpec) -> ModelSpec:
    """The spec with as many answers as are compared."""
    return spec.model_copy(update={"top_k": max(spec.top_k, min(spec.class_count, LISTED))})


def picture_case(picture: Picture, spec: ModelSpec, network: Network, number: int = 0) -> GoldenCase:
    """An image with the outputs and answers of right code."""
    tensor, place = preprocess(picture, spec.input)
    outputs = network(tensor.astype(np.float32))
    return GoldenCase(f"{number:03d}", picture, None, tensor, outputs, tuple(answers(outputs, listing(spec), place)))


class Hypotheses:
    """The answers of code with each fault before the network, computed when they are asked for, and kept."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.spec = listing(question.spec)
        self._answered: dict[str, list[list[GoldenCase]]] = {}

    def only(self, chosen: Sequence[int]) -> "Hypotheses":
        """The same about some of the images."""
        question = self.question
        cases = [question.cases[number] for number in chosen]
        others = {name: [answers[number] for number in chosen] for name, answers in question.others.items()}
        part = Hypotheses(replace(question, cases=cases, others=others))
        part._answered = {
            name: [[variant[number] for number in chosen] for variant in variants]
            for name, variants in self._answered.items()
        }
        return part

    def before(self) -> list[str]:
        """The names of the single faults before the network that are not ruled out."""
        if self.question.network is None:
            return []
        faults = (*(IMAGE_FAULTS if self.question.images else ()), *(VALUE_FAULTS if self.question.values else ()))
        return [*faults]

    def variants(self, name: str) -> list[list[GoldenCase]]:
        """The cases as code with a fault before the network answers them, with each way of mapping boxes back."""
        if name not in self._answered:
            self._answered[name] = self._variants(self.question.cases, IMAGE_FAULTS.get(name), VALUE_FAULTS.get(name))
        return self._answered[name]

    def _variants(
        self,
        cases: Sequence[GoldenCase],
        image: ImageFault | None,
        value: Callable[[UInt8, Input], Float32] | None,
    ) -> list[list[GoldenCase]]:
        assert self.question.network is not None
        by_contract, by_own = [], []
        for case in cases:
            tensor = image(case.picture, self.spec.input) if image else case.tensor
            levels = tensor.astype(np.float32)
            if value:
                levels = levels_for(value(tensor, self.spec.input), self.spec.input)
            outputs = self.question.network(levels)
            places = [_place(case.picture, self.spec.input)]
            if image and TASKS[self.spec.task].has_boxes:
                places.append(image.geometry(case.picture, self.spec.input))
            found = [_answered(outputs, self.spec, place) for place in places]
            by_contract.append(replace(case, outputs=outputs, answers=found[0]))
            by_own.append(replace(case, outputs=outputs, answers=found[-1]))
        same = all(a.answers == b.answers for a, b in zip(by_contract, by_own, strict=True))
        return [by_contract] if same else [by_contract, by_own]

    def pairs(self, likeliest: Sequence[str], chosen: Sequence[int]) -> Iterator[tuple[str, list[GoldenCase]]]:
        """Two faults before the network at once, at least one of them likely, on the chosen cases."""
        if self.question.network is None or not self.question.images:
            return
        cases = [self.question.cases[number] for number in chosen]
        for names, both in image_pairs().items():
            if names[0] in likeliest or names[1] in likeliest:
                for variant in self._variants(cases, both, None):
                    yield " and ".join(names), variant
        for (image, fault), (value, change) in product(IMAGE_FAULTS.items(), VALUE_FAULTS.items()):
            if self.question.values and (image in likeliest or value in likeliest):
                for variant in self._variants(cases, fault, change):
                    yield f"{image} and {value}", variant


def _place(picture: Picture, spec: Input) -> Geometry:
    return geometry(picture.width, picture.height, picture.orientation, spec)


def _answered(outputs: Outputs, spec: ModelSpec, place: Geometry) -> tuple[Answer, ...]:
    """The answers; none where the outputs are no finite numbers, as they may become of inputs that are none."""
    try:
        return tuple(answers(outputs, spec, place))
    except SamesightError:
        return ()


def faults_after(
    question: Question, cases: Sequence[GoldenCase], predictions: Answers, spec: ModelSpec
) -> Iterator[AnswerFault]:
    """Every fault after the network, those of quantized outputs among them."""
    yield from answer_faults(cases, predictions, spec)
    if question.qparams:
        yield from _quantization_faults(question.qparams, cases, predictions, spec)


def _quantization_faults(
    qparams: Mapping[Role, QuantParams], cases: Sequence[GoldenCase], predictions: Answers, spec: ModelSpec
) -> Iterator[AnswerFault]:
    """The stored integers of an int8 output taken for real values, or brought back without one of its parameters."""
    readings: dict[str, Callable[[Float32, QuantParams], Float32]] = {
        "the outputs' scale and zero point are ignored (stored integers taken for values)": lambda v, p: (
            v / np.float32(p.scale) + p.zero_point
        ),
        "the outputs' zero point is ignored": lambda v, p: v + np.float32(p.zero_point * p.scale),
        "the outputs' scale is ignored": lambda v, p: v / np.float32(p.scale),
    }
    # Scores of such logits are 0 or 1, and code that ranks by scores has ties where the contract has none.
    for (name, read), saturation in product(readings.items(), SATURATED):
        expected = []
        for case in cases:
            outputs = {
                role: read(values, qparams[role]).astype(np.float32) if role in qparams else values
                for role, values in case.outputs.items()
            }
            outputs["logits"] = np.clip(outputs["logits"], -saturation, saturation)
            expected.append(_answered(outputs, spec, _place(case.picture, spec.input)))
        yield AnswerFault(name, expected, predictions)
