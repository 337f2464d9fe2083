"""The sources of a conversion: a run, an exported program, an ONNX file, a name in a library, or a person's function.

Free of torch, unless a library is asked for its names. A source is hashed without loading it, so that a conversion with
nothing changed ends at once.
"""

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.bundle import MANIFEST
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.files import check_plain, file_sha256
from samesight.contract.limits import NETWORK_BYTES
from samesight.contract.spec import ModelSpec, read_spec
from samesight.conversion.sources import hugging_face
from samesight.conversion.sources.calibration import find_calibration_images
from samesight.conversion.sources.library import Wishes, is_named, propose_spec, random_name
from samesight.conversion.sources.unsuitable import explain

NETWORK = "network.pt2"
ONNX = ".onnx"
RUN_FILES = ("model.json", NETWORK, "run.json", "calibration")
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class TestData:
    """Where the test split comes from: `samesight.datasets.open_data(source, task, seed).test`.

    With `skip_damaged` the run was trained without those of its images that cannot be read.
    """

    source: str
    seed: int
    skip_damaged: bool = False


@dataclass(frozen=True)
class ModelSource:
    """One model with all that its conversion reads.

    Attributes:
        title: as the person named it; begins every error message about it.
        spec: its contract.
        network: the exported program (`.pt2`); None for what a worker builds and exports first.
        function: what it builds: `module:function`, looked for in `folder` last; `timm:NAME`, `torchvision:NAME`, or
            the path of a folder in Hugging Face's form.
        folder: the person's folder.
        calibration: images whose activations give int8 its ranges.
        ranges: activation ranges that quantization-aware training found; they replace the calibration.
        data: the test split; None for a model that we did not train.
        weights: a file of weights for what is built.
        random_weights: a named network has random weights.
        notes: what a person should know about it.
        onnx: an `.onnx` file, which a worker reads as a network first; ONNX Runtime is its server model.
    """

    title: str
    spec: ModelSpec
    network: Path | None
    function: str | None
    folder: Path
    calibration: tuple[Path, ...]
    ranges: Path | None = None
    data: TestData | None = None
    weights: Path | None = None
    random_weights: bool = False
    notes: tuple[str, ...] = ()
    onnx: Path | None = None


@dataclass(frozen=True)
class Request:
    """What a person names, with the options beside it (as `open_source` takes them)."""

    text: str
    spec: ModelSpec | Path | None
    calibration: Sequence[Path] | Path | None
    weights: Path | None
    random_weights: bool

    @property
    def path(self) -> Path:
        """The text as a path; there need not be a file."""
        return Path(self.text)


def open_source(
    text: str,
    spec: ModelSpec | Path | None = None,
    calibration: Sequence[Path] | Path | None = None,
    weights: Path | None = None,
    random_weights: bool = False,
) -> ModelSource:
    """Open the source that `text` names: one of `KINDS`.

    Args:
        text: as given on the command line.
        spec: of anything but a run; or its `model.json`. Libraries have specs of their own networks.
        calibration: images for anything but a run; or a folder of them.
        weights: a file of weights for a function or a named network.
        random_weights: convert a named network with weights that mean nothing.

    Raises:
        UsageError: an option is missing or does not belong here.
        SamesightError: no such source, or a file of it is missing or damaged.
    """
    request = Request(text, spec, calibration, weights, random_weights)
    for kind in KINDS:
        if kind.matches(request):
            return kind.open(request)
    path = request.path
    if path.exists() and (sentence := explain(path)):
        raise SamesightError(sentence)
    *titles, last = (kind.title for kind in KINDS)
    raise SamesightError(f"{text}: no such source; give {', '.join(titles)} or {last}")


