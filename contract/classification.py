"""Classification: ranks the classes by their logits."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from samesight.contract.activation import Activation, activate
from samesight.contract.task_rules import Decoded, ExpectedShape, Shape, TaskRules

if TYPE_CHECKING:
    from samesight.contract.spec import ModelSpec, Role


def check_spec(spec: "ModelSpec") -> None:
    """One role, and nothing about boxes.

    Raises:
        ValueError: the spec has more.
    """
    if spec.detection is not None or set(spec.outputs.roles) != {"logits"}:
        raise ValueError("a classification has the role 'logits' alone and no field 'detection'")


def expected_shapes(shapes: "Mapping[Role, Shape]", spec: "ModelSpec") -> list[ExpectedShape]:
    """Logits [1, C]."""
    return [ExpectedShape("logits", (1, spec.class_count), "labels")]


def decode(outputs: "dict[Role, NDArray[np.float32]]", spec: "ModelSpec") -> Decoded:
    """The best `top_k` classes."""
    ranked = rank(outputs["logits"][0], spec.outputs.activation, spec.top_k)
    return Decoded([index for index, _ in ranked], [score for _, score in ranked])


def rank(logits: NDArray[np.float32], activation: Activation, top_k: int) -> list[tuple[int, float]]:
    """The best `top_k` classes as (index, score), best first.

    Ranked by raw logit, ties by lower index: scores tie where logits do not (a confident softmax rounds to 1).

    Args:
        logits: float32 [C], finite.
        activation: turns logits into scores.
        top_k: at least 1; no more than C come back.
    """
    scores = activate(logits, activation)
    order = np.argsort(-logits, kind="stable")[:top_k]
    return [(int(index), float(scores[index])) for index in order]


CLASSIFICATION = TaskRules(
    check_spec=check_spec,
    expected_shapes=expected_shapes,
    decode=decode,
    position_count=lambda spec: None,
    per_position=False,
    has_boxes=False,
)
