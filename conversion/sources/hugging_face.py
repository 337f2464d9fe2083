"""An image classifier in Hugging Face's form on disk: config.json, preprocessor_config.json and model.safetensors.

Nothing is downloaded, and code that such a folder may name or hold is never run. transformers is asked for only here.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.files import read_plain
from samesight.contract.limits import DOCUMENT_BYTES
from samesight.contract.spec import Crop, Framing, Input, ModelSpec, Outputs, Slice, Stretch, StretchCrop
from samesight.conversion.sources.labels import distinct_labels
from samesight.conversion.sources.library import Wishes, spec_name

if TYPE_CHECKING:
    from torch.nn import Module

CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "*.safetensors"
CLASSIFIER = "ForImageClassification"
# transformers does not write these two, which are its own default.
UNSAVED_LABELS = ("LABEL_0", "LABEL_1")
# Numbers of Pillow's filters that a spec has.
FILTERS = {2: "bilinear", 3: "bicubic"}
# ConvNext's processor crops below this size and stretches from it on.
CONVNEXT_STRETCHES = 384


def is_model_folder(path: Path) -> bool:
    """Whether it has a config and weights in safetensors."""
    return path.is_dir() and (path / CONFIG).is_file() and any(path.glob(WEIGHTS))


def propose(folder: Path, wishes: Wishes) -> ModelSpec:
    """The spec of a folder: its image processor's steps, and the labels of its config.

    Raises:
        SamesightError: a file is missing or damaged, or a step of the processor is none of a spec's.
    """
    config, processor = _document(folder / CONFIG), _document(folder / PREPROCESSOR)
    try:
        labels = wishes.labels or _labels(config)
    except (TypeError, ValueError, AttributeError):
        raise SamesightError(f"{folder / CONFIG}: its id2label names no classes; give --labels or --spec") from None
    if not labels:
        raise SamesightError(f"{folder / CONFIG}: is of no image classifier; give the folder of one")
    try:
        input_spec = _input(processor, wishes)
    except (KeyError, TypeError, ValueError) as error:
        raise SamesightError(
            f"{folder / PREPROCESSOR}: asks for what a spec does not have ({first_line(error)}); give --spec"
        ) from None
    return ModelSpec(
        name=spec_name(folder.resolve().name),
        task="classification",
        input=input_spec,
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple(labels),
    )


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    if names := config.get("id2label"):
        return distinct_labels([str(names[key]) for key in sorted(names, key=int)])
    is_classifier = any(str(name).endswith(CLASSIFIER) for name in config.get("architectures") or ())
    return UNSAVED_LABELS if is_classifier else ()


def build(folder: Path) -> "Module":
    """The network of a folder, which gives logits [B, classes].

    Raises:
        SamesightError: transformers is not installed, or does not read the folder without running code of it.
    """
    try:
        from transformers import AutoModelForImageClassification
    except ImportError:
        raise SamesightError(
            f"{folder}: a model in Hugging Face's form needs transformers; `pip install transformers`"
        ) from None
    from torch import nn

    class Logits(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Any) -> Any:
            return self.network(pixel_values=x, return_dict=True).logits

    try:
        network, report = AutoModelForImageClassification.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            attn_implementation="sdpa",
        )
    except Exception as error:  # transformers raises anything from OSError to KeyError
        raise SamesightError(
            f"{folder}: transformers does not read it as an image classifier ({first_line(error)})"
        ) from None
    if missing := sorted(report["missing_keys"]):
        raise SamesightError(
            f"{folder}: its weights lack {', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}; they would be "
            "random, so give the folder of a model that was trained to classify"
        )
    return Logits(network.float())


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_plain(path, DOCUMENT_BYTES))
    except OSError as error:
        raise SamesightError(
            f"{path}: cannot be read ({error.strerror or error}); save the image processor beside the model"
        ) from None
    except (ValueError, RecursionError) as error:
        raise SamesightError(f"{path}: not a JSON document ({error}); save the model again") from None
    if not isinstance(document, dict):
        raise SamesightError(f"{path}: holds no object; save the model again")
    return document


def _input(processor: Mapping[str, Any], wishes: Wishes) -> Input:
    """The input of an image processor's settings; KeyError, TypeError or ValueError for what a spec does not have."""
    if wishes.size is not None:
        raise ValueError("another size than its own")
    size = processor["size"]
    size = {"height": size, "width": size} if isinstance(size, int) else dict(size)
    width, height, framing = _framing(processor, size)
    resample = processor.get("resample", 2)
    if resample not in FILTERS:
        raise ValueError(f"resample {resample}")
    scale = processor.get("rescale_factor", 1 / 255) if processor.get("do_rescale", True) else 1.0
    high = 255 * float(scale)
    low = 0.0
    if processor.get("rescale_offset"):
        low, high = -1.0, high - 1.0
    normalised = processor.get("do_normalize", True)
    return Input(
        width=width,
        height=height,
        channels="bgr" if processor.get("do_flip_channel_order") else "rgb",
        framing=framing,
        filter="bicubic" if FILTERS[resample] == "bicubic" else "bilinear",
        # 255 / 255 is meant: 255 * 0.00392156862745098 is 0.9999999999999999.
        value_range=(low, round(high, 9)),
        mean=tuple(processor["image_mean"]) if normalised else (0.0,) * 3,
        std=tuple(processor["image_std"]) if normalised else (1.0,) * 3,
    )


def _framing(processor: Mapping[str, Any], size: Mapping[str, int]) -> tuple[int, int, Framing]:
    """Width and height of the input, and the framing."""
    if not processor.get("do_resize", True):
        raise ValueError("do_resize false")
    cropped = processor.get("do_center_crop", False)
    if cropped:
        crop = processor["crop_size"]
        width, height = (crop, crop) if isinstance(crop, int) else (crop["width"], crop["height"])
    if "shortest_edge" in size:
        shorter = size["shortest_edge"]
        if not cropped and processor.get("crop_pct"):
            # ConvNext: below 384 the image is resized to size / crop_pct and cropped to size.
            if shorter >= CONVNEXT_STRETCHES:
                return shorter, shorter, Stretch()
            return shorter, shorter, Crop(resize_shorter=int(shorter / processor["crop_pct"]))
        if not cropped:
            raise ValueError("a size that depends on the image")
        return width, height, Crop(resize_shorter=shorter)
    if not cropped:
        return size["width"], size["height"], Stretch()
    if (size["width"], size["height"]) == (width, height):
        return width, height, Stretch()
    return width, height, StretchCrop(resize_width=size["width"], resize_height=size["height"])
