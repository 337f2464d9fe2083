"""ModelSpec: the `model.json` of a bundle, with everything that server and phones must agree on about one model.

`docs/contract.md` gives the meaning of every field; `docs/model.schema.json` is generated from these classes.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from samesight.contract.documents import Count, Document, Position, Strict, parse_document, read_document
from samesight.contract.tasks import TASKS, Task
from samesight.contract.text import label_problem

# Of all grids together; phones set a table of them up.
MOST_POSITIONS = 1 << 22
CHANNEL_COUNTS = {"rgb": 3, "bgr": 3, "grey": 1}

Role = Literal["logits", "boxes", "objectness"]
Level = Annotated[int, Field(ge=0, le=255)]
Side = Annotated[int, Field(ge=1, le=8192)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]


class Stretch(Strict):
    """The whole image resized to the input size, whatever its aspect."""

    rule: Literal["stretch"] = "stretch"


class Crop(Strict):
    """The shorter side resized to `resize_shorter`, then the middle cut out (torchvision's Resize and CenterCrop)."""

    rule: Literal["crop"] = "crop"
    resize_shorter: Side


class Letterbox(Strict):
    """The whole image fitted inside the input size with its aspect kept, centred on a border of level `pad`."""

    rule: Literal["letterbox"] = "letterbox"
    pad: Level = 114


class StretchCrop(Strict):
    """The whole image resized to `resize_width` x `resize_height`, whatever its aspect, then the middle cut out."""

    rule: Literal["stretch_crop"] = "stretch_crop"
    resize_width: Side
    resize_height: Side


Framing = Annotated[Stretch | Crop | Letterbox | StretchCrop, Field(discriminator="rule")]


class Input(Strict):
    """How an image becomes the network's input.

    `value_range`, `mean` and `std` tell what the *original* network takes: a pixel p in 0..255 becomes
    (low + p / 255 · (high - low) - mean) / std. Artifacts take 0..255: conversion puts this step into the graph.
    `background` is the colour that shows through transparent pixels.
    """

    width: Side
    height: Side
    channels: Literal["rgb", "bgr", "grey"] = "rgb"
    framing: Framing = Stretch()
    filter: Literal["bilinear", "bicubic"] = "bilinear"
    background: tuple[Level, Level, Level] = (255, 255, 255)
    value_range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...]
    std: tuple[Positive, ...]

    @property
    def channel_count(self) -> int:
        """3 for rgb and bgr, 1 for grey."""
        return CHANNEL_COUNTS[self.channels]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for field in ("mean", "std"):
            count = len(getattr(self, field))
            if count != self.channel_count:
                raise ValueError(f"{field} has {count} values, but {self.channels} has {self.channel_count} channels")
        low, high = self.value_range
        if not low < high:
            raise ValueError(f"value_range must rise, not [{low}, {high}]")
        if isinstance(self.framing, Crop) and self.framing.resize_shorter < max(self.width, self.height):
            raise ValueError(
                f"resize_shorter {self.framing.resize_shorter} is smaller than the input "
                f"{self.width} x {self.height}: the crop would leave the image"
            )
        if isinstance(self.framing, StretchCrop):
            across, down = self.framing.resize_width, self.framing.resize_height
            if across < self.width or down < self.height:
                raise ValueError(
                    f"{across} x {down} is smaller than the input {self.width} x {self.height}: "
                    "the crop would leave the image"
                )
        return self


class Slice(Strict):
    """Where a role is in the original network's outputs: channels `start` to `stop` of one output tensor.

    For detection `channel_axis` is 2 for [1, N, channels] and 1 for [1, channels, N]; for classification 1.
    """

    tensor: str
    channel_axis: Literal[1, 2] | None = None
    start: Position = 0
    stop: Count | None = None

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"slice of {self.tensor!r} is empty: start {self.start}, stop {self.stop}")
        return self


class Outputs(Strict):
    """The original network's outputs by name, in order, and which part of them plays which role.

    Artifacts always have one output per role: logits [1, C] or [1, N, C], boxes [1, N, 4], objectness [1, N, 1].
    """

    tensors: Annotated[tuple[str, ...], Field(min_length=1)]
    roles: dict[Role, Slice]
    activation: Literal["none", "softmax", "sigmoid"]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.tensors)) != len(self.tensors):
            raise ValueError("two outputs have the same name")
        for role, part in self.roles.items():
            if part.tensor not in self.tensors:
                raise ValueError(
                    f"role {role!r} names output {part.tensor!r}, but the outputs are {list(self.tensors)}"
                )
        if "logits" not in self.roles:
            raise ValueError("no output plays the role 'logits'")
        return self


