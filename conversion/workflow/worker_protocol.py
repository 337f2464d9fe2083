"""What a worker is told (`Job`) and what it reports (`Event`); free of torch and of the formats."""

from collections.abc import Callable
from typing import Literal

from samesight.contract.documents import Document, Strict
from samesight.contract.manifest import Artifact
from samesight.contract.spec import ModelSpec
from samesight.conversion.environments import MAIN
from samesight.conversion.precisions import PrecisionName
from samesight.conversion.workflow.search_job import SearchJob

GOLDEN = "golden cases"
CHECKS = "network checks"
EXPORT = "exported network"
INTERCHANGE = "ONNX for other routes"
RECIPE = "recipe"


class CompileJob(Strict):
    """Compile the artifact `source`, whose file is at `path`, for the NPU of a chip; `tools` are the compiler's."""

    chip: str
    source: Artifact
    path: str
    tools: dict[str, str]


class TargetJob(Strict):
    """One artifact to make: written to `output`, called `name`, and `file` in the bundle."""

    name: str
    file: str
    format: str
    precision: PrecisionName
    output: str
    compile: CompileJob | None = None


class GoldenJob(Strict):
    """Golden cases (and server.json where there is test data) to be written into the folder `output`.

    `onnx` is the file that answers as the server model, where it is not the job's network.
    """

    output: str
    source: str | None
    seed: int
    skip_damaged: bool = False
    onnx: str | None = None


class Job(Document):
    """What one worker does.

    `function`, where given, is built, with `weights` or `random_weights`, and exported to `network` first; nothing
    else is ever done with a person's code. The file `onnx`, where given, is read and exported likewise;
    where its network cannot be had, an ONNX file is written beside `network`, and the event says why.
    `environment` is the row of `ENVIRONMENTS` that it runs in. `checks` is the folder for `network.json`.
    `interchange` is where the ONNX file is written that other routes start from; their jobs have it as `network`.
    `kept_calibration` is a file that the workers of one conversion share, so that one of them calibrates.
    `search` is a search of the recipe, `recipe` the file of the one that `mixed` artifacts are made by.
    """

    schema_version: Literal[1] = 1
    spec: ModelSpec
    environment: str = MAIN
    network: str
    function: str | None = None
    weights: str | None = None
    random_weights: bool = False
    folder: str = "."
    calibration: tuple[str, ...] = ()
    ranges: str | None = None
    kept_calibration: str | None = None
    golden: GoldenJob | None = None
    checks: str | None = None
    interchange: str | None = None
    search: SearchJob | None = None
    recipe: str | None = None
    targets: tuple[TargetJob, ...] = ()
    onnx: str | None = None

    @property
    def items(self) -> tuple[str, ...]:
        """The names of all that is to be made, in order."""
        return (
            *((EXPORT,) if self.function or self.onnx else ()),
            *((RECIPE,) if self.search else ()),
            *((GOLDEN,) if self.golden else ()),
            *((CHECKS,) if self.checks else ()),
            *((INTERCHANGE,) if self.interchange else ()),
            *(target.name for target in self.targets),
        )


class Event(Strict):
    """A change of state of one item; one JSON line of a worker's output.

    Attributes:
        kind: `waiting` and `cached` come from the command itself, the others from a worker. `step` is a step of the
            item begun last.
        name: the item: an artifact, the golden cases, the network checks, the exported network, the recipe or the ONNX
            file for other routes.
        text: failed: the reason; end: a note for the user, if any; step: what is done now.
        seconds: end: what the item took.
        artifact: end: the artifact's entry in the manifest.
        ranges: end: hash of the activation ranges and weights of an int8 artifact.
        peak_bytes: end: peak memory of the worker so far.
        fatal: failed: all other items would fail for the same reason (the disk is full).
    """

    kind: Literal["waiting", "cached", "begin", "step", "end", "failed"]
    name: str = ""
    text: str = ""
    seconds: float = 0.0
    artifact: Artifact | None = None
    ranges: str | None = None
    peak_bytes: int = 0
    fatal: bool = False


Emit = Callable[[Event], None]
