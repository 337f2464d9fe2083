"""The spec of a trained model: what its run folder's `model.json` says."""

import re

from samesight.contract.spec import BoxCoding, Crop, Detection, Input, Letterbox, ModelSpec, Outputs, Slice, Stretch
from samesight.training.config import Settled


def model_name(source: str) -> str:
    """A model's name from its data: `digits`, or the last folder or file of a path."""
    _, _, path = source.partition(":")
    stem = (path or source).rstrip("/").rsplit("/", 1)[-1].removesuffix(".json").lower()
    return re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:64] or "model"


def make_input(settled: Settled, mean: tuple[float, ...], std: tuple[float, ...]) -> Input:
    """How images become this network's input: RGB, bilinear, framed as settled."""
    width, height = settled.width, settled.height
    framings: dict[str, Stretch | Crop | Letterbox] = {
        "stretch": Stretch(),
        "crop": Crop(resize_shorter=max(width, height)),
        "letterbox": Letterbox(),
    }
    framing = framings[settled.framing]
    return Input(width=width, height=height, framing=framing, mean=mean, std=std)


def make_spec(name: str, settled: Settled, given: Input, labels: tuple[str, ...], stride: int | None) -> ModelSpec:
    """The whole spec; `stride` is the grid's cell in pixels for a detector."""
    if settled.task == "classification":
        outputs = Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax")
        return ModelSpec(name=name, task="classification", input=given, outputs=outputs, labels=labels)
    outputs = Outputs(
        tensors=("logits", "boxes"),
        roles={
            "logits": Slice(tensor="logits", channel_axis=2),
            "boxes": Slice(tensor="boxes", channel_axis=2),
        },
        activation="sigmoid",
    )
    coding = BoxCoding(coding="distances", unit="stride", strides=(stride,) if stride else ())
    detection = Detection(boxes=coding)
    return ModelSpec(name=name, task="detection", input=given, outputs=outputs, detection=detection, labels=labels)
