"""Decodes the raw outputs of any artifact into answers: labels, scores and boxes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samesight.contract.errors import SamesightError
from samesight.contract.preprocess import Geometry
from samesight.contract.spec import ModelSpec, Role
from samesight.contract.tasks import TASKS


@dataclass(frozen=True)
class Answer:
    """One class or one found object.

    Attributes:
        label: the class's name.
        index: of `label` in the spec's labels.
        score: a float32 value.
        box: x1, y1, x2, y2, float32 values in pixels of the stored image (or the upright one); None in a task without.
    """

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float] | None = None


def answers(
    outputs: dict[Role, NDArray[np.float32]],
    spec: ModelSpec,
    geometry: Geometry | None = None,
    upright: bool = False,
) -> list[Answer]:
    """The answers of one image, best first.

    Args:
        outputs: float32, one per role: logits [1, C]; or logits [1, N, C], boxes [1, N, 4], objectness [1, N, 1].
        spec: of the model.
        geometry: of the image, from `preprocess`; boxes are mapped back with it. Classification needs none.
        upright: boxes in pixels of the upright image (for drawing), not of the stored one.

    Raises:
        SamesightError: the outputs contradict the spec or are not finite; or a detection without geometry.
    """
    check_outputs(outputs, spec)
    rules = TASKS[spec.task]
    if rules.has_boxes and geometry is None:
        raise SamesightError(f"model {spec.name}: boxes need the geometry of the image that preprocess returns")
    decoded = rules.decode(outputs, spec)
    ranked = zip(decoded.indices, decoded.scores, strict=True)
    if decoded.boxes is None or geometry is None:
        return [Answer(spec.labels[index], index, score) for index, score in ranked]
    boxes = geometry.to_upright(decoded.boxes) if upright else geometry.to_stored(decoded.boxes)
    return [
        Answer(spec.labels[index], index, score, (x1, y1, x2, y2))
        for (index, score), (x1, y1, x2, y2) in zip(ranked, boxes.tolist(), strict=True)
    ]


def check_outputs(outputs: dict[Role, NDArray[Any]], spec: ModelSpec) -> None:
    """Compare raw outputs with the spec.

    Raises:
        SamesightError: a role is missing, its dtype, class count or number of positions differs from what the spec
            asks for, or logits or objectness hold values that are not finite.
    """
    check_shapes({role: tuple(values.shape) for role, values in outputs.items()}, spec)
    for role in spec.roles:
        values = outputs[role]
        if values.dtype != np.float32:
            raise SamesightError(
                f"model {spec.name}: output '{role}' is {values.dtype}; dequantize it to float32 first"
            )
        if role != "boxes" and not np.isfinite(values).all():
            raise SamesightError(
                f"model {spec.name}: output '{role}' holds values that are not finite; "
                "the artifact overflows, take another precision or unit"
            )


def check_shapes(shapes: dict[Role, tuple[int, ...]], spec: ModelSpec) -> None:
    """Compare the shapes of the outputs by role with the spec (see `check_outputs`)."""
    missing = [role for role in spec.roles if role not in shapes]
    if missing:
        raise SamesightError(f"model {spec.name}: no output for the role '{missing[0]}', which the spec's roles name")
    for expected in TASKS[spec.task].expected_shapes(shapes, spec):
        actual = tuple(shapes[expected.role])
        if actual != expected.shape:
            raise SamesightError(
                f"model {spec.name}: output '{expected.role}' is {list(actual)}, but the spec means "
                f"{list(expected.shape)}; correct {expected.fields} in model.json"
            )
