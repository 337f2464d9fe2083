"""A spec proposed for a network by what it gave once: task, roles, activation, boxes; and what nobody can see there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from samesight.contract.documents import first_problem
from samesight.contract.errors import SamesightError
from samesight.contract.spec import BoxCoding, Detection, Input, ModelSpec, Outputs, Role, Slice
from samesight.conversion.sources.box_guess import guess_boxes
from samesight.conversion.sources.labels import numbered_labels

Arrays = Mapping[str, NDArray[np.float32]]
Sure = Literal["certain", "likely", "guess", "unknown"]
BOX_NAMES = re.compile(r"box|reg|loc|coord", re.IGNORECASE)
DFL_BINS = 16
BOX = 4
# Detections after suppression: x1, y1, x2, y2, score, class.
SUPPRESSED = 6
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Remark:
    """How sure one field of a proposed spec is, and why."""

    field: str
    sure: Sure
    why: str


@dataclass(frozen=True)
class Proposal:
    """A spec, and a remark about every field that did not come from the person who asked."""

    spec: ModelSpec
    remarks: tuple[Remark, ...]


@dataclass(frozen=True)
class Part:
    """Channels of one output: its array as [runs, N, channels], and where that is in the original network's output."""

    values: NDArray[np.float32]
    slice: Slice


def propose(title: str, name: str, outputs: Arrays, spec: Input, labels: Sequence[str] | None) -> Proposal:
    """The spec of a network by its outputs.

    Args:
        title: begins every error message.
        name: of the model.
        outputs: by name, in order, each [runs, ...], the second side being the batch of 1.
        spec: the input that they were made with.
        labels: None to number them.

    Raises:
        SamesightError: the outputs are none of a classifier or of a detector with raw boxes.
    """
    arrays = {output: values.squeeze(1) for output, values in outputs.items()}
    flat = [output for output, values in arrays.items() if values.ndim == 2]
    try:
        if flat and not any(values.ndim == 3 for values in arrays.values()):
            return _classifier(title, name, arrays, flat[0], spec, labels)
        return _detector(title, name, arrays, spec, labels)
    except ValidationError as error:
        raise SamesightError(f"{title}: no spec fits its outputs ({first_problem(error)})") from None


def _classifier(
    title: str, name: str, arrays: Arrays, output: str, spec: Input, labels: Sequence[str] | None
) -> Proposal:
    values = arrays[output]
    if labels and len(labels) != values.shape[-1]:
        raise _other_labels(title, output, values.shape[-1], labels)
    activation, why = _activation(values, "softmax")
    if activation == "none" and not np.allclose(values.sum(axis=-1), 1, atol=SUM_TOLERANCE):
        why += ", though they do not sum to 1"
    remarks = [
        Remark("task", "certain", f"{output} is [1, {values.shape[-1]}]"),
        Remark("outputs.activation", "likely", f"{why}; sigmoid where an image may have several classes"),
    ]
    classes = tuple(labels) if labels else numbered_labels(values.shape[-1])
    proposed = ModelSpec(
        name=name,
        task="classification",
        input=spec,
        outputs=Outputs(tensors=tuple(arrays), roles={"logits": Slice(tensor=output)}, activation=activation),
        labels=classes,
    )
    return Proposal(proposed, (*remarks, *_label_remarks(labels, values.shape[-1])))


def _activation(
    values: NDArray[np.float32], usual: "Literal['softmax', 'sigmoid']"
) -> "tuple[Literal['none', 'softmax', 'sigmoid'], str]":
    if values.min() >= 0 and values.max() <= 1:
        return "none", "all values are in 0..1, so they are scores already"
    return usual, f"values are in {values.min():.3g}..{values.max():.3g}, so they are logits"


def _other_labels(title: str, output: str, classes: int, labels: Sequence[str]) -> SamesightError:
    return SamesightError(
        f"{title}: {output} has {classes} classes, but there are {len(labels)} labels; correct --labels"
    )


def _label_remarks(labels: Sequence[str] | None, count: int) -> list[Remark]:
    if labels:
        return []
    return [Remark("labels", "unknown", f"{count} classes, numbered; give --labels FILE with one name a line")]


def _detector(title: str, name: str, arrays: Arrays, spec: Input, labels: Sequence[str] | None) -> Proposal:
    remarks: list[Remark] = []
    parts = _mixed(title, arrays, labels, remarks) if len(_planes(arrays)) == 1 else _separate(title, arrays)
    logits, boxes = parts["logits"].values, parts["boxes"].values
    scored = np.concatenate([parts[role].values.ravel() for role in parts if role != "boxes"])
    activation, why = _activation(scored, "sigmoid")
    if labels and logits.shape[-1] - len(labels) not in (0, 1):
        raise _other_labels(title, parts["logits"].slice.tensor, logits.shape[-1], labels)
    background: int | None = None
    if labels and logits.shape[-1] == len(labels) + 1:
        # SSD and its kind count the background first, DETR and its kind last.
        background = 0 if _is_large(logits) else len(labels)
        activation = "softmax" if activation == "sigmoid" else activation
        remarks.append(Remark("detection.background", "guess", f"there is a channel more than labels: {background}"))
    remarks.append(Remark("outputs.activation", "likely" if activation == "none" else "guess", why))
    guess = guess_boxes(boxes, spec)
    if guess is None:
        coding = BoxCoding(coding="corners")
        why = "the numbers are none of corners, middle and size, or distances; anchors would need their grids"
        remarks.append(Remark("detection.boxes", "unknown", why))
    else:
        coding = guess.coding
        kind = f"{coding.coding} in {coding.unit}" + (f" from strides {list(coding.strides)}" if coding.strides else "")
        remarks.append(
            Remark("detection.boxes", "likely" if guess.sure == "likely" else "guess", f"{kind}: {guess.why}")
        )
    count = logits.shape[-1] - (background is not None)
    proposed = ModelSpec(
        name=name,
        task="detection",
        input=spec,
        outputs=Outputs(
            tensors=tuple(arrays), roles={role: part.slice for role, part in parts.items()}, activation=activation
        ),
        detection=Detection(boxes=coding, background=background),
        labels=tuple(labels) if labels else numbered_labels(count),
    )
    head = Remark("task", "certain", f"the outputs have boxes at {logits.shape[-2]} positions")
    return Proposal(proposed, (head, *remarks, *_label_remarks(labels, count)))


