"""Training a detector: focal and GIoU loss, COCO's mean average precision."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.detection import MeanAveragePrecision
from torchvision import tv_tensors
from torchvision.transforms import v2

from samesight.contract.answers import answers
from samesight.contract.framing import Frame
from samesight.contract.spec import BoxCoding, Detection, Input, ModelSpec, Outputs, Role, Slice
from samesight.conversion.tasks import TASKS
from samesight.datasets.example import Truth
from samesight.training.dataset import Framed, FramedImages
from samesight.training.lightning_module import MONITOR, PARTS, Optimiser, TrainingModule
from samesight.training.models.losses import detection_loss
from samesight.training.models.network import MEAN, STD, Network
from samesight.training.tasks.interface import TaskTraining

# Grey of the letterbox's border, for what a shifted image leaves bare.
BORDER = 114
MOVED = v2.InterpolationMode.BILINEAR
MAP_NAMES = {"map": "map", "map50": "map_50", "map75": "map_75"}


class DetectionModule(TrainingModule):
    """Focal and GIoU loss; COCO's mean average precision of the contract's boxes in pixels of the original image."""

    FUSED = True

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        optimiser: Optimiser,
        seed: int,
        stride: int,
        images: dict[str, FramedImages],
        channels_last: bool = True,
    ) -> None:
        super().__init__(network, spec, optimiser, seed, channels_last)
        self.stride = stride
        self.images = images
        self.ranking_spec = TASKS[spec.task].ranking_spec(spec)
        self.precisions = {part: MeanAveragePrecision(backend="faster_coco_eval") for part in PARTS}
        self.metrics = nn.ModuleDict(self.precisions)

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        """Focal and GIoU loss of one batch."""
        images, boxes, labels, _indices = batch
        logits, distances = self(images)
        size = (self.spec.input.height, self.spec.input.width)
        scores, overlap = detection_loss(logits, distances, boxes, labels, size, self.stride, self.class_weights)
        loss = scores + overlap
        values = {"train/loss": loss, "train/scores": scores, "train/boxes": overlap}
        self.log_dict(values, batch_size=len(images), on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        """Collects boxes of the validation images."""
        self._evaluate("validation", batch)

    def test_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        """Collects boxes of the test images."""
        self._evaluate("test", batch)

    def _evaluate(self, part: str, batch: tuple[Tensor, ...]) -> None:
        images, indices = batch[0], batch[-1]
        logits, boxes = (output.float().cpu().numpy() for output in self(images))
        found, wanted = [], []
        for row, index in enumerate(indices.tolist()):
            truth, geometry = self.images[part].truth(index)
            outputs: dict[Role, NDArray[np.float32]] = {"logits": logits[row : row + 1], "boxes": boxes[row : row + 1]}
            shown = answers(outputs, self.ranking_spec, geometry)
            found.append(
                {
                    "boxes": torch.tensor([answer.box for answer in shown]).reshape(-1, 4),
                    "scores": torch.tensor([answer.score for answer in shown]),
                    "labels": torch.tensor([answer.index for answer in shown], dtype=torch.int64),
                }
            )
            wanted.append(wanted_boxes(truth))
        self.precisions[part].update(found, wanted)

    def on_validation_epoch_end(self) -> None:
        """Logs `validation/map50` and so on; the best checkpoint has the best mean of mAP50 and mAP."""
        values = self._finish("validation")
        self.log(MONITOR, (values["map50"] + values["map"]) / 2, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """Logs `test/map50` and so on."""
        self._finish("test")

    def _finish(self, part: str) -> dict[str, Tensor]:
        result = self.precisions[part].compute()
        self.precisions[part].reset()
        # faster-coco-eval says -1 where there is nothing to find.
        values = {short: result[long].clamp(min=0) for short, long in MAP_NAMES.items()}
        self.log_dict({f"{part}/{name}": value for name, value in values.items()}, sync_dist=True)
        return values


def wanted_boxes(truth: Truth) -> dict[str, Tensor]:
    """The boxes to be found, as torchmetrics takes them; what is found in a crowd's region is not counted."""
    no_boxes, no_labels = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    boxes, labels = truth.boxes, truth.labels
    crowds, crowd_labels = truth.crowd_boxes, truth.crowd_labels
    kinds = [no_labels if some is None else some for some in (labels, crowd_labels)]
    return {
        "boxes": torch.from_numpy(np.concatenate([no_boxes if some is None else some for some in (boxes, crowds)])),
        "labels": torch.from_numpy(np.concatenate(kinds)),
        "iscrowd": torch.from_numpy(np.repeat([0, 1], [len(kind) for kind in kinds])),
    }


