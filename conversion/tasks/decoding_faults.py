"""Faults in the code that turns raw outputs into scores, the same for every task: another activation, or none."""

from collections.abc import Iterator, Sequence

from samesight.contract.activation import activate
from samesight.contract.answers import Answer, answers
from samesight.contract.errors import SamesightError
from samesight.contract.golden import GoldenCase
from samesight.contract.preprocess import geometry
from samesight.contract.spec import ModelSpec, Role
from samesight.conversion.qparams import Float32
from samesight.conversion.tasks.interface import AnswerFault, Answers


def decoded(case: GoldenCase, spec: ModelSpec, outputs: dict[Role, Float32] | None = None) -> list[Answer]:
    """The answers of a case under another spec or with other outputs; none where these are no numbers."""
    place = geometry(case.picture.width, case.picture.height, case.picture.orientation, spec.input)
    try:
        return answers(case.outputs if outputs is None else outputs, spec, place)
    except SamesightError:
        return []


def activation_faults(cases: Sequence[GoldenCase], predictions: Answers, spec: ModelSpec) -> Iterator[AnswerFault]:
    """Raw outputs as scores; the activation twice; the other activation."""
    right = spec.outputs.activation
    if right == "none":
        return
    other = "sigmoid" if right == "softmax" else "softmax"
    raw = spec.model_copy(update={"outputs": spec.outputs.model_copy(update={"activation": "none"})})
    name = f"the scores are the network's raw outputs, without {right}"
    yield AnswerFault(name, [decoded(case, raw) for case in cases], predictions)
    for name, activation, rule in (
        (f"{right} is applied twice", right, spec),
        (f"{other} is applied, not {right}", other, raw),
    ):
        changed = [{**case.outputs, "logits": activate(case.outputs["logits"], activation)} for case in cases]  # type: ignore[arg-type]
        expected = [decoded(case, rule, outputs) for case, outputs in zip(cases, changed, strict=True)]
        yield AnswerFault(name, expected, predictions)
