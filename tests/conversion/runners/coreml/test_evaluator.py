"""The evaluator on whole packages: float, quantized, compressed, with image inputs and labels; and what it refuses."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.contract.image import load_picture
from samesight.contract.preprocess import preprocess
from samesight.contract.tensor_layout import pack
from samesight.conversion.formats.coreml import MODEL, convert
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.coreml.evaluator import load_evaluator
from samesight.conversion.runners.coreml.image_input import ImageInput, planes_of
from samesight.conversion.runners.coreml.import_coremltools import import_coremltools
from samesight.conversion.snr import role_figures
from samesight.conversion.sources.server_model import load_server

ct = import_coremltools()
from coremltools.converters.mil import Builder as mb  # noqa: E402
from coremltools.converters.mil.mil import types  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module")
def digits(folder, digits_prepared):
    """The fp16 package that samesight writes."""
    return convert(Lowering(digits_prepared.spec, "fp16", digits_prepared, None, folder / "digits.mlpackage")).path


@pytest.fixture(scope="module")
def tensors(digits_run, digits_spec):
    """The contract's input tensors of the calibration images."""
    files = sorted((digits_run / "calibration").iterdir())
    return [preprocess(load_picture(file), digits_spec.input)[0] for file in files]


def converted(program, path, precision="FLOAT32", target="iOS17", **options):
    pipeline = ct.PassPipeline.DEFAULT
    pipeline.remove_passes({"common::int_op_canonicalization"})
    with quiet():
        model = ct.convert(
            program.run_decompositions({}) if isinstance(program, torch.export.ExportedProgram) else program,
            convert_to="mlprogram",
            minimum_deployment_target=getattr(ct.target, target),
            compute_precision=getattr(ct.precision, precision),
            pass_pipeline=pipeline,
            skip_model_load=True,
            **options,
        )
        model.save(str(path))
    return model


def built(path, body, *inputs, precision="FLOAT32", **options):
    """A package of a MIL program written by hand."""
    program = mb.program(input_specs=list(inputs), opset_version=ct.target.iOS17)(body)
    converted(program, path, precision, **options)
    return path


def decibels(evaluator, server, tensors):
    wanted = [server.outputs(tensor) for tensor in tensors]
    found = [evaluator({"image": pack(tensor, "bgra8_nhwc")}) for tensor in tensors]
    return [
        role_figures(role, [w[role] for w in wanted], [f[role] for f in found]).snr_db for role in server.spec.roles
    ]


def test_what_samesight_writes_is_the_server_model_within_half_precision(digits, digits_run, digits_spec, tensors):
    evaluator = load_evaluator(digits)
    outputs = evaluator({"image": pack(tensors[0], "bgra8_nhwc")})
    assert [(name, value.shape, value.dtype) for name, value in outputs.items()] == [("logits", (1, 10), np.float32)]
    (db,) = decibels(evaluator, load_server(digits_run / "network.pt2", digits_spec), tensors)
    assert 45 <= db < 100
    assert not evaluator.quantized


def test_a_detector_with_two_outputs_and_bgr_pixels(folder, boxes_prepared):
    path = convert(Lowering(boxes_prepared.spec, "fp16", boxes_prepared, None, folder / "boxes.mlpackage")).path
    evaluator = load_evaluator(path)
    rng = np.random.default_rng(0)
    for role in ("logits", "boxes"):
        wanted, found = [], []
        for _ in range(4):
            tensor = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            with torch.no_grad():
                made = boxes_prepared.module(torch.from_numpy(pack(tensor, "float32_nchw")))
            wanted.append(made[boxes_prepared.spec.roles.index(role)].numpy())
            found.append(evaluator({"image": pack(tensor, "bgra8_nhwc")})[role])
        assert role_figures(role, wanted, found).snr_db >= 45


