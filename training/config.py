"""Everything that decides a training: one validated, frozen description, saved with each run."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from samesight.contract.errors import UsageError
from samesight.contract.tasks import Task
from samesight.training.tasks.defaults import DEFAULTS, Framing

Augmentation = Literal["none", "glyphs", "photos"]
Schedule = Literal["cosine", "onecycle", "constant"]
Side = Annotated[int, Field(ge=16, le=4096)]

# Fields that the command line calls otherwise.
OPTIONS = {
    "learning_rate": "--lr",
    "width": "--size",
    "height": "--size",
    "data": "DATA",
    "backbone_rate": "--backbone-lr",
    "start_from": "--from",
}
OWN_MODELS = ("default", "silu")
"""What --model may be without a colon."""
# What may stand before the colon of --model.
MODEL_LIBRARIES = ("timm", "torchvision")
SMALL_SCANS = ("digits", "scenes", "mnist", "fashion-mnist")


class TrainingConfig(BaseModel):
    """What to train, on what, and how. Fields left at None are chosen by the data (see `resolve`).

    data: `digits`, `scenes`, `folder:PATH`, `coco:IMAGES,ANNOTATIONS.json`, `mnist`, `fashion-mnist` or `cifar10`.
    task: what the data is used for; None takes what the data is made for.
    out: the run folder to write; it must not exist.
    model: `default`, `silu` (a detector in the manner of YOLOv8), or `timm:NAME` or `torchvision:NAME` for a backbone
    of that library.
    pretrained: start such a backbone from its published weights.
    width, height: of the network's input in pixels; multiples of 32 for detection.
    framing: how an image of another shape is fitted in.
    epochs: most passes over the training images; patience: epochs without a better validation metric before stopping
    (0 never stops early).
    limit: most training images, spread evenly (validation and test keep their size); None for all.
    class_weights: rare classes count as much as frequent ones in the loss.
    skip_damaged: images that cannot be read are left out; otherwise they are named and nothing is trained.
    loaders: processes that prepare images; None for what suits the data and machine.
    threads: CPU threads of torch; None: one for the default nets, torch's own choice for others.
    precision, accelerator, devices, num_nodes, strategy: as Lightning's Trainer takes them.
    tuned_from: the run that quantization-aware training starts from.
    start_from: the run whose weights training starts from; its model is taken, with a new head for other labels.
    freeze: epochs at the beginning in which the head alone learns.
    backbone_rate: the backbone's learning rate as a share of the head's; None for `STARTED_RATE` where the backbone
    starts from weights, else 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    data: str = "digits"
    task: Task | None = None
    out: Path | None = None
    model: str = "default"
    pretrained: bool = False
    width: Side | None = None
    height: Side | None = None
    framing: Framing | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    epochs: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    schedule: Schedule = "onecycle"
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    augmentation: Augmentation | None = None
    patience: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    class_weights: bool = False
    skip_damaged: bool = False
    calibration: Annotated[int, Field(ge=8, le=2000)] = 100
    loaders: Annotated[int, Field(ge=0)] | None = None
    threads: Annotated[int, Field(ge=1)] | None = None
    accelerator: str = "auto"
    devices: str = "auto"
    num_nodes: Annotated[int, Field(ge=1)] = 1
    strategy: str = "auto"
    tuned_from: Path | None = None
    start_from: Path | None = None
    freeze: Annotated[int, Field(ge=0)] = 0
    backbone_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    precision: str = "32-true"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height go together")
        kind, _, name = self.model.partition(":")
        if self.model not in OWN_MODELS and (kind not in MODEL_LIBRARIES or not name):
            raise ValueError(
                f"--model {self.model} is unknown; choose default, silu, or a backbone: timm:NAME or torchvision:NAME"
            )
        if self.pretrained and self.model in OWN_MODELS:
            raise ValueError(
                "--pretrained is for backbones of timm and torchvision; add --model timm:NAME or torchvision:NAME"
            )
        if not self.starts_from_weights:
            if self.freeze:
                raise ValueError(
                    "--freeze keeps a backbone's weights; give some to start from by --pretrained or --from"
                )
            if self.backbone_rate is not None:
                raise ValueError("--backbone-lr is for a backbone with weights; add --pretrained or --from")
        return self

    @property
    def starts_from_weights(self) -> bool:
        """Whether the backbone has learned before."""
        return self.pretrained or self.start_from is not None


def make_config(**options: object) -> TrainingConfig:
    """A config from options as the command line has them.

    Raises:
        UsageError: an option is out of its range or contradicts another.
    """
    try:
        return TrainingConfig.model_validate(options)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = str(problem["loc"][0]) if problem["loc"] else ""
        option = f"{OPTIONS.get(field, '--' + field.replace('_', '-'))}: " if field else ""
        what = str(problem["msg"]).removeprefix("Value error, ")
        raise UsageError(f"{option}{what}; see samesight train --help") from None


class ResolvedConfig(BaseModel):
    """The choices that `resolve` made: nothing is None any more."""

    model_config = ConfigDict(frozen=True)

    task: Task
    width: int
    height: int
    framing: Framing
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    augmentation: Augmentation
    patience: int
    backbone_rate: float


BACKBONE_LEARNING_RATE = 5e-4
# A backbone that has learned before moves a tenth as fast as its fresh head.
STARTED_RATE = 0.1


def resolve(config: TrainingConfig, task: Task, side: int) -> ResolvedConfig:
    """Fill in what the config leaves open.

    Args:
        config: what the person asked for.
        task: of the opened data.
        side: the input side that suits the data.

    Raises:
        UsageError: the sides are no multiples of what the task asks for.
    """
    defaults = DEFAULTS[task]
    width, height = config.width or side, config.height or side
    multiple = defaults.side_multiple
    if width % multiple or height % multiple:
        raise UsageError(
            f"--size {width}x{height}: for {task} the input's sides are multiples of {multiple}; choose such a size"
        )
    rate = defaults.learning_rate if config.model in OWN_MODELS else BACKBONE_LEARNING_RATE
    glyphs = config.data in SMALL_SCANS
    return ResolvedConfig(
        task=task,
        width=width,
        height=height,
        framing=config.framing or defaults.framing,
        epochs=config.epochs or defaults.epochs,
        batch_size=config.batch_size or defaults.batch_size,
        learning_rate=config.learning_rate or rate,
        weight_decay=defaults.weight_decay if config.weight_decay is None else config.weight_decay,
        dropout=defaults.dropout if config.dropout is None else config.dropout,
        augmentation=config.augmentation or ("glyphs" if glyphs else "photos"),
        patience=defaults.patience if config.patience is None else config.patience,
        backbone_rate=config.backbone_rate or (STARTED_RATE if config.starts_from_weights else 1.0),
    )
