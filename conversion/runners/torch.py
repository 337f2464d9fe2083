"""What the formats that torch itself runs have in common: their tensors, and calling a loaded module."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from samesight.contract.manifest import TensorInfo
from samesight.contract.spec import ModelSpec, Role
from samesight.contract.tensor_layout import Storage, pack
from samesight.conversion.qparams import Float32, Integers, Quantum, UInt8

SPEC_FILE = "model.json"


@dataclass(frozen=True)
class TorchRunner:
    """A module that takes the packed input tensor and gives one tensor, or one per role."""

    module: Callable[[Any], Any]
    storage: Storage
    roles: Sequence[Role]
    quanta: Mapping[Role, Quantum] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let torch run on one thread in this process, as every other runtime here does.

        A small net gains nothing from two, and on a busy machine threads that wait for each other are a hundred times
        slower.
        """
        import torch

        torch.set_num_threads(1)

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        import torch

        with torch.no_grad():
            made = self.module(torch.from_numpy(pack(tensor, self.storage)))
        outputs = made if isinstance(made, (tuple, list)) else (made,)
        return {role: np.array(output.numpy()) for role, output in zip(self.roles, outputs, strict=True)}

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """Nothing is quantized."""
        return {}


def describe_input(spec: ModelSpec) -> TensorInfo:
    """The input: float32 [1, C, H, W]."""
    shape = (1, spec.input.channel_count, spec.input.height, spec.input.width)
    return TensorInfo(name="image", role="image", shape=shape, dtype="float32", layout="nchw")


def describe_outputs(spec: ModelSpec, shapes: Sequence[Sequence[int]]) -> tuple[TensorInfo, ...]:
    """The outputs: float32, one per role in the spec's order."""
    return tuple(
        TensorInfo(name=role, role=role, shape=tuple(shape), dtype="float32")
        for role, shape in zip(spec.roles, shapes, strict=True)
    )