def frame_boxes(boxes: NDArray[np.float32], frame: Frame) -> NDArray[np.float32]:
    """Boxes [K, 4] in pixels of the upright image as boxes in input pixels, clipped to the input."""
    scale = np.array([frame.scaled_width / frame.source_width, frame.scaled_height / frame.source_height] * 2)
    moved = boxes * scale + np.array([frame.left, frame.top] * 2)
    return np.clip(moved, 0, np.array([frame.width, frame.height] * 2)).astype(np.float32)


def item(framed: Framed, spec: Input, change: Callable[..., Any] | None) -> tuple[Tensor, Tensor, Tensor]:
    """Image uint8 [C, H, W], boxes [K, 4] in input pixels, labels [K]."""
    true_boxes = framed.truth.boxes if framed.truth.boxes is not None else np.zeros((0, 4), np.float32)
    boxes = frame_boxes(true_boxes, framed.geometry.frame)
    labels = np.zeros(0, np.int64) if framed.truth.labels is None else framed.truth.labels
    # A crop may leave nothing of a box.
    whole = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
    target = {
        "boxes": tv_tensors.BoundingBoxes(
            torch.from_numpy(boxes[whole]), format="XYXY", canvas_size=(spec.height, spec.width)
        ),
        "labels": torch.from_numpy(labels[whole]),
    }
    image = framed.image
    if change is not None:
        image, target = change(tv_tensors.Image(image), target)
    return image.as_subclass(Tensor), target["boxes"].as_subclass(Tensor), target["labels"]


def collate_boxes(items: list[tuple[Tensor, Tensor, Tensor, int]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images uint8 [B, C, H, W], boxes [B, K, 4] and labels [B, K] padded with label -1, indices [B]."""
    images, boxes, labels, indices = zip(*items, strict=True)
    most = max(1, *(len(some) for some in labels))
    padded = torch.zeros(len(items), most, 4)
    names = torch.full((len(items), most), -1, dtype=torch.int64)
    for row, (some, kinds) in enumerate(zip(boxes, labels, strict=True)):
        padded[row, : len(some)] = some
        names[row, : len(kinds)] = kinds
    return torch.stack(images), padded, names, torch.tensor(indices)


# Nothing turns: the boxes would no longer be tight.
def glyph_changes(width: int, height: int) -> list[v2.Transform]:
    """For writing."""
    return [
        v2.RandomChannelPermutation(),
        v2.RandomInvert(0.5),
        # A shift by whole pixels, as of an affine change without turns, in a quarter of its time.
        v2.RandomCrop([height, width], padding=[width // 10, height // 10], fill=BORDER),
        v2.SanitizeBoundingBoxes(min_size=4),
    ]


def photo_changes(width: int, height: int) -> list[v2.Transform]:
    """For things seen by a camera."""
    return [
        v2.RandomHorizontalFlip(),
        v2.RandomPhotometricDistort(),
        v2.RandomAffine(0, (0.1, 0.1), (0.7, 1.3), interpolation=MOVED, fill=BORDER),
        v2.ClampBoundingBoxes(),
        v2.SanitizeBoundingBoxes(min_size=2),
    ]


def make_spec(name: str, given: Input, labels: tuple[str, ...], stride: int | None) -> ModelSpec:
    """Logits [1, N, C] with sigmoid, distances [1, N, 4] in cells of `stride` pixels."""
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


def grid_stride(spec: ModelSpec) -> int | None:
    """The stride of the first grid."""
    return spec.detection.boxes.strides[0] if spec.detection else None


def _default_network(classes: int, dropout: float) -> Network:
    from samesight.training.models.detector import STRIDE, Detector

    return Network(Detector(classes, dropout), MEAN, STD, STRIDE, ("neck", "heads"), ("heads.scores",))


def _silu_network(classes: int, dropout: float) -> Network:
    from samesight.training.models.network import average_faster
    from samesight.training.models.silu_detector import STRIDE, SiluDetector

    detector = SiluDetector(classes, dropout)
    average_faster(detector)
    return Network(detector, MEAN, STD, STRIDE, ("join", "sides", "tower", "scores"), ("scores",))


def _timm_network(name: str, classes: int, dropout: float, pretrained: bool, side: int) -> Network:
    from samesight.training.models.timm_backbone import build_detector

    return build_detector(name, classes, dropout, pretrained, side)


def _module(
    network: Network,
    spec: ModelSpec,
    optimiser: Optimiser,
    seed: int,
    images: dict[str, FramedImages],
    channels_last: bool,
) -> DetectionModule:
    assert network.stride is not None
    return DetectionModule(network.module, spec, optimiser, seed, network.stride, images, channels_last)


DETECTION = TaskTraining(
    augmentations={"glyphs": glyph_changes, "photos": photo_changes},
    own_networks={"default": _default_network, "silu": _silu_network},
    library_networks={"timm": _timm_network},
    module=_module,
    item=item,
    collate=collate_boxes,
    spec=make_spec,
    stride=grid_stride,
)
