"""Sources that a Python program holds in memory: a network, a spec, calibration images.

Workers read files, so a network is exported to a `.pt2` and images are written as PNG, without loss, into a folder
that exists as long as the conversion.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import ValidationError

from samesight.contract.documents import first_problem
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.image import Picture
from samesight.contract.spec import ModelSpec, read_spec
from samesight.conversion.sources.calibration import MOST_IMAGES, find_calibration_images
from samesight.conversion.sources.source import ModelSource, open_source

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module

Spec = ModelSpec | Mapping[str, Any] | str | Path
Images = str | Path | Sequence[str | Path] | Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8]


def open_in_memory(
    source: "str | Path | Module | ExportedProgram",
    spec: Spec | None,
    calibration: Images | None,
    folder: Path,
    weights: str | Path | None = None,
    random_weights: bool = False,
) -> ModelSource:
    """Like `open_source`, for objects too, which are written as files below `folder`.

    Args:
        source: as `open_source` takes it, a `torch.nn.Module` or an exported program.
        spec: of a network: a `ModelSpec`, a dictionary with the fields of `model.json`, or the file's path.
        calibration: images for a network: a folder, paths, or arrays uint8 [H, W, 3] in RGB (or [n, H, W, 3]).
        folder: empty.
        weights: a file of weights for a function or a named network.
        random_weights: convert a named network with weights that mean nothing.

    Raises:
        UsageError: an argument is missing or does not belong here.
        SamesightError: no such source, or a part of it is missing, damaged or cannot be exported.
    """
    model_spec = None if spec is None else as_spec(spec)
    images = None if calibration is None else as_image_files(calibration, folder / "calibration")
    if isinstance(source, str | Path):
        return open_source(str(source), model_spec, images, Path(weights) if weights else None, random_weights)
    title = type(source).__name__
    if weights or random_weights:
        raise UsageError(f"{title} is a network with its weights; leave out weights and random_weights")
    if model_spec is None or images is None:
        missing = " and ".join(n for n, value in (("spec", model_spec), ("calibration", images)) if value is None)
        raise UsageError(
            f"{title} is a network in memory, so it needs {missing} as well; docs/contract.md describes the spec"
        )
    return ModelSource(
        title=title,
        spec=model_spec,
        network=_save(source, model_spec, title, folder / "network.pt2"),
        function=None,
        folder=Path.cwd(),
        calibration=images,
    )


def as_spec(spec: Spec) -> ModelSpec:
    """A spec from an object, a dictionary or a file.

    Raises:
        SamesightError: it contradicts itself; the sentence names the field.
    """
    if isinstance(spec, ModelSpec):
        return spec
    if isinstance(spec, str | Path):
        return read_spec(Path(spec))
    try:
        return ModelSpec.model_validate(dict(spec))
    except ValidationError as error:
        raise SamesightError(f"spec: {first_problem(error)}; docs/contract.md describes the spec") from None


def as_image_files(images: Images, folder: Path) -> tuple[Path, ...]:
    """Calibration images as files: those of a folder, those that are named, or arrays written to `folder` as PNG.

    Raises:
        UsageError: none, or a mixture of paths and arrays.
        SamesightError: no such folder, or an array that is no RGB image.
    """
    if isinstance(images, str | Path):
        return find_calibration_images(Path(images))
    if len(images) == 0:
        raise UsageError(f"calibration: holds no image; give some {MOST_IMAGES} that the model will see")
    if all(isinstance(image, str | Path) for image in images):
        return tuple(Path(str(image)) for image in images)
    if not all(isinstance(image, np.ndarray) for image in images):
        raise UsageError("calibration: give a folder, paths of images, or arrays uint8 [H, W, 3] in RGB")
    folder.mkdir()
    paths = []
    for number, pixels in enumerate(images):
        path = folder / f"{number:05d}.png"
        Image.fromarray(_picture(pixels, number).pixels).save(path, compress_level=1)
        paths.append(path)
    return tuple(paths)


def _picture(pixels: Any, number: int) -> Picture:
    try:
        return Picture(pixels)
    except SamesightError as error:
        raise SamesightError(f"calibration: image {number}: {error}") from None


def _save(source: "Module | ExportedProgram", spec: ModelSpec, title: str, path: Path) -> Path:
    import torch

    from samesight.conversion.sources.export import export_network, refuse_other_precisions

    if isinstance(source, torch.export.ExportedProgram):
        refuse_other_precisions(source, title)
        program = source
    elif isinstance(source, torch.nn.Module):
        # A copy, because exporting changes the network's device and mode.
        program = export_network(copy.deepcopy(source), spec.input, title)
    else:
        raise UsageError(
            f"a {title} cannot be converted; give a run folder, a .pt2 file, module:function or a torch.nn.Module"
        )
    torch.export.save(program, str(path))
    return path
