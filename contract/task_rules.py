"""The task-dependent rules of the contract: the row type of the table `TASKS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from samesight.contract.spec import ModelSpec, Role

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Decoded:
    """The decoded outputs of one image, best first.

    Attributes:
        indices: into the spec's labels.
        scores: float32 values.
        boxes: float32 [K, 4], x1, y1, x2, y2 in input pixels; None for a task without boxes.
    """

    indices: list[int]
    scores: list[float]
    boxes: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class ExpectedShape:
    """The shape of one output by the spec, and the fields of `model.json` to correct if the actual shape differs."""

    role: "Role"
    shape: Shape
    fields: str


@dataclass(frozen=True)
class TaskRules:
    """One row of `TASKS`.

    Attributes:
        check_spec: raises ValueError where a spec contradicts the task.
        expected_shapes: of the outputs by role, given the actual shapes.
        decode: decodes float32 outputs by role.
        position_count: how many positions the outputs have, by the spec; None where the spec leaves that open.
        per_position: whether outputs are [1, N, channels], a row for each position, or [1, channels] for the image.
        has_boxes: whether an answer has a box.
    """

    check_spec: "Callable[[ModelSpec], None]"
    expected_shapes: "Callable[[Mapping[Role, Shape], ModelSpec], list[ExpectedShape]]"
    decode: "Callable[[dict[Role, NDArray[np.float32]], ModelSpec], Decoded]"
    position_count: "Callable[[ModelSpec], int | None]"
    per_position: bool
    has_boxes: bool
