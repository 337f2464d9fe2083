"""The architectures of the zoo: one table. Each is built by its library; a new one is a new row."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from samesight.contract.errors import UsageError
from samesight.contract.tasks import Task

Library = Literal["timm", "torchvision", "ours"]


@dataclass(frozen=True)
class Architecture:
    """One row.

    Attributes:
        name: in its library; `ours` are functions of `networks.py`.
        library: who builds it.
        year: of its publication.
        size: side of the square input in pixels: small, where the architecture allows it, for the sake of time.
        task: what it answers.
        note: what is hard about it, for those of our own.
    """

    name: str
    library: Library
    year: int
    size: int = 128
    task: Task = "classification"
    note: str = ""

    @property
    def title(self) -> str:
        """As a person names it: `timm:resnet18`."""
        return f"{self.library}:{self.name}"


CLASSIFIERS = (
    Architecture("vgg11_bn", "torchvision", 2014, 64),
    Architecture("googlenet", "torchvision", 2014),
    Architecture("resnet18", "timm", 2015),
    Architecture("squeezenet1_1", "torchvision", 2016),
    Architecture("densenet121", "torchvision", 2016),
    Architecture("dla46_c", "timm", 2017),
    Architecture("shufflenet_v2_x0_5", "torchvision", 2018),
    Architecture("mobilenetv2_050", "timm", 2018),
    Architecture("mnasnet0_5", "torchvision", 2018),
    Architecture("mobilenetv3_small_100", "timm", 2019),
    Architecture("efficientnet_b0", "timm", 2019),
    Architecture("ese_vovnet19b_slim", "timm", 2019),
    Architecture("skresnet18", "timm", 2019),
    Architecture("regnety_002", "timm", 2020),
    Architecture("ghostnet_100", "timm", 2020),
    Architecture("gernet_s", "timm", 2020),
    Architecture("tinynet_e", "timm", 2020, 106),
    Architecture("vit_tiny_patch16_224", "timm", 2020),
    Architecture("deit_tiny_patch16_224", "timm", 2020),
    Architecture("repvgg_a0", "timm", 2021),
    Architecture("swin_tiny_patch4_window7_224", "timm", 2021, 224),
    Architecture("levit_128s", "timm", 2021, 224),
    Architecture("mobilevit_xxs", "timm", 2021),
    Architecture("poolformer_s12", "timm", 2021),
    Architecture("lcnet_050", "timm", 2021),
    Architecture("mixer_s32_224", "timm", 2021, 224),
    Architecture("resmlp_12_224", "timm", 2021),
    Architecture("pvt_v2_b0", "timm", 2021),
    Architecture("convnext_atto", "timm", 2022),
    Architecture("edgenext_xx_small", "timm", 2022),
    Architecture("efficientformer_l1", "timm", 2022, 224),
    Architecture("mobileone_s0", "timm", 2022),
    Architecture("fastvit_t8", "timm", 2023),
    Architecture("repvit_m0_9", "timm", 2023),
    Architecture("efficientvit_b0", "timm", 2023),
    Architecture("convnextv2_atto", "timm", 2023),
    Architecture("hgnetv2_b0", "timm", 2023),
    Architecture("swiftformer_xs", "timm", 2023, 224),
    Architecture("mobilenetv4_conv_small", "timm", 2024),
    Architecture("starnet_s050", "timm", 2024),
    Architecture("shvit_s1", "timm", 2024),
    Architecture("ghostnetv3_100", "timm", 2024),
)
DETECTORS = (
    Architecture("yolo_v5", "ours", 2020, 96, "detection", "objectness and classes mixed in one output"),
    Architecture("yolox", "ours", 2021, 96, "detection", "decoupled heads, SiLU, exponential sizes outside"),
    Architecture("yolo_v8", "ours", 2023, 96, "detection", "boxes as distributions, decoded in the graph, one output"),
    Architecture("fcos", "ours", 2019, 96, "detection", "one head with GroupNorm shared by three levels"),
    Architecture("mobilenetv4_fpn", "ours", 2024, 96, "detection", "a timm backbone under a feature pyramid"),
    Architecture("efficientnet_bifpn", "ours", 2020, 96, "detection", "weighted features, depthwise separable heads"),
    Architecture("ssdlite320_mobilenet_v3_large", "torchvision", 2019, 160, "detection", "anchors, background first"),
    Architecture("retinanet_resnet50_fpn", "torchvision", 2017, 128, "detection", "anchors, heads shared by levels"),
    Architecture("retinanet_resnet50_fpn_v2", "torchvision", 2021, 128, "detection", "anchors, GroupNorm in heads"),
    Architecture("fcos_resnet50_fpn", "torchvision", 2019, 128, "detection", "distances, centreness, GroupNorm"),
)
AWKWARD = (
    Architecture("shared_prelu", "ours", 2015, 64, note="one convolution used twice, PReLU after a linear layer"),
    Architecture("wide_range", "ours", 2016, 64, note="channels a thousand times apart, and equal biases"),
    Architecture("five_axes", "ours", 2017, 64, note="tensors of rank 5 and 6 between attention and shuffle"),
    Architecture("odd_sizes", "ours", 2018, 75, note="odd sides, ceil-mode pools, nearest upsampling to a fixed size"),
)
ARCHITECTURES: dict[str, Architecture] = {row.title: row for row in (*CLASSIFIERS, *DETECTORS, *AWKWARD)}
GROUPS = {"classifiers": CLASSIFIERS, "detectors": DETECTORS, "awkward": AWKWARD}
SAMPLE = (
    "timm:resnet18",
    "timm:lcnet_050",
    "timm:mobilenetv4_conv_small",
    "timm:vit_tiny_patch16_224",
    "torchvision:shufflenet_v2_x0_5",
    "ours:yolo_v8",
    "ours:shared_prelu",
    "ours:odd_sizes",
)
"""Eight of all kinds that run in minutes: what is tested with every change."""


def choose(names: Sequence[str]) -> tuple[Architecture, ...]:
    """The rows that names (with or without their library), groups or `sample` stand for; all without any.

    Raises:
        UsageError: an unknown name; the sentence has the nearest ones.
    """
    if not names:
        return tuple(ARCHITECTURES.values())
    chosen: dict[str, Architecture] = {}
    for name in names:
        if name == "sample":
            rows: Sequence[Architecture] = [ARCHITECTURES[title] for title in SAMPLE]
        elif name in GROUPS:
            rows = GROUPS[name]
        else:
            rows = [row for row in ARCHITECTURES.values() if name in (row.title, row.name)]
        if not rows:
            known = [*ARCHITECTURES, *(row.name for row in ARCHITECTURES.values()), *GROUPS, "sample"]
            near = get_close_matches(name, known, 3, 0.5)
            hint = f"did you mean {', '.join(near)}?" if near else "`samesight zoo --list` shows all"
            raise UsageError(f"the zoo has no {name!r}; {hint}")
        chosen |= {row.title: row for row in rows}
    return tuple(chosen.values())
