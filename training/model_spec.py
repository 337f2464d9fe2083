"""The name and the input of a trained model, as its run folder's `model.json` says them."""

import re

from samesight.contract.spec import Crop, Input, Letterbox, Stretch
from samesight.training.config import ResolvedConfig


def model_name(source: str) -> str:
    """A model's name from its data: `digits`, or the last folder or file of a path."""
    _, _, path = source.partition(":")
    stem = (path or source).rstrip("/").rsplit("/", 1)[-1].removesuffix(".json").lower()
    return re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:64] or "model"


def make_input(resolved: ResolvedConfig, mean: tuple[float, ...], std: tuple[float, ...]) -> Input:
    """How images become this network's input: RGB, bilinear, framed as the config says."""
    width, height = resolved.width, resolved.height
    framings: dict[str, Stretch | Crop | Letterbox] = {
        "stretch": Stretch(),
        "crop": Crop(resize_shorter=max(width, height)),
        "letterbox": Letterbox(),
    }
    framing = framings[resolved.framing]
    return Input(width=width, height=height, framing=framing, mean=mean, std=std)
