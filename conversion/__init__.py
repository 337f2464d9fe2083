"""From Python: `import conversion; bundle = conversion.convert("runs/digits", "digits")`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conversion.api import ModelBundle

__all__ = ["convert", "open_bundle"]


def convert(
    source: str | Path,
    out: str | Path,
    to: Sequence[str] = (),
    precision: Sequence[str] = (),
    spec: str | Path | None = None,
    calibration: str | Path | None = None,
    cache: bool = True,
) -> "ModelBundle":
    """Convert a model and give its bundle: `bundle.artifact("digits.int8.tflite")(image)` answers an image.

    Args:
        source: a run folder, a `.pt2` file, or `module:function`.
        out: the bundle's folder; a bundle there is replaced when the new one is whole, anything else is left alone.
        to: formats by name or suffix; all by default.
        precision: all that each format can hold by default.
        spec: the `model.json` of a `.pt2` or function.
        calibration: a folder of images for a `.pt2` or function.
        cache: whether results of earlier conversions may be used, and these kept.

    Raises:
        contract.errors.UsageError: the request contradicts itself.
        conversion.api.PartialError: some artifacts could not be made; its `bundle` has the others.
        contract.errors.SamesightError: none could be made; the bundle that stood there stands as it was.
    """
    from conversion.api import convert_to_bundle

    return convert_to_bundle(source, out, to, precision, spec, calibration, cache)


def open_bundle(folder: str | Path) -> "ModelBundle":
    """Open and check a bundle that was made before.

    Raises:
        contract.errors.SamesightError: not a bundle, or one that was changed.
    """
    from conversion.api import open_model_bundle

    return open_model_bundle(folder)
