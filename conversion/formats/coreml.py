"""Core ML (`.mlpackage`, ML program): the input is an image, the outputs are one MultiArray per role.

| precision | system | what is stored |
|---|---|---|
| fp32 | iOS 17 | float32, which the CPU and GPU alone compute |
| fp16 | iOS 17 | float16 |
| int8 | iOS 18 | the one PT2E program: int8 weights and activations, float16 between |
| int8-weights | iOS 18 | float16 with int8 weights, one scale per channel |
| palette6, palette4 | iOS 18 | float16 with weights from tables of 64 or 16 values, a table for 8 or 4 channels |
| int4-weights | iOS 18 | float16 with int4 weights, a scale for 32, 16 or 8 input channels, or for an output channel |
| mixed | iOS 18 | as int8, by a recipe: layers of floats or with int8 weights among those of integers |

Compressed weights need iOS 18: iOS 17's operator for signed int8 is mishandled by its runtime (coremltools PR 2677).
Apple's runtime is for macOS and iOS alone; here the evaluator in `runners/coreml` runs the files.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samesight.contract.errors import SamesightError
from samesight.contract.manifest import TensorInfo
from samesight.contract.spec import ModelSpec
from samesight.conversion.formats.decompositions import core_ml
from samesight.conversion.formats.float_tensors import describe_outputs
from samesight.conversion.formats.interface import Lowered, Lowering
from samesight.conversion.formats.refusal import refusal
from samesight.conversion.precisions import PrecisionName
from samesight.conversion.qparams import write_qparams
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.coreml.import_coremltools import import_coremltools
from samesight.conversion.runners.coreml.package import QPARAMS_KEY, SPEC_KEY

if TYPE_CHECKING:
    from torch.export import ExportedProgram


TITLE = "Core ML"
LABELS_KEY = "samesight.labels"
DATE_KEY = "com.github.apple.coremltools.conversion_date"
MODEL = Path("Data") / "com.apple.CoreML" / "model.mlmodel"
# Turns dequantize -> reshape -> quantize into an integer reshape without comparing scales (coremltools 9.0): wrong by
# the quotient of the scales, silently. docs/core-ml.md has the case.
HARMFUL_PASSES = {"common::int_op_canonicalization"}
SMALLEST_COMPRESSED = 512
"""Weights of fewer values stay float16: a table or a scale would save nothing."""


@dataclass(frozen=True)
class System:
    """A deployment target of coremltools, the version it writes into the file, and the systems that read it."""

    target: str
    specification: int
    minimum: Mapping[str, str]


IOS17 = System("iOS17", 8, {"ios": "17.0", "macos": "14.0"})
IOS18 = System("iOS18", 9, {"ios": "18.0", "macos": "15.0"})
SYSTEMS: dict[PrecisionName, System] = {
    "fp32": IOS17,
    "fp16": IOS17,
    "int8": IOS18,
    "int8-weights": IOS18,
    "palette6": IOS18,
    "palette4": IOS18,
    "int4-weights": IOS18,
    "mixed": IOS18,
}
# Of each palette: bits, and the output channels that share a table.
PALETTES: dict[PrecisionName, tuple[int, int]] = {"palette6": (6, 8), "palette4": (4, 4)}


BLOCKS = (32, 16, 8)
"""Input channels that share a scale of int4 weights: the most of these that divide a layer's."""


def convert(job: Lowering) -> Lowered:
    """Lower and save.

    The image type is always RGB: plane i is the channel that `pack` puts there (`bgra8_nhwc`), whatever the order or
    number of channels that the spec asks for. The graph holds the normalisation, so that scale is 1 and bias 0.
    """
    import torch

    program, system = job.program, SYSTEMS[job.precision]
    ct = import_coremltools()
    try:
        with quiet():
            model = _lower(ct, program, job, system)
            model = _compressed(ct, model, job.precision)
    except Exception as error:
        raise refusal(TITLE, job.prepared.exported, error) from error
    model.short_description = f"{job.spec.name}: {job.spec.task}, {len(job.spec.labels)} classes"
    model.user_defined_metadata[SPEC_KEY] = job.spec.to_json()
    model.user_defined_metadata[LABELS_KEY] = json.dumps(job.spec.labels, ensure_ascii=False)
    if job.integer:
        model.user_defined_metadata[QPARAMS_KEY] = write_qparams(job.integer.outputs)
    model.save(str(job.output))
    _make_reproducible(job.output)
    outputs = describe_outputs(job.spec, check_package(job.output, job.spec, system.specification))
    size = job.spec.input
    return Lowered(
        path=job.output,
        input_layout="bgra8_nhwc",
        input=TensorInfo(
            name="image", role="image", shape=(1, size.height, size.width, 4), dtype="uint8", layout="nhwc"
        ),
        outputs=outputs,
        runtime="Core ML",
        runtime_version=str(system.specification - 1),
        os_minimum=dict(system.minimum),
        tools={"coremltools": metadata.version("coremltools"), "torch": torch.__version__},
    )


