"""Ranks known faults by how well each explains the answers that somebody's code gave.

Every fault is applied to the same images, which gives the answers that code with this fault would give; their distance
from the given ones (`TaskParity.distance`) says how much of the difference it leaves. Where no fault explains most of
it, pairs of faults are tried. One more hypothesis is that none of them is right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from samesight.contract.spec import ModelSpec
from samesight.conversion.parity.answer_distance import Float64, distances_of
from samesight.conversion.parity.hypotheses import Hypotheses, faults_after
from samesight.conversion.tasks.interface import AnswerFault, Answers

PAIRED = 12
"""Images on which pairs of faults are tried: each costs hundreds of inferences."""
LIKELIEST = 5
"""Faults that pairs are made of, the best alone."""
EXPLAINS = 0.5
"""The share of the difference that a fault must explain to be named."""
EXPLAINS_ALONE = 0.75
"""Where a single fault explains so much, no pairs are tried."""
NOTHING_LEFT = 1e-7
"""A distance that is nothing: scores 0.0003 radians apart."""
LISTED_CAUSES = 8
"""Hypotheses that are told."""
UNKNOWN_LEAVES = 0.35
"""What the hypothesis that no known fault is right is taken to leave of the difference."""
PAIRS_ARE_RARER = math.log(30.0)
SHARPNESS = 0.35
"""Scales the evidence of all images together, so that a confidence of 90 % is right nine times in ten: images are not
independent, and a fault as it is modelled is not quite the one in somebody's code. From the sabotage suite
(docs/diagnosis.md)."""

RIGHT = 0.25
"""Answers that are no further apart are about the same."""

ANOTHER_MODEL = "another model's answers, such as an older file's: most are right, and no known fault of the code fits"
NO_KNOWN_FAULT = "no known fault explains the difference"


@dataclass(frozen=True)
class Cause:
    """One hypothesis: the share of the difference that it explains, up to 1, and how sure it is the right one, 0..1.

    `alike` are faults that give the same answers to these images.
    """

    name: str
    confidence: float
    explains: float
    alike: tuple[str, ...] = ()


@dataclass
class _Tried:
    """Per name the distances [images] of its best variant."""

    noise: float
    found: dict[str, Float64] = field(default_factory=dict)

    def add(self, name: str, distances: Float64) -> None:
        if name not in self.found or self.evidence(distances) > self.evidence(self.found[name]):
            self.found[name] = distances

    def evidence(self, distances: Float64) -> float:
        """The logarithm of a likelihood with heavy tails (Student's, of one degree of freedom), over all images."""
        return -0.5 * float(np.log1p(distances / self.noise).sum())


def rank(hypotheses: Hypotheses, predictions: Answers, noise: float = 0.0) -> list[Cause]:
    """The hypotheses that explain the given answers, the likeliest first, with one that none of them is right.

    Args:
        hypotheses: of the images and what may be wrong.
        predictions: the given answers, in the order of the images.
        noise: the mean distance that right code may have (see `allowed_distance`).
    """
    question, spec = hypotheses.question, hypotheses.spec
    tried = _Tried(max(noise, NOTHING_LEFT))
    right = [case.answers for case in question.cases]
    itself = distances_of(right, predictions, spec)
    after = list(faults_after(question, question.cases, predictions, spec))
    for fault in after:
        tried.add(fault.name, distances_of(fault.expected, fault.interpreted, spec))
    for name, expected in question.others.items():
        tried.add(name, distances_of(expected, predictions, spec))
    for name in hypotheses.before():
        for cases in hypotheses.variants(name):
            tried.add(name, distances_of([case.answers for case in cases], predictions, spec))
    least = min((float(found.mean()) for found in tried.found.values()), default=math.inf)
    pairs: set[str] = set()
    if least > (1.0 - EXPLAINS_ALONE) * float(itself.mean()) and least > noise:
        chosen = np.unique(np.linspace(0, len(right) - 1, min(PAIRED, len(right))).round().astype(int))
        tried = _Tried(tried.noise, {name: found[chosen] for name, found in tried.found.items()})
        itself, single = itself[chosen], set(tried.found)
        _try_pairs(hypotheses, predictions, chosen.tolist(), after, tried)
        pairs = set(tried.found) - single
    return _weighed(tried, itself, pairs, _share(right, predictions, spec))


def _try_pairs(
    hypotheses: Hypotheses, predictions: Answers, chosen: Sequence[int], after: Sequence[AnswerFault], tried: _Tried
) -> None:
    """Two faults before the network; one before it and one after it; two after it."""
    question, spec = hypotheses.question, hypotheses.spec
    given = [predictions[number] for number in chosen]
    alone = sorted(hypotheses.before(), key=lambda name: float(tried.found[name].mean()))
    for name, cases in hypotheses.pairs(alone[:LIKELIEST], chosen):
        tried.add(name, distances_of([case.answers for case in cases], given, spec))
    for name in alone:
        for variant in hypotheses.variants(name):
            cases = [variant[number] for number in chosen]
            for fault in faults_after(question, cases, given, spec):
                tried.add(f"{name} and {fault.name}", distances_of(fault.expected, fault.interpreted, spec))
    right = [list(case.answers) for case in question.cases]
    changing = [fault for fault in after if fault.interpreted is predictions]
    reading = [fault for fault in after if [list(image) for image in fault.expected] == right]
    for one in changing:
        for other in reading:
            expected, interpreted = ([side[n] for n in chosen] for side in (one.expected, other.interpreted))
            tried.add(f"{one.name} and {other.name}", distances_of(expected, interpreted, spec))


def _weighed(tried: _Tried, itself: Float64, pairs: set[str], share: float) -> list[Cause]:
    """Confidences: a softmax over the evidence of all hypotheses, and of the one that none is right."""
    whole = float(itself.mean())
    names = [name for name, found in tried.found.items() if not np.allclose(found, itself, atol=NOTHING_LEFT)]
    logits = {
        name: SHARPNESS * tried.evidence(tried.found[name]) - (PAIRS_ARE_RARER if name in pairs else 0.0)
        for name in names
    }
    unknown = ANOTHER_MODEL if share >= 0.5 else NO_KNOWN_FAULT
    logits[unknown] = SHARPNESS * tried.evidence(UNKNOWN_LEAVES * itself)
    most = max(logits.values())
    weights = {name: math.exp(logit - most) for name, logit in logits.items()}
    total = sum(weights.values())
    causes: list[Cause] = []
    taken: set[str] = set()
    for name in sorted(weights, key=lambda name: -weights[name]):
        if name in taken:
            continue
        if len(causes) == LISTED_CAUSES:
            break
        if name == unknown:
            causes.append(Cause(name, weights[name] / total, 0.0))
            continue
        found = tried.found[name]
        explains = 1.0 - float(found.mean()) / whole if whole > 0.0 else 0.0
        alike: list[str] = []
        if explains >= EXPLAINS:
            # Of two that cannot be told apart, the simpler one is named.
            alike = [
                other
                for other in names
                if other not in (name, *taken)
                and (other in pairs) <= (name in pairs)
                and float(np.abs(tried.found[other] - found).max()) <= tried.noise
            ]
        taken |= {name, *alike}
        confidence = (weights[name] + sum(weights[other] for other in alike)) / total
        causes.append(Cause(name, confidence, explains, tuple(alike)))
    return sorted(causes, key=lambda cause: -cause.confidence)


def named(causes: Sequence[Cause]) -> Cause | None:
    """The first cause, where it is a known fault that explains at least half of the difference."""
    return causes[0] if causes and causes[0].explains >= EXPLAINS else None


def _share(expected: Answers, given: Answers, spec: ModelSpec) -> float:
    """The share of images whose answers are about right."""
    return float(np.mean(distances_of(expected, given, spec) < RIGHT)) if given else 0.0
