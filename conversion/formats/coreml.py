"""Core ML (`.mlpackage`, ML program, fp16): an image goes in, one MultiArray per role comes out.

Nothing here runs it: Apple's runtime is for macOS and iOS alone. What was written is checked for its structure.
"""

import json
import sys
import uuid
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from contract.errors import SamesightError
from contract.manifest import TensorInfo
from contract.spec import ModelSpec
from conversion.formats.interface import Lowered, Lowering, Runner, Tensors
from conversion.formats.quiet import quiet
from conversion.formats.refusals import refusal
from conversion.formats.torch_runner import describe_outputs

TITLE = "Core ML"
SPEC_KEY = "samesight.model.json"
LABELS_KEY = "samesight.labels"
DATE_KEY = "com.github.apple.coremltools.conversion_date"
MODEL = Path("Data") / "com.apple.CoreML" / "model.mlmodel"
SPECIFICATION_VERSION = 8
# Turns dequantize -> reshape -> quantize into an integer reshape without comparing scales (coremltools 9.0): wrong by
# the quotient of the scales, silently.
HARMFUL_PASSES = {"common::int_op_canonicalization"}
# coremltools imports them to see which versions it could convert from: 5 s for nothing.
PROBED = ("tensorflow", "sklearn", "transformers", "xgboost")


def convert(job: Lowering) -> Lowered:
    """Lower for iOS 17 and save.

    The image type is always RGB: plane i is the channel that `pack` puts there (`bgra8_nhwc`), whatever the order or
    number of channels that the spec asks for. The graph holds the normalisation, so that scale is 1 and bias 0.
    """
    import numpy as np
    import torch

    shape = (1, 3, job.spec.input.height, job.spec.input.width)
    program = job.prepared.exported
    if job.spec.input.channel_count == 1:
        program = torch.export.export(_first_plane(job.prepared.module), (torch.zeros(shape),))
    ct = import_coremltools()
    pipeline = ct.PassPipeline.DEFAULT
    pipeline.remove_passes(HARMFUL_PASSES)
    try:
        with quiet():
            model = ct.convert(
                # Without it coremltools refuses the program as one of the training dialect.
                program.run_decompositions({}),
                convert_to="mlprogram",
                minimum_deployment_target=ct.target.iOS17,
                compute_precision=ct.precision.FLOAT16,
                inputs=[ct.ImageType(name="image", shape=shape, color_layout=ct.colorlayout.RGB)],
                outputs=[ct.TensorType(name=role, dtype=np.float32) for role in job.spec.roles],
                pass_pipeline=pipeline,
                skip_model_load=True,
            )
    except Exception as error:
        raise refusal(TITLE, job.prepared.exported, error) from error
    model.short_description = f"{job.spec.name}: {job.spec.task}, {len(job.spec.labels)} classes"
    model.user_defined_metadata[SPEC_KEY] = job.spec.to_json()
    model.user_defined_metadata[LABELS_KEY] = json.dumps(job.spec.labels, ensure_ascii=False)
    model.save(str(job.output))
    _make_reproducible(job.output)
    outputs = describe_outputs(job.spec, check_package(job.output, job.spec))
    size = job.spec.input
    return Lowered(
        path=job.output,
        storage="bgra8_nhwc",
        input=TensorInfo(
            name="image", role="image", shape=(1, size.height, size.width, 4), dtype="uint8", layout="nhwc"
        ),
        outputs=outputs,
        runtime="Core ML",
        runtime_version="7",
        os_minimum={"ios": "17.0", "macos": "14.0"},
        tools={"coremltools": metadata.version("coremltools"), "torch": torch.__version__},
    )


def load(path: Path, tensors: Tensors) -> Runner:
    """Refuse: see the module's first lines."""
    raise SamesightError(f"{path}: Core ML runs on Apple's systems alone; its evaluator is not part of this version")


def check_package(package: Path, spec: ModelSpec) -> list[tuple[int, ...]]:
    """Hold the saved description against the spec; gives the outputs' shapes.

    Raises:
        SamesightError: the image's size, an output's name or type, the lowest system or the embedded spec is not what
            was asked for.
    """
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model()
    model.ParseFromString((package / MODEL).read_bytes())
    described = model.description
    images = [(item.name, item.type.imageType.width, item.type.imageType.height) for item in described.input]
    names = [item.name for item in described.output]
    types = {item.type.multiArrayType.dataType for item in described.output}
    float32 = described.output[0].type.multiArrayType.FLOAT32
    found = (model.specificationVersion, images, names, types, described.metadata.userDefined[SPEC_KEY])
    wanted = (
        SPECIFICATION_VERSION,
        [("image", spec.input.width, spec.input.height)],
        list(spec.roles),
        {float32},
        spec.to_json(),
    )
    if found != wanted:
        raise SamesightError(f"{package}: coremltools wrote {found[:4]} where {wanted[:4]} was asked for; report this")
    return [tuple(item.type.multiArrayType.shape) for item in described.output]


def import_coremltools() -> ModuleType:
    """Import coremltools without the libraries that it would only probe."""
    hidden = [name for name in PROBED if name not in sys.modules]
    modules: dict[str, Any] = sys.modules  # None there makes an import fail at once
    modules.update(dict.fromkeys(hidden))
    try:
        import coremltools
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
    return coremltools


def _first_plane(module: Any) -> Any:
    """A network for one channel as one that takes an image's three equal planes."""
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
