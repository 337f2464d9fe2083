"""What holds for every row of `FORMATS`: files are made, described, loaded by their runner, right and repeatable."""

import hashlib
import shutil
from importlib import metadata

import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.contract.tensor_layout import pack
from samesight.conversion.formats import FORMATS
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.preparation.equivalence import compare
from samesight.conversion.preparation.prepare import pixels_of
from samesight.conversion.runners import runner_of
from support.images import blobs

pytestmark = pytest.mark.slow
EXECUTED = [row for row in FORMATS.values() if not runner_of(row.name).absent]
FILES = [(row.name, precision) for row in EXECUTED for precision in row.precisions]
# The least signal-to-noise ratio, in dB, against the prepared float program.
LEAST = {
    "fp32": 90.0,
    "fp16": 40.0,
    "int8": 18.0,
    "dynamic-int8": 20.0,
    "int8-weights": 20.0,
    "palette6": 20.0,
    "palette4": 12.0,
    "w8a16": 30.0,
    "int4-weights": 10.0,
    "mixed": 18.0,
}
SAME_IN_TORCH = ("torchscript", "lite", "exported")
# TorchScript names where in its sources each line was traced. ExecuTorch gives each Core ML program a new identifier,
# by which the phone keeps what it compiled.
NOT_REPEATABLE = ("torchscript", "lite", "executorch-coreml")
# Of files that are cut off: how many bytes are left; of a folder its first file is.
# Core AI's runtime aborts the process on some of them: test_coreai.py damages what it can refuse.
CUT = {"executorch": (0, 50, 2000, -1), "litert": (0, 40, 900), "coreai": ()}


@pytest.fixture(params=FILES, ids=".".join)
def file(request, boxes_file):
    """One format at one precision of a small detector with two outputs."""
    name, precision = request.param
    missing = FORMATS[name].missing()
    if missing:
        pytest.skip(missing)
    return name, precision, boxes_file(name, precision)


def loaded(name, lowered, path=None):
    return runner_of(name).load(path or lowered.path, lowered)


def contents(path):
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_it_computes_what_the_prepared_program_computes(file, boxes_prepared):
    name, precision, lowered = file
    spec, model = boxes_prepared.spec, loaded(name, lowered)
    actual, expected = {role: [] for role in spec.roles}, {role: [] for role in spec.roles}
    for picture in blobs(spec, 6):
        outputs = model(picture)
        assert tuple(outputs) == spec.roles
        for role, value in zip(spec.roles, boxes_prepared.module(pixels_of(picture[None])), strict=True):
            assert outputs[role].dtype == np.float32 and outputs[role].shape == tuple(value.shape)
            actual[role].append(torch.from_numpy(outputs[role]))
            expected[role].append(value)
    for role in spec.roles:
        ratio = compare(torch.cat(expected[role]), torch.cat(actual[role]))[0]
        assert ratio > LEAST[precision]
        if name in SAME_IN_TORCH:
            assert torch.equal(torch.cat(expected[role]), torch.cat(actual[role]))


@pytest.mark.parametrize("name", SAME_IN_TORCH)
def test_a_classifier_is_the_same_in_torch_too(name, digits_prepared, tmp_path):
    output = tmp_path / f"digits{FORMATS[name].suffix}"
    lowered = FORMATS[name].load_module().convert(Lowering(digits_prepared.spec, "fp32", digits_prepared, None, output))
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    (expected,) = digits_prepared.module(pixels_of(picture[None]))
    assert lowered.outputs[0].shape == tuple(expected.shape)
    np.testing.assert_array_equal(loaded(name, lowered)(picture)["logits"], expected.numpy())


def test_its_tensors_are_described(file, boxes_prepared):
    name, _, lowered = file
    spec = boxes_prepared.spec
    picture = blobs(spec, 1)[0]
    packed = pack(picture, lowered.input_layout)
    assert (lowered.input.role, lowered.input.shape, lowered.input.dtype) == ("image", packed.shape, str(packed.dtype))
    shapes = {"logits": (1, 48, 2), "boxes": (1, 48, 4)}
    assert [(info.role, info.shape) for info in lowered.outputs] == [(role, shapes[role]) for role in spec.roles]
    assert lowered.path.name.endswith(FORMATS[name].suffix) and lowered.path.exists()
    assert lowered.runtime and lowered.runtime_version
    for tool, version in lowered.tools.items():
        assert metadata.version(tool) == version.partition("+")[0] or metadata.version(tool) == version


def test_quantized_outputs_are_counted_in_steps_and_others_are_not(file, boxes_prepared, boxes_program):
    name, precision, lowered = file
    model, picture = loaded(name, lowered), blobs(boxes_prepared.spec, 1)[0]
    real, raw = model(picture), model.raw(picture)
    if not PRECISIONS[precision].calibrated or precision == "w8a16":
        assert raw == {} and dict(model.qparams) == {}
        return
    assert dict(model.qparams) == boxes_program(precision).outputs
    for role, params in model.qparams.items():
        assert np.ptp(raw[role]) > 20 and -128 <= raw[role].min() <= raw[role].max() <= 127
        expected = (raw[role] - params.zero_point).astype(np.float32) * np.float32(params.scale)
        # Core ML's values between operators are halves.
        np.testing.assert_allclose(real[role], expected, rtol=1e-6 if "coreml" not in name else 2e-3, atol=2e-3)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in NOT_REPEATABLE])
def test_the_same_program_gives_the_same_bytes(name, boxes_file, boxes_lowering, tmp_path):
    row = FORMATS[name]
    if missing := row.missing():
        pytest.skip(missing)
    precision = row.precisions[1 if "fp16" in row.precisions[1:2] else 0]
    again = row.load_module().convert(boxes_lowering(name, precision, tmp_path))
    assert contents(again.path) == contents(boxes_file(name, precision).path)


@pytest.mark.parametrize(
    ("name", "kept"), [(row.name, kept) for row in EXECUTED for kept in CUT.get(row.name, (0, 500))]
)
def test_a_damaged_file_is_one_sentence(name, kept, boxes_file, tmp_path):
    row = FORMATS[name]
    if missing := row.missing():
        pytest.skip(missing)
    lowered = boxes_file(name, row.precisions[0])
    path = tmp_path / f"damaged{row.suffix}"
    if lowered.path.is_dir():
        shutil.copytree(lowered.path, path)
        (broken,) = path.rglob("*.mlmodel")
    else:
        shutil.copy(lowered.path, path)
        broken = path
    broken.write_bytes(broken.read_bytes()[:kept])
    with pytest.raises(SamesightError) as caught:
        loaded(name, lowered, path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_every_precision_has_a_gate_and_a_least_ratio():
    assert set(LEAST) == set(PRECISIONS)
    assert all(PRECISIONS[precision].gate for precision in PRECISIONS)


def test_calibrated_precisions_need_the_quantized_program(boxes_prepared, tmp_path):
    for precision, row in PRECISIONS.items():
        lowering = Lowering(boxes_prepared.spec, precision, boxes_prepared, None, tmp_path / "x")
        if row.calibrated:
            with pytest.raises(ValueError, match="is lowered from the quantized program"):
                lowering.integer  # noqa: B018
        else:
            assert lowering.integer is None
