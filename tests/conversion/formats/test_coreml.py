import json
import sys

import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.coreml import LABELS_KEY, MODEL, check_package, convert
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.preparation.equivalence import compare
from samesight.conversion.preparation.prepare import pixels_of
from samesight.conversion.runners.coreml.import_coremltools import PROBED
from samesight.conversion.runners.coreml.package import SPEC_KEY, load

pytestmark = pytest.mark.slow


def lowered(tmp_path, prepared, name="model.mlpackage"):
    return convert(Lowering(prepared.spec, "fp16", prepared, None, tmp_path / name))


def description(package):
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model()
    model.ParseFromString((package / MODEL).read_bytes())
    return model


@pytest.fixture(scope="module")
def boxes(tmp_path_factory, boxes_prepared):
    return lowered(tmp_path_factory.mktemp("coreml"), boxes_prepared)


def operators(package):
    """Types of the ML program's operators with their dtypes, in order."""
    function = description(package).mlProgram.functions["main"]
    block = next(iter(function.block_specializations.values()))
    return [operation for operation in block.operations if operation.type != "const"]


def test_an_image_goes_in_and_one_float32_array_per_role_comes_out(boxes, boxes_spec):
    model = description(boxes.path)
    assert model.specificationVersion == 8  # iOS 17, macOS 14
    (image,) = model.description.input
    assert (image.name, image.type.imageType.width, image.type.imageType.height) == ("image", 32, 24)
    assert image.type.imageType.colorSpace == image.type.imageType.RGB
    found = {item.name: tuple(item.type.multiArrayType.shape) for item in model.description.output}
    assert found == {"logits": (1, 48, 2), "boxes": (1, 48, 4)}
    assert list(found) == list(boxes_spec.roles)
    assert [(info.role, info.shape, info.dtype) for info in boxes.outputs] == [
        ("logits", (1, 48, 2), "float32"),
        ("boxes", (1, 48, 4), "float32"),
    ]
    assert boxes.input_layout == "bgra8_nhwc"
    assert (boxes.input.shape, boxes.input.dtype) == ((1, 24, 32, 4), "uint8")
    assert boxes.os_minimum == {"ios": "17.0", "macos": "14.0"}


def test_it_computes_in_half_precision(boxes):
    """All but the casts at the borders."""
    from coremltools.proto.MIL_pb2 import FLOAT16

    for operation in operators(boxes.path):
        (output,) = operation.outputs
        if operation.type == "conv":
            assert output.type.tensorType.dataType == FLOAT16
    assert [operation.type for operation in operators(boxes.path)].count("conv") >= 2


def test_labels_and_spec_are_inside(boxes, boxes_spec):
    inside = description(boxes.path).description.metadata.userDefined
    assert inside[SPEC_KEY] == boxes_spec.to_json()
    assert json.loads(inside[LABELS_KEY]) == ["dark", "light"]


def test_the_pass_that_drops_scales_is_left_out(tmp_path, boxes_prepared, monkeypatch):
    import coremltools as ct

    seen = []

    def watched(*args, **options):
        seen.append(list(options["pass_pipeline"].passes))
        return original(*args, **options)

    original = ct.convert
    monkeypatch.setattr(ct, "convert", watched)
    lowered(tmp_path, boxes_prepared)
    assert "common::int_op_canonicalization" in ct.PassPipeline.DEFAULT.passes
    assert "common::int_op_canonicalization" not in seen[0]


def test_the_same_model_gives_the_same_bytes(tmp_path, boxes, boxes_prepared):
    again = lowered(tmp_path, boxes_prepared, "again.mlpackage").path
    files = sorted(path.relative_to(boxes.path) for path in boxes.path.rglob("*") if path.is_file())
    assert [str(path) for path in files] == [
        "Data/com.apple.CoreML/model.mlmodel",
        "Data/com.apple.CoreML/weights/weight.bin",
        "Manifest.json",
    ]
    for path in files:
        assert (again / path).read_bytes() == (boxes.path / path).read_bytes(), path


def test_the_manifest_points_at_the_model(boxes):
    manifest = json.loads((boxes.path / "Manifest.json").read_text())
    root = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]
    assert root["path"] == "com.apple.CoreML/model.mlmodel"
    for item in manifest["itemInfoEntries"].values():
        assert (boxes.path / "Data" / item["path"]).exists()


def test_coremltools_reads_what_was_written(boxes):
    import coremltools as ct

    model = ct.models.MLModel(str(boxes.path), skip_model_load=True)
    assert [item.name for item in model.get_spec().description.output] == ["logits", "boxes"]


def test_grey_networks_take_the_first_plane_of_an_rgb_image(tmp_path, boxes_spec):
    import torch

    from samesight.conversion.preparation.prepare import prepare

    grey = boxes_spec.input.model_copy(update={"channels": "grey", "mean": (0.5,), "std": (0.25,)})
    spec = boxes_spec.model_copy(update={"input": grey})
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 6, 3, 4, 1), torch.nn.Flatten(2)).eval()
    prepared = prepare(torch.export.export(network, (torch.zeros(1, 1, 24, 32),)), spec)
    package = lowered(tmp_path, prepared).path
    (image,) = description(package).description.input
    assert image.type.imageType.colorSpace == image.type.imageType.RGB
    assert "slice_by_index" in [operation.type for operation in operators(package)]