def test_single_precision_is_the_network(folder, digits_prepared, tensors):
    converted(digits_prepared.exported, folder / "fp32.mlpackage")
    evaluator = load_evaluator(folder / "fp32.mlpackage")
    (only,) = evaluator.inputs
    wanted, found = [], []
    for tensor in tensors[:6]:
        image = torch.from_numpy(pack(tensor, "float32_nchw"))
        wanted.append(digits_prepared.module(image)[0].detach().numpy())
        found.append(next(iter(evaluator({only.declared.name: image}).values())))
    figures = role_figures("logits", wanted, found)
    assert figures.exact or figures.snr_db >= 100


@pytest.mark.parametrize(("target", "version"), [("iOS15", 6), ("iOS16", 7), ("iOS18", 9), ("iOS26", 10)])
def test_programs_for_other_systems(folder, boxes_prepared, target, version):
    path = folder / f"{target}.boxes.mlpackage"
    model = converted(boxes_prepared.exported, path, target=target)
    assert model.get_spec().specificationVersion == version
    evaluator = load_evaluator(path)
    image = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (1, 3, 24, 32)).astype(np.float32))
    found = evaluator({evaluator.inputs[0].declared.name: image}).values()
    for value, wanted in zip(found, boxes_prepared.module(image), strict=True):
        np.testing.assert_allclose(value, wanted.detach().numpy(), rtol=1e-4, atol=1e-4)


class WithDivision(torch.fx.Interpreter):
    """torch multiplies by 1 / scale where MIL divides: ties round to other sides, and here every fourth mean is one."""

    def call_function(self, target, args, kwargs):
        if target is not torch.ops.quantized_decomposed.quantize_per_tensor.default:
            return super().call_function(target, args, kwargs)
        values, scale, zero_point, low, high, dtype = args
        return (torch.round(values / scale) + zero_point).clamp(low, high).to(dtype)


@pytest.mark.parametrize(
    ("precision", "share", "steps", "mean"),
    [("FLOAT32", 1.0, 0.01, 0.001), ("FLOAT16", 0.99, 3.1, 1.0)],
    ids=["fp32", "fp16"],
)
def test_int8_is_the_quantized_program(folder, digits_prepared, tensors, precision, share, steps, mean):
    """In steps of the output: this share of the values is within so many, and the mean is no more than that."""
    from samesight.conversion.quantization.quantize import quantize

    quantized = quantize(digits_prepared, np.stack(tensors))
    path = folder / f"int8.{precision}.mlpackage"
    converted(quantized.exported, path, precision)
    evaluator = load_evaluator(path)
    assert evaluator.quantized
    (only,) = evaluator.inputs
    program = WithDivision(quantized.folded)
    apart = []
    for tensor in tensors:
        image = torch.from_numpy(pack(tensor, "float32_nchw"))
        with torch.no_grad():
            wanted = program.run(image)[0].numpy()
        found = next(iter(evaluator({only.declared.name: image}).values()))
        apart.append(np.abs(found - wanted) / quantized.outputs["logits"].scale)
    assert np.quantile(apart, share) <= steps
    assert np.mean(apart) <= mean


def compressions():
    optimize = ct.optimize.coreml

    def one(config):
        return optimize.OptimizationConfig(global_config=config)

    linear, lut = optimize.OpLinearQuantizerConfig, optimize.OpPalettizerConfig
    prune = optimize.OpMagnitudePrunerConfig
    int8 = one(linear(mode="linear_symmetric", dtype="int8", weight_threshold=64))
    int4 = one(linear(mode="linear", dtype="int4", granularity="per_block", block_size=4, weight_threshold=64))
    groups = one(lut(mode="uniform", nbits=4, granularity="per_grouped_channel", group_size=4, weight_threshold=64))
    uniform = one(lut(mode="uniform", nbits=6, weight_threshold=64))
    sparse = one(prune(target_sparsity=0.6, weight_threshold=64))
    quantize = optimize.linear_quantize_weights
    return {
        "int8, iOS 17": ("iOS17", "constexpr_affine_dequantize", lambda m: quantize(m, int8)),
        "int8, iOS 18": ("iOS18", "constexpr_blockwise_shift_scale", lambda m: quantize(m, int8)),
        "int4 in blocks": ("iOS18", "constexpr_blockwise_shift_scale", lambda m: quantize(m, int4)),
        "6 bits, iOS 17": ("iOS17", "constexpr_lut_to_dense", lambda m: optimize.palettize_weights(m, uniform)),
        "4 bits in groups": ("iOS18", "constexpr_lut_to_dense", lambda m: optimize.palettize_weights(m, groups)),
        "sparse, iOS 17": ("iOS17", "constexpr_sparse_to_dense", lambda m: optimize.prune_weights(m, sparse)),
        "sparse int8": (
            "iOS18",
            "constexpr_sparse_blockwise_shift_scale",
            lambda m: quantize(optimize.prune_weights(m, sparse), int8, joint_compression=True),
        ),
        "sparse 6 bits": (
            "iOS18",
            "constexpr_lut_to_sparse",
            lambda m: optimize.palettize_weights(optimize.prune_weights(m, sparse), uniform, joint_compression=True),
        ),
    }