def _lower(ct: Any, program: "ExportedProgram", job: Lowering, system: System) -> Any:
    """An MLModel of a program that takes [1, C, H, W]."""
    import numpy as np
    import torch

    shape = (1, 3, job.spec.input.height, job.spec.input.width)
    if job.spec.input.channel_count == 1:
        program = torch.export.export(_first_plane(program.module(check_guards=False)), (torch.zeros(shape),))
    pipeline = ct.PassPipeline.DEFAULT
    pipeline.remove_passes(HARMFUL_PASSES)
    return ct.convert(
        # Without it coremltools refuses the program as one of the training dialect.
        program.run_decompositions(core_ml()),
        convert_to="mlprogram",
        minimum_deployment_target=getattr(ct.target, system.target),
        compute_precision=ct.precision.FLOAT32 if job.precision == "fp32" else ct.precision.FLOAT16,
        inputs=[ct.ImageType(name="image", shape=shape, color_layout=ct.colorlayout.RGB)],
        outputs=[ct.TensorType(name=role, dtype=np.float32) for role in job.spec.roles],
        pass_pipeline=pipeline,
        skip_model_load=True,
    )


def _compressed(ct: Any, model: Any, precision: PrecisionName) -> Any:
    """The model with its weights compressed, where the precision says so."""
    from coremltools.optimize import coreml as optimize

    if precision == "int8-weights":
        scales = optimize.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=SMALLEST_COMPRESSED)
        return optimize.linear_quantize_weights(model, optimize.OptimizationConfig(global_config=scales))
    if precision == "int4-weights":
        configs = {name: _int4(optimize, shape) for name, shape in _weights_of(optimize, model)}
        return optimize.linear_quantize_weights(model, optimize.OptimizationConfig(op_name_configs=configs))
    if precision in PALETTES:
        bits, channels = PALETTES[precision]
        tables = optimize.OpPalettizerConfig(
            mode="kmeans",
            nbits=bits,
            granularity="per_grouped_channel",
            group_size=channels,
            weight_threshold=SMALLEST_COMPRESSED,
        )
        return optimize.palettize_weights(model, optimize.OptimizationConfig(global_config=tables))
    return model


def _weights_of(optimize: Any, model: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of each constant that is large enough to be compressed."""
    for name, weight in optimize.get_weights_metadata(model, weight_threshold=SMALLEST_COMPRESSED).items():
        yield name, weight.val.shape


def _int4(optimize: Any, shape: tuple[int, ...]) -> Any:
    block = next((size for size in BLOCKS if len(shape) > 1 and shape[1] % size == 0), None)
    how = {"granularity": "per_block", "block_size": block} if block else {"granularity": "per_channel"}
    return optimize.OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype="int4", weight_threshold=SMALLEST_COMPRESSED, **how
    )


def check_package(package: Path, spec: ModelSpec, specification: int) -> list[tuple[int, ...]]:
    """Check the saved description against the spec. Returns the outputs' shapes.

    Raises:
        SamesightError: the image's size, an output's name or type, the lowest system or the embedded spec is not the
            requested one.
    """
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model()
    model.ParseFromString((package / MODEL).read_bytes())
    description = model.description
    images = [(item.name, item.type.imageType.width, item.type.imageType.height) for item in description.input]
    names = [item.name for item in description.output]
    types = {item.type.multiArrayType.dataType for item in description.output}
    float32 = description.output[0].type.multiArrayType.FLOAT32
    actual = (model.specificationVersion, images, names, types, description.metadata.userDefined[SPEC_KEY])
    expected = (
        specification,
        [("image", spec.input.width, spec.input.height)],
        list(spec.roles),
        {float32},
        spec.to_json(),
    )
    if actual != expected:
        raise SamesightError(
            f"{package}: coremltools wrote {actual[:4]} where {expected[:4]} was asked for; report this"
        )
    return [tuple(item.type.multiArrayType.shape) for item in description.output]


def _first_plane(module: Any) -> Any:
    """Wrap a network with one input channel to take an image's three equal planes."""
    import torch

    class FirstPlane(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, image: torch.Tensor) -> Any:
            return self.network(image[:, :1])

    return FirstPlane()  # without eval(): an exported program's module refuses it, and has no modes


def _make_reproducible(package: Path) -> None:
    """The same model gives the same bytes: no date, no random identifiers, protobuf maps in order, no debug files."""
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model()
    model.ParseFromString((package / MODEL).read_bytes())
    model.description.metadata.userDefined.pop(DATE_KEY, None)
    (package / MODEL).write_bytes(model.SerializeToString(deterministic=True))
    manifest = json.loads((package / "Manifest.json").read_text())
    items = sorted(manifest["itemInfoEntries"].values(), key=lambda item: item["path"])
    entries = {str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])): item for item in items}
    manifest["itemInfoEntries"] = entries
    manifest["rootModelIdentifier"] = next(name for name, item in entries.items() if item["name"] == "model.mlmodel")
    (package / "Manifest.json").write_text(json.dumps(manifest, indent=4) + "\n")
    for path in package.iterdir():
        if path.name not in ("Data", "Manifest.json"):
            path.unlink()
