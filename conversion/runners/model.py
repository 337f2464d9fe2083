"""Models that can be called with an image and return answers: a bundle's artifact or a run's server model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from samesight.contract.answers import Answer, answers
from samesight.contract.bundle import Bundle, is_run, open_bundle
from samesight.contract.errors import SamesightError
from samesight.contract.image import Picture, load_picture
from samesight.contract.manifest import Artifact
from samesight.contract.preprocess import Geometry, preprocess
from samesight.contract.spec import ModelSpec, Role
from samesight.conversion.npu.words import cannot_run_here
from samesight.conversion.quiet import mute
from samesight.conversion.runners import runner_of
from samesight.conversion.runners.isolated import Runtimes

Image = Path | str | Picture | npt.NDArray[np.uint8]
PREFERRED = (
    ("onnx", "fp32"),
    ("litert", "fp32"),
    ("executorch", "fp32"),
    ("exported", "fp32"),
    ("torchscript", "fp32"),
)


@dataclass(frozen=True)
class CallableModel:
    """Callable with an image: a path, a `Picture`, or uint8 [H, W, 3] RGB pixels.

    `run` maps the input tensor uint8 [H, W, C] to raw outputs per role.
    """

    name: str
    spec: ModelSpec
    run: Callable[[npt.NDArray[np.uint8]], dict[Role, npt.NDArray[np.float32]]]

    def __call__(self, image: Image, upright: bool = False) -> list[Answer]:
        """The answers, best first; boxes in pixels of the stored image (or of the upright one)."""
        outputs, geometry = self.outputs(image)
        return answers(outputs, self.spec, geometry, upright=upright)

    def outputs(self, image: Image) -> tuple[dict[Role, npt.NDArray[np.float32]], Geometry]:
        """Raw outputs per role, and the geometry with which `contract.answers.answers` decodes them."""
        tensor, geometry = preprocess(as_picture(image, self.spec), self.spec.input)
        return self.run(tensor), geometry


def as_picture(image: Image, spec: ModelSpec) -> Picture:
    """Any accepted image as a picture; transparent pixels of files become the spec's background."""
    if isinstance(image, Picture):
        return image
    if isinstance(image, np.ndarray):
        return Picture(image)
    return load_picture(Path(image), spec.input.background)


def reference_artifact(bundle: Bundle) -> Artifact | None:
    """The fp32 artifact that loads fastest here."""
    return next((a for kind in PREFERRED for a in bundle.manifest.artifacts if (a.format, a.precision) == kind), None)


def open_artifact(bundle: Bundle, name: str | None = None) -> CallableModel:
    """An artifact of a bundle; without a name its fp32 artifact that loads fastest.

    Raises:
        SamesightError: no such artifact, or nothing here runs it.
    """
    artifact = bundle.find(name) if name else reference_artifact(bundle) or bundle.manifest.artifacts[0]
    runner = runner_of(artifact.format, artifact.unit)
    if missing := cannot_run_here(artifact) or runner.missing():
        raise SamesightError(f"{artifact.name}: {missing}, or take another artifact")
    path = bundle.path(artifact)
    with _naming(path):
        loaded = Runtimes().load(runner, path, artifact)

    def run(tensor: npt.NDArray[np.uint8]) -> dict[Role, npt.NDArray[np.float32]]:
        with _naming(path):
            return loaded(tensor)

    return CallableModel(artifact.name, bundle.spec, run)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A runtime's own error, or the sentence about its end, begins with the file."""
    try:
        yield
    except SamesightError as error:
        sentence = str(error)
        raise SamesightError(
            sentence if sentence.startswith(str(path)) else f"{path}: {sentence}; get it again, or convert again"
        ) from None


def open_model(path: Path, artifact: str | None = None) -> CallableModel:
    """The model at a path: a bundle's artifact, or a run's server model.

    Raises:
        SamesightError: neither a bundle nor a run, or no such artifact.
    """
    if is_run(path):
        if artifact:
            raise SamesightError(f"{path}: is a run, which has no artifact {artifact!r}; give a bundle")
        from samesight.contract.spec import read_spec
        from samesight.conversion.sources.server_model import load_server

        spec = read_spec(path / "model.json")
        with mute():
            server = load_server(path / "network.pt2", spec)
        return CallableModel("server model", spec, server.outputs)
    return open_artifact(open_bundle(path), artifact)
