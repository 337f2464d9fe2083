"""The sources of a conversion: a run, an exported program, or a person's own function. Free of torch.

A source is hashed without loading it, so that a conversion with nothing changed ends at once.
"""

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.bundle import MANIFEST
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.files import check_plain, file_sha256
from samesight.contract.limits import NETWORK_BYTES
from samesight.contract.spec import ModelSpec, read_spec
from samesight.conversion.sources.calibration import find_calibration_images
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
        network: the exported program (`.pt2`); None for a function, which a worker exports first.
        function: `module:function`, looked for in `folder` last.
        folder: the person's folder.
        calibration: images whose activations give int8 its ranges.
        ranges: activation ranges that quantization-aware training found; they replace the calibration.
        data: the test split; None for a model that we did not train.
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
    onnx: Path | None = None


def open_source(
    text: str, spec: ModelSpec | Path | None = None, calibration: Sequence[Path] | Path | None = None
) -> ModelSource:
    """Open the source that `text` names: a run folder, a `.pt2` or `.onnx` file, or `module:function`.

    Args:
        text: as given on the command line.
        spec: of a file or a function; or its `model.json`.
        calibration: images for a file or a function; or a folder of them.

    Raises:
        UsageError: an option is missing or does not belong here.
        SamesightError: no such source, or a file of it is missing or damaged.
    """
    path = Path(text)
    file = path.suffix in (".pt2", ONNX)
    if not file and path.exists() and not _looks_like_run(path) and (sentence := explain(path)):
        raise SamesightError(sentence)
    if path.is_dir():
        if spec or calibration:
            raise UsageError(
                f"{text} is a run, which holds its own spec and images; leave out --spec and --calibration"
            )
        return _open_run(text, path)
    function = _FUNCTION.fullmatch(text) and not path.exists()
    if not function and not file:
        raise SamesightError(f"{text}: no such source; give a run folder, a .pt2 or .onnx file or module:function")
    if not function and not path.is_file():
        writer = "torch.onnx.export" if path.suffix == ONNX else "torch.export.save"
        raise SamesightError(f"{text}: no such file; `{writer}` writes one")
    if spec is None or calibration is None:
        missing = " and ".join(
            name for name, value in (("--spec FILE", spec), ("--calibration FOLDER", calibration)) if value is None
        )
        raise UsageError(f"{text} is not a run, so it needs {missing} as well; docs/contract.md describes the spec")
    return ModelSource(
        title=text,
        spec=spec if isinstance(spec, ModelSpec) else read_spec(spec),
        network=path if path.suffix == ".pt2" else None,
        function=text if function else None,
        folder=Path.cwd(),
        calibration=find_calibration_images(calibration) if isinstance(calibration, Path) else tuple(calibration),
        onnx=path.absolute() if path.suffix == ONNX else None,
    )


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


def _looks_like_run(path: Path) -> bool:
    """Whether it is a folder of a run, finished or not, or a bundle."""
    return path.is_dir() and any((path / name).exists() for name in (MANIFEST, *RUN_FILES))


def _open_run(text: str, folder: Path) -> ModelSource:
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
