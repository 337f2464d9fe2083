"""A small classifier that really tells digits apart, as a run and as a prepared program; made once per session."""

import fcntl
import functools
import json
import os
from pathlib import Path

import pytest

from samesight.contract.spec import BoxCoding, Crop, Detection, Input, Letterbox, ModelSpec, Outputs, Slice

SIDE = 32


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A function (name, make): the folder that `make(folder)` fills, once for all processes of this test session."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def shared(name, make):
        folder, done = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                make(folder)
                done.touch()
        return folder

    return shared


@pytest.fixture(scope="session")
def kept_lines(shared_folder):
    """A function (name, make): the list of texts that `make()` gives, made once for all processes."""

    def write(folder, make):
        folder.mkdir()
        (folder / "lines.json").write_text(json.dumps(make()))

    def kept(name, make):
        return json.loads(
            (shared_folder(f"lines_{name}", lambda folder: write(folder, make)) / "lines.json").read_text()
        )

    return kept


@pytest.fixture(scope="session")
def digits_spec():
    return ModelSpec(
        name="digits",
        task="classification",
        input=Input(
            width=SIDE, height=SIDE, framing=Crop(resize_shorter=SIDE), mean=(0.5, 0.4, 0.3), std=(0.5, 0.6, 0.7)
        ),
        outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
        labels=tuple("0123456789"),
    )


@pytest.fixture(scope="session")
def boxes_spec():
    """Two classes on a grid of 8 x 6 cells of 4 pixels; other sides and another order of channels than the rest."""
    return ModelSpec(
        name="boxes",
        task="detection",
        input=Input(width=32, height=24, channels="bgr", framing=Letterbox(), mean=(0.5,) * 3, std=(0.25,) * 3),
        outputs=Outputs(
            tensors=("mixed",),
            roles={
                "boxes": Slice(tensor="mixed", channel_axis=1, start=0, stop=4),
                "logits": Slice(tensor="mixed", channel_axis=1, start=4, stop=6),
            },
            activation="sigmoid",
        ),
        detection=Detection(boxes=BoxCoding(coding="distances", unit="stride", strides=(4,)), score_threshold=0.3),
        labels=("dark", "light"),
    )


def small_network():
    """Random convolutions with BatchNorm, and a linear layer: 10 k parameters."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(1),
        nn.Linear(512, 10),
    )


def fitted_network(spec):
    """`small_network` whose last layer is fitted to the training digits by least squares: top-1 of 97 % in a second."""
    import torch

    from samesight.contract.image import Picture
    from samesight.contract.preprocess import preprocess
    from samesight.conversion.sources.server_model import normalise
    from samesight.datasets import open_data

    torch.set_num_threads(1)
    torch.manual_seed(0)
    train = open_data("digits", seed=0).train
    images = torch.cat([normalise(preprocess(Picture(e.pixels), spec.input)[0], spec.input) for e in train])
    wanted = torch.nn.functional.one_hot(torch.tensor([e.label for e in train]), 10).float() * 10 - 5
    network = small_network()
    body, head = network[:-1], network[-1]
    with torch.no_grad():
        for _ in range(3):
            body.train()(images)
        features = body.eval()(images)
        features = torch.cat([features, torch.ones(len(features), 1)], 1)
        weight = torch.linalg.solve(features.T @ features + 0.1 * torch.eye(513), features.T @ wanted)
        head.weight.copy_(weight[:-1].T)
        head.bias.copy_(weight[-1])
    return network.eval()


@pytest.fixture(scope="session")
def digits_run(shared_folder, digits_spec):
    """A run folder as training writes it, with 24 calibration images."""
    return shared_folder("digits_run", lambda folder: write_run(folder, digits_spec))


def write_run(folder: Path, spec):
    import torch
    from PIL import Image

    from samesight.datasets import open_data

    folder.mkdir()
    (folder / "model.json").write_text(spec.to_json())
    example = torch.zeros(1, 3, SIDE, SIDE)
    torch.export.save(torch.export.export(fitted_network(spec), (example,)), str(folder / "network.pt2"))
    record = {"schema_version": 1, "task": spec.task, "data": {"source": "digits", "seed": 0}, "metrics": {}}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "calibration").mkdir()
    train = open_data("digits", seed=0).train
    for number in range(24):
        Image.fromarray(train[number * 50].pixels).save(folder / "calibration" / f"{number:03d}.png")


@pytest.fixture(scope="session")
def digits_prepared(digits_run, digits_spec):
    from samesight.conversion.preparation.prepare import prepare
    from samesight.conversion.sources.server_model import load_program

    return prepare(load_program(digits_run / "network.pt2"), digits_spec)


@pytest.fixture(scope="session")
def boxes_prepared(boxes_spec):
    """An untrained detector with one mixed output, whose scores and boxes vary over the grid."""
    import torch
    from torch import nn

    from samesight.conversion.preparation.prepare import prepare

    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 6, 3, 2, 1), nn.Flatten(2)).eval()
    with torch.no_grad():
        network[2].weight.mul_(6)
        network[2].bias.copy_(torch.tensor([1.0, 1.5, 2.0, 2.5, -0.5, 0.5]))
    program = torch.export.export(network, (torch.zeros(1, 3, 24, 32),))
    return prepare(program, boxes_spec)


@pytest.fixture(scope="session")
def digits_inputs(digits_run, digits_spec):
    """The run's calibration images as input tensors uint8 [n, H, W, C]."""
    import numpy as np

    from samesight.contract.image import load_picture
    from samesight.contract.preprocess import preprocess

    files = sorted((digits_run / "calibration").glob("*.png"))
    return np.stack([preprocess(load_picture(path), digits_spec.input)[0] for path in files])