class AnchorGrid(Strict):
    """A grid of `columns` x `rows` cells with the same anchors in each, all in input pixels.

    The point of cell (column, row) is ((column + offset) · step x, (row + offset) · step y); each of the `anchors`, a
    width and a height, has its middle there.
    """

    columns: Side
    rows: Side
    step: tuple[Positive, Positive]
    offset: Fraction = 0.5
    anchors: Annotated[tuple[tuple[Positive, Positive], ...], Field(min_length=1)]


class BoxCoding(Strict):
    """What the four numbers of a raw box mean.

    distances: left, top, right, bottom from the middle of a grid cell; `strides` lists the grids in order, each
    row-major with width // stride columns and height // stride rows; or from the points of `grids`. corners: x1, y1,
    x2, y2. center_size: cx, cy, w, h. anchor_deltas: how far the middle is from an anchor's, in its widths and heights,
    and the logarithms of how much wider and higher the box is, each times its number of `divisors`.
    `grids` are listed in order, each row-major, and in a cell anchor by anchor.
    unit: network input pixels; `fraction` of the input's width and height; `stride` (distances from strides only) the
    cell's size; `anchor` (distances from grids only) the anchor's width and height.
    """

    coding: Literal["distances", "corners", "center_size", "anchor_deltas"]
    unit: Literal["pixels", "fraction", "stride", "anchor"] = "pixels"
    strides: tuple[Side, ...] = ()
    grids: tuple[AnchorGrid, ...] = ()
    divisors: tuple[Positive, Positive, Positive, Positive] = (1.0, 1.0, 1.0, 1.0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.coding == "distances" and bool(self.strides) == bool(self.grids):
            raise ValueError("the coding 'distances' needs strides or grids, one of them")
        if self.coding != "distances" and self.strides:
            raise ValueError("strides are for the coding 'distances'")
        if self.coding == "anchor_deltas" and not self.grids:
            raise ValueError("the coding 'anchor_deltas' needs grids")
        if self.coding in ("corners", "center_size") and self.grids:
            raise ValueError("grids are for the codings 'distances' and 'anchor_deltas'")
        if self.unit == "stride" and not self.strides:
            raise ValueError("the unit 'stride' is for the coding 'distances' with strides")
        if self.unit == "anchor" and (self.coding != "distances" or not self.grids):
            raise ValueError("the unit 'anchor' is for the coding 'distances' with grids")
        if self.coding == "anchor_deltas" and self.unit != "pixels":
            raise ValueError("the coding 'anchor_deltas' counts in anchors and has no other unit")
        if self.coding != "anchor_deltas" and set(self.divisors) != {1.0}:
            raise ValueError("divisors are for the coding 'anchor_deltas'")
        positions = sum(grid.columns * grid.rows * len(grid.anchors) for grid in self.grids)
        if positions > MOST_POSITIONS:
            raise ValueError(f"the grids have {positions} positions, more than {MOST_POSITIONS}")
        return self


class Detection(Strict):
    """How raw heads become boxes: coding, thresholds, suppression, and how objectness goes into a score."""

    boxes: BoxCoding
    background: Position | None = None
    score_threshold: Fraction = 0.4
    iou_threshold: Fraction = 0.5
    max_detections: Count = 100
    suppression: Literal["class_wise", "none"] = "class_wise"
    objectness: Literal["product", "geometric_mean"] = "product"


class ModelSpec(Document):
    """One model: name, task, input, outputs, labels. Written as `model.json`."""

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    task: Task
    input: Input
    outputs: Outputs
    detection: Detection | None = None
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    top_k: Count = 5

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles of this model in their fixed order: logits, boxes, objectness."""
        order: tuple[Role, ...] = ("logits", "boxes", "objectness")
        return tuple(role for role in order if role in self.outputs.roles)

    @property
    def class_count(self) -> int:
        """Channels of the logits: one per label, and one more where there is a background class."""
        background = self.detection is not None and self.detection.background is not None
        return len(self.labels) + background

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problem := label_problem(self.labels):
            raise ValueError(problem)
        TASKS[self.task].check_spec(self)
        return self


def parse_spec(text: str | bytes, source: str) -> ModelSpec:
    """Read a spec from JSON (errors as in `documents.parse_document`)."""
    return parse_document(ModelSpec, text, source)


def read_spec(path: Path) -> ModelSpec:
    """Read `model.json` (errors as in `documents.read_document`)."""
    return read_document(ModelSpec, path)