def _is_large(logits: NDArray[np.float32]) -> bool:
    """Whether there are more positions than queries of a transformer."""
    return logits.shape[-2] > 1000


def _planes(arrays: Arrays) -> dict[str, NDArray[np.float32]]:
    return {output: values for output, values in arrays.items() if values.ndim == 3}


def _rows(values: NDArray[np.float32], channels: tuple[int, ...] = ()) -> tuple[NDArray[np.float32], Literal[1, 2]]:
    """An output as [runs, N, channels], and the axis that counted them: the shorter one, or that of `channels`."""
    first, second = values.shape[1:]
    last_is_channels = second in channels if (second in channels) != (first in channels) else second <= first
    return (values, 2) if last_is_channels else (values.transpose(0, 2, 1), 1)


def _mixed(title: str, arrays: Arrays, labels: Sequence[str] | None, remarks: list[Remark]) -> dict[Role, Part]:
    """One output of boxes and classes: [1, 4 + C, N] of the YOLO family, or [1, N, 5 + C] with objectness."""
    ((output, values),) = _planes(arrays).items()
    known = (BOX + len(labels), BOX + 1 + len(labels)) if labels else ()
    rows, axis = _rows(values, known)
    width = rows.shape[-1]
    if width == SUPPRESSED and axis == 2 and not (labels and len(labels) in (1, 2)):
        raise SamesightError(
            f"{title}: {output} is [1, {rows.shape[1]}, 6], as boxes look after suppression; export the network "
            "without it (its raw boxes and scores), for phones suppress by the contract"
        )
    if labels and width not in known:
        if width == BOX * DFL_BINS + len(labels):
            raise SamesightError(
                f"{title}: {output} has {width} channels, {BOX} x {DFL_BINS} of them distributions of distances (DFL) "
                "that are not decoded; export the network with its boxes decoded"
            )
        raise SamesightError(
            f"{title}: {output} has {width} channels, which are neither 4 nor 5 more than {len(labels)} labels; "
            "correct --labels"
        )
    if width < BOX + 1:
        raise SamesightError(f"{title}: {output} has {width} channels, too few for boxes and classes; give both")
    has_objectness = width == BOX + 1 + len(labels) if labels else axis == 2 and width > BOX + 1
    if not labels:
        why = "channels last, as YOLOv5's" if has_objectness else "channels first, as YOLOv8's"
        remarks.append(
            Remark("outputs.roles.objectness", "guess", f"{'there is' if has_objectness else 'none'}: {why}")
        )
        if width == BOX * DFL_BINS + 80:
            why = f"{width} = 4 x 16 + 80: perhaps distributions of distances (DFL) that are not decoded"
            remarks.append(Remark("detection.boxes", "unknown", why))
    start = BOX + has_objectness
    parts: dict[Role, Part] = {
        "logits": Part(rows[..., start:], Slice(tensor=output, channel_axis=axis, start=start)),
        "boxes": Part(rows[..., :BOX], Slice(tensor=output, channel_axis=axis, stop=BOX)),
    }
    if has_objectness:
        parts["objectness"] = Part(rows[..., BOX:start], Slice(tensor=output, channel_axis=axis, start=BOX, stop=start))
    return parts


def _separate(title: str, arrays: Arrays) -> dict[Role, Part]:
    """An output per role, told apart by their channels, and two with four channels by their names."""
    planes = _planes(arrays)
    shapes = ", ".join(f"{output} {[1, *values.shape[1:]]}" for output, values in arrays.items())
    positions = [max(values.shape[1:]) for values in planes.values()]
    boxes = [output for output, values in planes.items() if BOX in values.shape[1:]]
    if len(boxes) > 1:
        boxes = [output for output in boxes if BOX_NAMES.search(output)] or boxes
    if len(boxes) != 1 or len(set(positions)) != 1 or len(planes) not in (2, 3):
        raise SamesightError(
            f"{title}: its outputs are {shapes}, which are neither [1, classes] nor boxes [1, N, 4] beside scores "
            "[1, N, classes]; join outputs of several scales in the network, or write the spec by hand "
            "(docs/contract.md)"
        )
    parts: dict[Role, Part] = {}
    for output, values in planes.items():
        rows, axis = _rows(values, (BOX,) if output == boxes[0] else ())
        role: Role = (
            "boxes" if output == boxes[0] else "objectness" if rows.shape[-1] == 1 and len(planes) == 3 else "logits"
        )
        if role in parts:
            raise SamesightError(f"{title}: its outputs are {shapes}, and two may be scores; write the spec by hand")
        parts[role] = Part(rows, Slice(tensor=output, channel_axis=axis))
    if "logits" not in parts:
        raise SamesightError(f"{title}: its outputs are {shapes}, without scores of classes; return them as well")
    return parts
