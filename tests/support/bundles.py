"""A tiny bundle for tests: one made-up artifact file, two golden cases."""

from pathlib import Path

import numpy as np

from samesight.contract.answers import answers
from samesight.contract.bundle import Bundle, open_bundle, replacing_bundle, seal
from samesight.contract.golden import GoldenCase, Yuv, write_cases
from samesight.contract.image import Picture
from samesight.contract.manifest import Artifact, TensorInfo
from samesight.contract.orientation import UPRIGHT, Orientation
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Input, ModelSpec, Outputs, Slice
from samesight.contract.yuv import rgb_to_yuv420, yuv420_from_bytes, yuv420_to_rgb
from samesight.conversion.formats import FORMATS

SPEC = ModelSpec(
    name="tiny",
    task="classification",
    input=Input(width=8, height=6, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    outputs=Outputs(tensors=("logits",), roles={"logits": Slice(tensor="logits")}, activation="softmax"),
    labels=("cat", "dog", "fish"),
)


def artifact(name: str = "tiny.fp32.onnx", format: str = "onnx", precision: str = "fp32") -> Artifact:
    return Artifact(
        name=name,
        file=f"artifacts/{name}",
        format=format,
        precision=precision,
        platforms=FORMATS[format].platforms,
        runtime="ONNX Runtime",
        runtime_version="1.0",
        input_layout="float32_nchw",
        input=TensorInfo(name="image", role="image", shape=(1, 3, 6, 8), dtype="float32", layout="nchw"),
        outputs=(TensorInfo(name="logits", role="logits", shape=(1, 3), dtype="float32"),),
        tools={"onnx": "1"},
        bytes=0,
    )


def case(number: int, orientation: Orientation = UPRIGHT) -> GoldenCase:
    random = np.random.default_rng(number)
    data = rgb_to_yuv420(random.integers(0, 256, (7, 9, 3), dtype=np.uint8), "nv12")
    picture = Picture(yuv420_to_rgb(yuv420_from_bytes(data, 9, 7, "nv12")), orientation)
    tensor, geometry = preprocess(picture, SPEC.input)
    outputs = {"logits": random.normal(size=(1, 3)).astype(np.float32)}
    return GoldenCase(
        f"{number:03d}",
        picture,
        Yuv("nv12", "bt601", "video", data) if number % 2 else None,
        tensor,
        outputs,
        tuple(answers(outputs, SPEC, geometry)),
    )


def write_bundle(folder: Path, content: bytes = b"weights") -> Bundle:
    with replacing_bundle(folder) as new:
        (new / "model.json").write_text(SPEC.to_json())
        (new / "artifacts").mkdir()
        (new / "artifacts/tiny.fp32.onnx").write_bytes(content)
        (new / "artifacts/tiny.fp16.mlpackage").mkdir()
        (new / "artifacts/tiny.fp16.mlpackage/Manifest.json").write_bytes(b"{}")
        write_cases(new, [case(0), case(1, Orientation(1, True))])
        (new / "server.json").write_text("{}")
        seal(new, SPEC, (artifact(), artifact("tiny.fp16.mlpackage", "coreml", "fp16")), None, "0")
    return open_bundle(folder)