@pytest.fixture(scope="module")
def plain(folder, digits_prepared):
    return {
        target: converted(digits_prepared.exported, folder / f"{target}.mlpackage", target=target)
        for target in ("iOS17", "iOS18")
    }


@pytest.mark.parametrize("name", list(compressions()))
def test_compressed_weights_are_those_that_coremltools_decompresses(folder, plain, tensors, name):
    target, operator, compress = compressions()[name]
    with quiet():
        model = compress(plain[target])
        model.save(str(folder / "compressed.mlpackage"))
        ct.optimize.coreml.decompress_weights(model).save(str(folder / "decompressed.mlpackage"))
    stored = {
        operation.type
        for block in model.get_spec().mlProgram.functions["main"].block_specializations.values()
        for operation in block.operations
    }
    assert operator in stored
    one, other = (load_evaluator(folder / f"{kind}.mlpackage") for kind in ("compressed", "decompressed"))
    assert one.quantized
    assert not other.quantized
    assert not [step for step in one.steps if step.kind.startswith("constexpr_")]  # evaluated when it was loaded
    image = {one.inputs[0].declared.name: pack(tensors[0], "float32_nchw")}
    for name, value in one(image).items():
        np.testing.assert_allclose(value, other(image)[name], rtol=1e-5, atol=1e-5)


class Double(torch.nn.Module):
    def forward(self, image):
        return image * 2


def image_type(**options):
    return ct.ImageType(name="image", **options)


@pytest.mark.parametrize("colour", ["RGB", "BGR"])
def test_scale_bias_and_colour_order_of_an_image_input(folder, colour):
    path = folder / f"{colour}.mlpackage"
    network = torch.jit.trace(Double(), torch.zeros(1, 3, 4, 6))
    layout = getattr(ct.colorlayout, colour)
    inputs = [image_type(shape=(1, 3, 4, 6), scale=1 / 127.5, bias=[-1, -0.5, 0.25], color_layout=layout)]
    converted(network, path, inputs=inputs)
    rgb = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    (made,) = load_evaluator(path)({"image": pack(rgb, "bgra8_nhwc")}).values()
    ordered = rgb if colour == "RGB" else rgb[:, :, ::-1]
    wanted = ordered.transpose(2, 0, 1)[None] / 127.5 + np.reshape([-1, -0.5, 0.25], (3, 1, 1))
    np.testing.assert_allclose(made, 2 * wanted, atol=1e-5)


def test_a_greyscale_input_takes_one_plane(folder):
    path = folder / "grey.mlpackage"
    network = torch.jit.trace(Double(), torch.zeros(1, 1, 4, 6))
    converted(network, path, inputs=[image_type(shape=(1, 1, 4, 6), color_layout=ct.colorlayout.GRAYSCALE)])
    evaluator = load_evaluator(path)
    grey = np.random.default_rng(0).integers(0, 256, (4, 6, 1), dtype=np.uint8)
    for pixels in (grey[None], pack(grey, "bgra8_nhwc")):
        (made,) = evaluator({"image": pixels}).values()
        np.testing.assert_array_equal(made[0, 0], 2.0 * grey[:, :, 0])
    coloured = pack(np.concatenate([grey, grey, 255 - grey], axis=2), "bgra8_nhwc")
    with pytest.raises(SamesightError, match="is greyscale, but these pixels have colours"):
        evaluator({"image": coloured})


