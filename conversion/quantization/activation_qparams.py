"""The scales of a program's activations as a table that can be saved and used again."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import FakeQuantizeBase, FixedQParamsFakeQuantize, FixedQParamsObserver, ObserverBase

from samesight.contract.errors import SamesightError
from samesight.contract.spec import Input, ModelSpec
from samesight.conversion.normalisation import affine_of
from samesight.conversion.preparation.graph import module_of
from samesight.conversion.preparation.normalisation import NORMALISE
from samesight.conversion.qparams import QuantParams

SCHEMA_VERSION = 1
LOWEST, HIGHEST = -128, 127
PIXELS = QuantParams(1.0, -128)
"""The input: real values 0..255 stored as pixel - 128, exactly."""


@dataclass(frozen=True)
class Ranges:
    """Scale and zero point of each observed activation, by the value's name in the prepared program.

    The same table and the same prepared program give the same quantized program bit for bit.
    """

    tensors: dict[str, QuantParams]

    def to_json(self) -> str:
        """Text for `quantization.json`. A float32 scale is written so that it is read back exactly."""
        tensors = {
            name: {"scale": qparams.scale, "zero_point": qparams.zero_point} for name, qparams in self.tensors.items()
        }
        return json.dumps({"schema_version": SCHEMA_VERSION, "tensors": tensors}, indent=1) + "\n"


def parse_ranges(text: str | bytes, source: str) -> Ranges:
    """Read what `Ranges.to_json` wrote.

    Raises:
        SamesightError: no such table; the sentence begins with `source`.
    """
    try:
        data: Any = json.loads(text)
        if data["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema {data['schema_version']}")
        tensors = {
            name: QuantParams(float(entry["scale"]), int(entry["zero_point"]))
            for name, entry in data["tensors"].items()
        }
        for name, qparams in tensors.items():
            if not (math.isfinite(qparams.scale) and qparams.scale > 0 and LOWEST <= qparams.zero_point <= HIGHEST):
                raise ValueError(f"{name} has scale {qparams.scale} and zero point {qparams.zero_point}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SamesightError(
            f"{source}: not a table of activation ranges of this version ({error}); delete it to calibrate anew"
        ) from None
    return Ranges(tensors)


def read_ranges(path: Path) -> Ranges:
    """Read `quantization.json` (see `parse_ranges`)."""
    try:
        return parse_ranges(path.read_bytes(), str(path))
    except OSError as error:
        raise SamesightError(f"{path}: {error.strerror or error}; calibrate anew or restore the file") from None


def qparams_over(low: float, high: float) -> QuantParams:
    """The int8 scale (a float32) and zero point that cover low..high, zero included."""
    scale = float(torch.tensor((high - low) / (HIGHEST - LOWEST), dtype=torch.float32))
    return QuantParams(scale, max(LOWEST, min(HIGHEST, round(LOWEST - low / scale))))


def exact_qparams(module: GraphModule, spec: Input) -> dict[str, QuantParams]:
    """The scales and zero points that follow from the spec alone: of the input, and of the normalisation's output."""
    qparams = {}
    for node in module.graph.nodes:
        if node.op == "placeholder":
            qparams[node.name] = PIXELS
        elif node.op == "call_function" and module_of(node).startswith(NORMALISE + " "):
            qparams[node.name] = qparams_over(*affine_of(spec).bounds)
    return qparams


def observed(module: GraphModule) -> Iterator[tuple[Node, str]]:
    """Every observed activation of a prepared program and the name of the module that observes it."""
    modules = dict(module.named_modules(remove_duplicate=False))
    for node in module.graph.nodes:
        if node.op != "call_module":
            continue
        name = str(node.target)
        source = node.args[0]
        if isinstance(modules[name], ObserverBase | FakeQuantizeBase) and source.op != "get_attr":
            yield source, name


def read_observers(module: GraphModule) -> Ranges:
    """The scales and zero points that a prepared program's observers or fake quantizers have computed."""
    modules = dict(module.named_modules(remove_duplicate=False))
    tensors = {}
    for source, name in observed(module):
        scale, zero_point = modules[name].calculate_qparams()
        tensors[source.name] = QuantParams(float(scale), int(zero_point))
    return Ranges(tensors)


def fix_observers(module: GraphModule, qparams: dict[str, QuantParams], training: bool = False) -> None:
    """Replace the named values' int8 observers (or fake quantizers, in training) by ones with fixed parameters."""
    for source, name in observed(module):
        if source.name in qparams and getattr(module, name).dtype == torch.int8:
            module.set_submodule(name, fixed_observer(qparams[source.name], training))


def all_fixed(module: GraphModule) -> bool:
    """Whether no activation of a prepared program needs calibration."""
    return all(isinstance(getattr(module, name), FixedQParamsObserver) for _, name in observed(module))


def fixed_observer(qparams: QuantParams, training: bool) -> nn.Module:
    """An observer or a fake quantizer that never changes its scale and zero point."""
    observer = FixedQParamsObserver.with_args(
        scale=qparams.scale,
        zero_point=qparams.zero_point,
        dtype=torch.int8,
        qscheme=torch.per_tensor_affine,
        quant_min=LOWEST,
        quant_max=HIGHEST,
    )
    module: nn.Module = FixedQParamsFakeQuantize(observer=observer) if training else observer()
    return module


def check_ranges(module: GraphModule, ranges: Ranges, spec: ModelSpec) -> None:
    """Check that a table names the observed values of this program and no others.

    Raises:
        SamesightError: it belongs to another network.
    """
    names = {source.name for source, _ in observed(module)}
    mismatches = sorted(names ^ set(ranges.tensors))
    if mismatches:
        raise SamesightError(
            f"{spec.name}: the saved activation ranges belong to another network (they differ in {mismatches[0]!r}); "
            "calibrate anew or give the ranges of this run"
        )
