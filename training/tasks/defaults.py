"""What a task decides of a training before torch is imported: one table."""

from dataclasses import dataclass
from typing import Literal

from samesight.contract.tasks import Task

Framing = Literal["stretch", "crop", "letterbox"]


@dataclass(frozen=True)
class Defaults:
    """Of the small default nets, found on the demo data; one cycle of AdamW.

    `framing` is how an image of another shape is fitted in; a side of the input is a multiple of `side_multiple`.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    weight_decay: float
    dropout: float
    framing: Framing
    side_multiple: int = 1


DEFAULTS: dict[Task, Defaults] = {
    "classification": Defaults(
        epochs=20, batch_size=32, learning_rate=4e-3, patience=8, weight_decay=0.1, dropout=0.2, framing="crop"
    ),
    "detection": Defaults(
        epochs=9,
        batch_size=8,
        learning_rate=7e-3,
        patience=5,
        weight_decay=0.02,
        dropout=0.0,
        framing="letterbox",
        side_multiple=32,
    ),
}
