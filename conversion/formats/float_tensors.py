"""The tensors of formats with a float32 [1, C, H, W] input and float32 outputs, as the manifest has them."""

from collections.abc import Sequence

from samesight.contract.manifest import TensorInfo
from samesight.contract.spec import ModelSpec

# The extra file of torch's formats that holds the spec.
SPEC_FILE = "model.json"


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