def test_pixels_of_another_size_are_refused():
    with pytest.raises(SamesightError, match=r"takes uint8 pixels \[1, 4, 6, 4\] \(BGRA\), not \[1, 6, 4, 4\]"):
        planes_of(np.zeros((1, 6, 4, 4), np.uint8), ImageInput(6, 4, "RGB"))


def test_a_classifier_names_its_label(folder, digits_prepared, tensors):
    class Probabilities(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = digits_prepared.module

        def forward(self, image):
            return self.network(image)[0].softmax(1)

    labels = [f"digit {number}" for number in range(10)]
    program = torch.export.export(Probabilities(), (digits_prepared.example,))
    path = folder / "classifier.mlpackage"
    converted(program, path, "FLOAT16", classifier_config=ct.ClassifierConfig(labels))
    evaluator = load_evaluator(path)
    assert evaluator.classifier.classes == tuple(labels)
    for tensor in tensors[:4]:
        image = pack(tensor, "float32_nchw")
        outputs = evaluator({evaluator.inputs[0].declared.name: image})
        assert list(outputs) == [evaluator.classifier.probabilities]
        best = int(digits_prepared.module(torch.from_numpy(image))[0].argmax())
        assert evaluator.label(outputs) == f"digit {best}"


def test_values_overflow_where_they_are_stored_in_half_precision(folder):
    def body(x):
        return mb.mul(x=mb.mul(x=x, y=np.float16(200)), y=np.float16(0.005), name="y")

    path = built(folder / "overflow.mlpackage", body, mb.TensorSpec((1, 2), dtype=types.fp16), precision="FLOAT16")
    made = load_evaluator(path)({"x": np.array([[3, 400]], np.float32)})["y"]
    product = np.float16(np.float16(600) * np.float32(np.float16(0.005)))
    np.testing.assert_array_equal(made, np.array([[product, np.inf]], np.float32))


def test_what_depends_on_constants_alone_is_evaluated_once(folder):
    def body(x):
        return mb.add(x=x, y=mb.sin(x=mb.const(val=np.float32([1, 2]))), name="y")

    path = built(folder / "folded.mlpackage", body, mb.TensorSpec((2,)))
    evaluator = load_evaluator(path)
    assert [step.kind for step in evaluator.steps] == ["add"]
    np.testing.assert_allclose(evaluator({"x": np.zeros(2)})["y"], np.sin([1, 2]), rtol=1e-6)


def test_values_are_freed_after_their_last_use(digits):
    evaluator = load_evaluator(digits)
    kept = {evaluator.places[name] for name in evaluator.outputs}
    freed = [slot for step in evaluator.steps for slot in step.released]
    made = {slot for step in evaluator.steps for slot, _ in step.results}
    assert len(freed) == len(set(freed))
    assert set(freed) == (made | {evaluator.places["image"]}) - kept
    for position, step in enumerate(evaluator.steps):
        later = {argument[1] for other in evaluator.steps[position + 1 :] for argument in other.arguments}
        assert not later & set(step.released)


def test_the_walk_can_be_watched(digits, tensors):
    evaluator = load_evaluator(digits)
    image = {"image": pack(tensors[0], "bgra8_nhwc")}
    seen = list(evaluator.trace(image))
    assert [kind for _, kind, _ in seen] == [step.kind for step in evaluator.steps]
    assert seen[-1][0].name == "logits"
    np.testing.assert_array_equal(seen[-1][2], evaluator(image)["logits"])


def test_unknown_operators_are_all_named(folder):
    def body(x, grid):
        options = {"sampling_mode": "bilinear", "padding_mode": "constant", "padding_value": np.float32(0)}
        options |= {"coordinates_mode": "unnormalized", "align_corners": True}
        made = mb.resample(x=x, coordinates=grid, **options)
        return made, mb.random_normal(shape=np.int32([2, 3]))

    path = built(folder / "unknown.mlpackage", body, mb.TensorSpec((1, 2, 3, 4)), mb.TensorSpec((1, 3, 4, 2)))
    with pytest.raises(SamesightError) as caught:
        load_evaluator(path)
    assert "the evaluator has no random_normal (1), resample (1); " in str(caught.value)
    assert "\n" not in str(caught.value)


class Flexible(torch.nn.Module):
    """Shapes that depend on the input's."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, 2, 1)

    def forward(self, image):
        made = torch.nn.functional.interpolate(self.conv(image), scale_factor=2.0, mode="nearest")
        return made.reshape(1, 4, made.shape[2] * made.shape[3]).softmax(1)


def test_an_input_of_flexible_size(folder):
    torch.manual_seed(0)
    network, path = Flexible().eval(), folder / "flexible.mlpackage"
    side = ct.RangeDim(16, 64, 32)
    inputs = [ct.TensorType(name="image", shape=(1, 3, side, side))]
    converted(torch.jit.trace(network, torch.zeros(1, 3, 32, 32)), path, inputs=inputs)
    evaluator = load_evaluator(path)
    for height, width in ((32, 32), (40, 24)):
        image = torch.randn(1, 3, height, width)
        (made,) = evaluator({"image": image}).values()
        np.testing.assert_allclose(made, network(image).detach().numpy(), atol=1e-6)
    with pytest.raises(
        SamesightError, match=r"\(conv\) cannot be computed .* give inputs in a shape that the model takes"
    ):
        evaluator({"image": np.zeros((1, 3, 32), np.float32)})


def test_wrong_inputs_are_refused(digits):
    evaluator = load_evaluator(digits)
    with pytest.raises(SamesightError, match="takes image, not picture"):
        evaluator({"picture": np.zeros((1, 3, 32, 32))})
    with pytest.raises(SamesightError, match=r"has the shape \[1, 3, 32, 32\], not \[3, 32, 32\]"):
        evaluator({"image": np.zeros((3, 32, 32), np.float32)})
    with pytest.raises(SamesightError, match="not a classifier"):
        evaluator.label({})


def test_damaged_packages_are_one_sentence(digits, tmp_path):
    def copy(name):
        return shutil.copytree(digits, tmp_path / name)

    no_weights, no_manifest, cut = copy("a.mlpackage"), copy("b.mlpackage"), copy("c.mlpackage")
    shutil.rmtree((no_weights / MODEL).parent / "weights")
    (no_manifest / "Manifest.json").unlink()
    (cut / MODEL).write_bytes((cut / MODEL).read_bytes()[:-100])
    (tmp_path / "file.mlpackage").write_text("x")
    for name, sentence in (
        ("a.mlpackage", "coremltools cannot read its program"),
        ("b.mlpackage", "not a whole .mlpackage"),
        ("c.mlpackage", "not a whole .mlpackage"),
        ("file.mlpackage", "is not a folder"),
        ("none.mlpackage", "no such package"),
    ):
        with pytest.raises(SamesightError, match=sentence) as caught:
            load_evaluator(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_package_that_is_no_program_is_refused(digits, tmp_path):
    from coremltools.proto import Model_pb2

    copy = shutil.copytree(digits, tmp_path / "old.mlpackage")
    model = Model_pb2.Model(specificationVersion=4)
    model.neuralNetwork.SetInParent()
    (copy / MODEL).write_bytes(model.SerializeToString())
    with pytest.raises(SamesightError, match="holds a neuralNetwork, not an ML program"):
        load_evaluator(copy)


def test_a_shape_that_is_not_the_declared_one_is_a_fault(digits, tensors):
    evaluator = load_evaluator(digits)
    first = evaluator.steps[0]
    slot, declared = first.results[0]
    wrong = dataclasses.replace(first, results=((slot, dataclasses.replace(declared, shape=(1, 3, 9, 9))),))
    broken = dataclasses.replace(evaluator, steps=(wrong, *evaluator.steps[1:]))
    with pytest.raises(SamesightError, match=r"where the program declares \[1, 3, 9, 9\]"):
        broken({"image": pack(tensors[0], "bgra8_nhwc")})
