"""manifest.json: every file of a bundle with its hash, and the tensors of each artifact."""

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from samesight.contract.documents import Document, Int32, Int64, Length, Strict, parse_document
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import TensorLayout
from samesight.contract.text import is_unprintable

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Unit = Literal["cpu", "gpu", "npu"]
Platform = Literal["android", "ios"]
# A chip as Android's Build.SOC_MODEL names it, such as SM8650 or Tensor G3.
Soc = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,63}$")]


def check_relative(path: str) -> str:
    """A path inside a bundle: relative, with '/', no '..', no drive, no empty part.

    Raises:
        ValueError: anything else.
    """
    parts = PurePosixPath(path).parts
    if (
        not parts
        or path.startswith("/")
        or "\\" in path
        or ":" in path
        or any(is_unprintable(character) for character in path)
        or str(PurePosixPath(path)) != path
    ):
        raise ValueError(f"{path!r} is not a plain path inside the bundle")
    if ".." in parts or "." in parts:
        raise ValueError(f"{path!r} leaves the bundle")
    return path


BundlePath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_relative)]


class FileEntry(Strict):
    """One file of the bundle: its length and content hash."""

    path: BundlePath
    bytes: Length
    sha256: Sha256


class TensorInfo(Strict):
    """One input or output of an artifact.

    `dtype` is that of the array passed in or returned. With a scale, real = (q - zero_point) * scale in float32.
    `signature` is the format's own name for the tensor where it differs from `name`.
    """

    name: str
    role: Literal["image"] | Role
    shape: tuple[Int32, ...]
    dtype: Literal["int8", "uint8", "float16", "float32"]
    layout: Literal["nhwc", "nchw", ""] = ""
    scale: float | None = None
    zero_point: Int32 | None = None
    signature: str | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.scale is None) != (self.zero_point is None):
            raise ValueError(f"tensor {self.name!r} has only one of scale and zero_point")
        return self


CALIBRATION = "calibration"


class LeftOperator(Strict):
    """Operators of one kind that an NPU leaves to the CPU, and why."""

    kind: str
    count: Int32
    reason: str


class Plan(Strict):
    """What an NPU takes of a network that was compiled ahead of time: its operators, in so many pieces, but `left`."""

    pieces: Int32
    operators: Int32
    left: tuple[LeftOperator, ...] = ()


class Artifact(Strict):
    """One file (or, for Core ML, one folder) of one format at one precision for one unit; `platforms` load it.

    `unit` is what it was made for: "npu" of what was compiled ahead of time, "gpu" of a program for Vulkan, "cpu" of
    all that runs anywhere. `soc` are the chips that can run it; None or empty where that is not known to be limited.
    `delegated` is the share of operators that a delegate or an NPU takes, `plan` more of an NPU's. `tools` are versions
    by the tool's name; where int8 was calibrated, `CALIBRATION` stands among them with the steps and what each bought.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
    file: BundlePath
    format: str
    precision: str
    unit: Unit = "cpu"
    platforms: tuple[Platform, ...] = ()
    runtime: str
    runtime_version: str
    os_minimum: dict[str, str] = Field(default_factory=dict)
    soc: tuple[Soc, ...] | None = None
    input_layout: TensorLayout
    input: TensorInfo
    outputs: tuple[TensorInfo, ...]
    tools: dict[str, str]
    delegated: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    plan: Plan | None = None
    bytes: Length


class DataSource(Strict):
    """Where the test split comes from, and the server model's metric on it."""

    source: str
    seed: Int64
    split: Literal["test"] = "test"
    metric_name: str | None = None
    metric: float | None = None


class Manifest(Document):
    """Everything in a bundle; `files` lists all but manifest.json, parity.json, signature.json and report.html."""

    schema_version: Literal[2] = 2
    model: str
    samesight: str
    data: DataSource | None = None
    artifacts: tuple[Artifact, ...]
    files: tuple[FileEntry, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        paths = [entry.path for entry in self.files]
        if len(set(paths)) != len(paths):
            raise ValueError("a file is listed twice")
        names = [artifact.name for artifact in self.artifacts]
        if len(set(names)) != len(names):
            raise ValueError("two artifacts have the same name")
        for artifact in self.artifacts:
            if not any(path == artifact.file or path.startswith(artifact.file + "/") for path in paths):
                raise ValueError(f"artifact {artifact.name!r}: its file {artifact.file!r} is not listed")
        return self


def parse_manifest(text: str | bytes, source: str) -> Manifest:
    """Read a manifest from JSON (errors as in `documents.parse_document`)."""
    return parse_document(Manifest, text, source)