@pytest.fixture(scope="session")
def digits_quantized(digits_prepared, digits_inputs):
    from samesight.conversion.quantization.quantize import quantize

    return quantize(digits_prepared, digits_inputs)


@pytest.fixture(scope="session")
def boxes_quantized(boxes_prepared):
    from samesight.conversion.quantization.quantize import quantize
    from support.images import blobs

    return quantize(boxes_prepared, blobs(boxes_prepared.spec))


@pytest.fixture(scope="session")
def boxes_program(boxes_prepared, boxes_quantized):
    """A function (precision): the small detector quantized; where it is mixed, every third layer is float."""
    from samesight.conversion.precisions import PRECISIONS
    from samesight.conversion.quantization.layers import layers_of
    from samesight.conversion.quantization.mixed import quantize_mixed, quantize_wide
    from support.images import blobs

    @functools.cache
    def program(precision):
        images = blobs(boxes_prepared.spec)
        if precision == "w8a16":
            return quantize_wide(boxes_quantized, images)
        if precision == "mixed":
            layers = layers_of(boxes_prepared.module)
            schemes = {layer.node: "float" if number % 3 == 1 else "int8" for number, layer in enumerate(layers)}
            return quantize_mixed(boxes_quantized, schemes, images)
        return boxes_quantized if PRECISIONS[precision].calibrated else None

    return program


@pytest.fixture(scope="session")
def boxes_lowering(boxes_prepared, boxes_program):
    """A function (format, precision, folder): what its converter is asked for."""
    from samesight.conversion.formats import FORMATS
    from samesight.conversion.formats.interface import Lowering

    def lowering(name, precision, folder):
        output = folder / f"boxes.{precision}{FORMATS[name].suffix}"
        return Lowering(boxes_prepared.spec, precision, boxes_prepared, boxes_program(precision), output)

    return lowering


@pytest.fixture(scope="session")
def boxes_file(boxes_lowering, tmp_path_factory):
    """A function (format, precision): the file of the small detector, made once in each process."""
    from samesight.conversion.formats import FORMATS

    folder = tmp_path_factory.mktemp("boxes")

    @functools.cache
    def file(name, precision):
        return FORMATS[name].load_module().convert(boxes_lowering(name, precision, folder))

    return file