def test_an_operator_that_core_ml_lacks_is_one_sentence(tmp_path, digits_spec):
    import torch

    from samesight.conversion.preparation.prepare import prepare

    class Rare(torch.nn.Module):
        def forward(self, x):
            return torch.special.bessel_j1(x)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rare, self.head = Rare(), torch.nn.Linear(3 * 32 * 32, 10)

        def forward(self, x):
            return self.head(self.rare(x).flatten(1))

    prepared = prepare(torch.export.export(Network().eval(), (torch.zeros(1, 3, 32, 32),)), digits_spec)
    with pytest.raises(SamesightError) as caught:
        lowered(tmp_path, prepared)
    assert "Core ML cannot take the operator aten.special_bessel_j1.default in rare (Rare); " in str(caught.value)
    assert "leave this format out with --to" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_package_that_is_not_what_was_asked_for_is_refused(boxes, boxes_spec):
    other = boxes_spec.model_copy(update={"input": boxes_spec.input.model_copy(update={"width": 64})})
    with pytest.raises(SamesightError, match=r"coremltools wrote .* where .* was asked for"):
        check_package(boxes.path, other, 8)


FLOOR = {"fp32": 100.0, "fp16": 45.0, "int8": 20.0, "int8-weights": 24.0, "palette6": 12.0, "palette4": 3.0}
FLOOR |= {"int4-weights": 3.0, "mixed": 20.0}
SYSTEM = {"fp32": 8, "fp16": 8, "int8": 9, "int8-weights": 9, "palette6": 9, "palette4": 9}
SYSTEM |= {"int4-weights": 9, "mixed": 9}
# Of an int8 file, what the weights are stored as.
WEIGHTS = {
    "int8-weights": "constexpr_blockwise_shift_scale",
    "palette6": "constexpr_lut_to_dense",
    "palette4": "constexpr_lut_to_dense",
    "int4-weights": "constexpr_blockwise_shift_scale",
}


@pytest.mark.parametrize("precision", FORMATS["coreml"].precisions)
def test_every_precision_computes_the_network(tmp_path, digits_prepared, digits_quantized, digits_inputs, precision):
    spec, output = digits_prepared.spec, tmp_path / "digits.mlpackage"
    made = convert(Lowering(spec, precision, digits_prepared, digits_quantized, output))
    assert description(output).specificationVersion == SYSTEM[precision]
    assert made.os_minimum["ios"] == ("17.0" if SYSTEM[precision] == 8 else "18.0")
    kinds = [operation.type for operation in operators(output)]
    assert ("quantize" in kinds) == (precision in ("int8", "mixed"))
    if precision in WEIGHTS:
        assert kinds.count(WEIGHTS[precision]) >= 1
    runner = load(output, made)
    found = torch.cat([torch.from_numpy(runner(tensor)["logits"]) for tensor in digits_inputs])
    wanted = torch.cat([digits_prepared.module(pixels_of(tensor[None]))[0] for tensor in digits_inputs])
    assert compare(wanted, found)[0] > FLOOR[precision]
    assert dict(runner.qparams) == (
        {"logits": digits_quantized.outputs["logits"]} if PRECISIONS[precision].calibrated else {}
    )


def test_int8_is_the_quantized_program_within_few_steps(tmp_path, digits_prepared, digits_quantized, digits_inputs):
    """Of a net whose random features are weighed by a fitted layer; trained nets keep within two."""
    made = convert(Lowering(digits_prepared.spec, "int8", digits_prepared, digits_quantized, tmp_path / "d.mlpackage"))
    runner, grid = load(made.path, made), digits_quantized.outputs["logits"]
    for tensor in digits_inputs:
        wanted = digits_quantized.folded(pixels_of(tensor[None]))[0].numpy() / np.float32(grid.scale) + grid.zero_point
        assert np.abs(runner.raw(tensor)["logits"] - np.rint(wanted)).max() <= 3


def test_channels_as_the_spec_orders_them(boxes, boxes_prepared):
    """The image type is RGB whatever the network takes; this one takes BGR."""
    runner = load(boxes.path, boxes)
    tensor = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    found = runner(tensor)
    for role, wanted in zip(("logits", "boxes"), boxes_prepared.module(pixels_of(tensor[None])), strict=True):
        assert compare(wanted, torch.from_numpy(found[role]))[0] > 45
    swapped = runner(tensor[:, :, ::-1])
    assert compare(boxes_prepared.module(pixels_of(tensor[None]))[0], torch.from_numpy(swapped["logits"]))[0] < 30


def test_int8_needs_the_quantized_program(tmp_path, boxes_prepared):
    with pytest.raises(ValueError, match="quantized program"):
        convert(Lowering(boxes_prepared.spec, "int8", boxes_prepared, None, tmp_path / "x.mlpackage"))


def test_probed_libraries_can_be_imported_afterwards(boxes):
    assert not [name for name in PROBED if name in sys.modules and sys.modules[name] is None]
    import sklearn.datasets

    assert sklearn.datasets