def program_sha256(network: Path) -> str:
    """The content hash of an exported program; the file name under which it was saved does not matter.

    Raises:
        SamesightError: not an exported program, or cut off.
    """
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(check_plain(network)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > NETWORK_BYTES:
                raise zipfile.BadZipFile(f"more than {NETWORK_BYTES:,} bytes inside")
            # torch names the archive's one folder after the file that it was first saved to.
            for name in sorted(archive.namelist(), key=_inside):
                digest.update(f"{_inside(name)}\0".encode() + hashlib.sha256(archive.read(name)).digest())
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise SamesightError(f"{network}: damaged or not an exported program ({error}); export it again") from None
    except OSError as error:
        raise SamesightError(
            f"{network}: cannot be read ({error.strerror or error}); check it and its rights"
        ) from None
    return digest.hexdigest()


def images_sha256(images: Sequence[Path]) -> str:
    """The content hash of images in their order; their names do not matter."""
    return hashlib.sha256("".join(file_sha256(image) for image in images).encode()).hexdigest()


def data_fingerprint(data: TestData | None) -> str:
    """A hash over names, sizes and times of a test split's files: it changes when the images may have changed."""
    if data is None:
        return ""
    kind, _, location = data.source.partition(":")
    digest = hashlib.sha256(f"{data.source} {data.seed}".encode())
    for part in (location.split(",") if kind == "coco" else [location]) if location else []:
        root = Path(part)
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file():
                state = path.stat()
                digest.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _is_function(request: Request) -> bool:
    return bool(_FUNCTION.fullmatch(request.text)) and not request.path.exists()


def _looks_like_run(path: Path) -> bool:
    """Whether it is a folder of a run, finished or not, or a bundle."""
    return path.is_dir() and any((path / name).exists() for name in (MANIFEST, *RUN_FILES))


def _refuse(request: Request, what: str, *names: str) -> None:
    """Options that do not belong to a kind of source."""
    options = {
        "--spec": request.spec,
        "--calibration": request.calibration,
        "--weights": request.weights,
        "--random-weights": request.random_weights or None,
    }
    if any(options[name] is not None for name in names):
        listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
        raise UsageError(f"{request.text} is {what}; leave out {listed}")


def _complete(request: Request, own_spec: bool = False) -> None:
    """What is no run needs a spec, unless its library has one, and calibration images."""
    given = {"--spec FILE": own_spec or request.spec, "--calibration FOLDER": request.calibration}
    if missing := [name for name, value in given.items() if not value]:
        hint = f"`samesight spec {request.text}` proposes a spec"
        end = "" if own_spec or request.spec else f"; {hint}"
        raise UsageError(f"{request.text} is not a run, so it needs {' and '.join(missing)} as well{end}")


def _spec(request: Request) -> ModelSpec:
    assert request.spec is not None
    return request.spec if isinstance(request.spec, ModelSpec) else read_spec(request.spec)


def _calibration(request: Request) -> tuple[Path, ...]:
    assert request.calibration is not None
    images = request.calibration
    return find_calibration_images(images) if isinstance(images, Path) else tuple(images)


def _open_program(request: Request) -> ModelSource:
    if not request.path.is_file():
        raise SamesightError(f"{request.text}: no such file; `torch.export.save` writes one")
    _refuse(request, "a program with its weights", "--weights", "--random-weights")
    _complete(request)
    return ModelSource(request.text, _spec(request), request.path, None, Path.cwd(), _calibration(request))


def _open_onnx(request: Request) -> ModelSource:
    if not request.path.is_file():
        raise SamesightError(f"{request.text}: no such file; `torch.onnx.export` writes one")
    _refuse(request, "an ONNX file with its weights", "--weights", "--random-weights")
    _complete(request)
    path = request.path.absolute()
    return ModelSource(request.text, _spec(request), None, None, Path.cwd(), _calibration(request), onnx=path)


def _open_function(request: Request) -> ModelSource:
    _refuse(request, "a function, which gives its network weights", "--random-weights")
    _complete(request)
    spec, calibration, weights = _spec(request), _calibration(request), _weights(request)
    return ModelSource(request.text, spec, None, request.text, Path.cwd(), calibration, weights=weights)


def _open_named(request: Request) -> ModelSource:
    if request.weights and request.random_weights:
        raise UsageError("--weights and --random-weights exclude each other; leave one out")
    weights = _weights(request)
    random = request.random_weights
    _complete(request, own_spec=True)
    calibration = _calibration(request)
    spec = _spec(request) if request.spec else propose_spec(request.text, weights, Wishes(), random)
    if random:
        spec = spec.model_copy(update={"name": random_name(spec.name)})
    note = f"{request.text} has RANDOM WEIGHTS (--random-weights): its answers mean nothing"
    return ModelSource(
        title=request.text,
        spec=spec,
        network=None,
        function=request.text,
        folder=Path.cwd(),
        calibration=calibration,
        weights=weights,
        random_weights=random,
        notes=(note,) if random else (),
    )


def _open_hugging_face(request: Request) -> ModelSource:
    _refuse(request, "a model with its weights", "--weights", "--random-weights")
    _complete(request, own_spec=True)
    spec = _spec(request) if request.spec else hugging_face.propose(request.path, Wishes())
    return ModelSource(request.text, spec, None, str(request.path.resolve()), Path.cwd(), _calibration(request))


def _weights(request: Request) -> Path | None:
    if request.weights is not None and not check_plain(request.weights).is_file():
        raise SamesightError(f"{request.weights}: no such file; check --weights")
    return request.weights


def _open_run(request: Request) -> ModelSource:
    text, folder = request.text, request.path
    _refuse(request, "a run, which holds its own spec and images", "--spec", "--calibration")
    _refuse(request, "a run, which holds its own weights", "--weights", "--random-weights")
    if (folder / MANIFEST).exists():
        raise SamesightError(f"{text}: is a bundle, made already; give the run or the network that it was made of")
    for name in RUN_FILES:
        if not check_plain(folder / name).exists():
            raise SamesightError(f"{text}: not a finished run (it has no {name}); `samesight train` makes one")
    ranges = folder / "quantization.json"
    return ModelSource(
        title=text,
        spec=read_spec(folder / "model.json"),
        network=folder / NETWORK,
        function=None,
        folder=Path.cwd(),
        calibration=find_calibration_images(folder / "calibration"),
        ranges=ranges if check_plain(ranges).exists() else None,
        data=_read_data(folder / "run.json"),
    )


def _read_data(path: Path) -> TestData:
    try:
        run = json.loads(path.read_bytes())
        data, config = run["data"], run.get("config", {})
        return TestData(str(data["source"]), int(data["seed"]), config.get("skip_damaged") is True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise SamesightError(
            f"{path}: does not say which data and seed the run was trained on; train it again"
        ) from None


def _inside(name: str) -> str:
    return name.partition("/")[2]


@dataclass(frozen=True)
class Kind:
    """One row of `KINDS`.

    Attributes:
        title: as sentences name it.
        matches: whether a request is of this kind.
        open: the source (errors as in `open_source`).
        proposed: whether `samesight spec` proposes its spec.
    """

    title: str
    matches: Callable[[Request], bool]
    open: Callable[[Request], ModelSource]
    proposed: bool = True


# In this order: the first that matches opens the source.
KINDS: tuple[Kind, ...] = (
    Kind("a run folder", lambda request: _looks_like_run(request.path), _open_run, proposed=False),
    Kind("a .pt2 file", lambda request: request.path.suffix == ".pt2", _open_program),
    Kind("an .onnx file", lambda request: request.path.suffix == ONNX, _open_onnx),
    Kind(
        "a folder in Hugging Face's form",
        lambda request: hugging_face.is_model_folder(request.path),
        _open_hugging_face,
    ),
    Kind("timm:NAME or torchvision:NAME", lambda request: is_named(request.text), _open_named),
    Kind("module:function", _is_function, _open_function),
)
