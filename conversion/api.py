"""Conversion from Python: `samesight.convert`, `samesight.verify` and `samesight.open_bundle`."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from samesight.contract import bundle as bundle_files
from samesight.contract.bundle import Bundle
from samesight.contract.errors import SamesightError
from samesight.contract.verdicts import Verdicts
from samesight.conversion.cache_folder import default_root
from samesight.conversion.npu.chips import find_chips
from samesight.conversion.sources.in_memory import Images, Spec, open_in_memory
from samesight.conversion.workflow.cache import Cache
from samesight.conversion.workflow.convert import convert_source, failure_sentences
from samesight.conversion.workflow.mixing import read_wish
from samesight.conversion.workflow.plan import choose, for_chips

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module

    from samesight.conversion.runners.model import CallableModel


@dataclass(frozen=True)
class ModelBundle(Bundle):
    """A bundle whose artifacts can be loaded and called."""

    def artifact(self, name: str) -> "CallableModel":
        """Load an artifact: called with an image (path, picture or RGB pixels), it answers as the server model does.

        Raises:
            SamesightError: no such artifact, or nothing here runs it.
        """
        from samesight.conversion.runners.model import open_artifact

        return open_artifact(self, name)


class PartialError(SamesightError):
    """Some artifacts could not be made. `bundle` has the others, `failures` why, by name."""

    def __init__(self, bundle: ModelBundle, failures: dict[str, str]) -> None:
        """One sentence about all of them."""
        self.bundle, self.failures = bundle, failures
        super().__init__("; ".join(failure_sentences(failures)))


def convert(
    source: "str | Path | Module | ExportedProgram",
    out: str | Path,
    to: Sequence[str] = (),
    precision: Sequence[str] = (),
    spec: Spec | None = None,
    calibration: Images | None = None,
    cache: bool = True,
    soc: Sequence[str] = (),
    weights: str | Path | None = None,
    random_weights: bool = False,
    via: Sequence[str] = (),
    recipe: str | Path | None = None,
    max_drop: float | None = None,
    max_size: str | None = None,
) -> ModelBundle:
    """Convert a model and return its bundle: `bundle.artifact("digits.int8.tflite")(image)` answers an image.

    Args:
        source: a run folder, a `.pt2` or `.onnx` file, `timm:NAME`, `torchvision:NAME`, a folder in Hugging Face's
            form, `module:function`, a `torch.nn.Module` or an exported program.
        out: the bundle's folder; a bundle there is replaced when the new one is whole, anything else is left alone.
        to: formats by name or suffix; all by default.
        precision: all that each format can hold by default.
        spec: of anything but a run: a `ModelSpec`, a dictionary with the fields of `model.json`, or the file's path;
            libraries' own networks have one.
        calibration: some hundred images for anything but a run: a folder, paths, or arrays uint8 [H, W, 3] in RGB.
        cache: whether results of earlier conversions may be used, and these kept.
        soc: chips, such as SM8650, for whose NPUs `.tflite` artifacts are compiled ahead of time too.
        weights: a file for `module:function`, `timm:NAME` or `torchvision:NAME`: safetensors, or a state dict.
        random_weights: convert a library's network with weights that mean nothing.
        via: other ways to `.tflite` than this installation's: `onnx-tf`, `onnx2tf`, and `own` for that one too.
        recipe: the `recipe.json` of `mixed` artifacts; with the precision `auto` one is found.
        max_drop: points of the metric that such a recipe may lose, 0.5 where it is not given.
        max_size: the largest that a mixed file may be, as "2MB".

    Raises:
        UsageError: the request contradicts itself.
        PartialError: some artifacts could not be made; its `bundle` has the others.
        SamesightError: none could be made; a bundle that was there before is unchanged.
    """
    # A wrong request is answered before a network is exported.
    precision, mixing = read_wish(tuple(precision), Path(recipe) if recipe else None, max_drop, max_size)
    targets, chips = choose("model", to, precision, via), find_chips(soc)
    if chips:
        for_chips(targets, "model", chips)
    with tempfile.TemporaryDirectory(prefix="samesight-") as folder:
        opened = open_in_memory(source, spec, calibration, Path(folder), weights, random_weights)
        store = Cache(default_root()) if cache else None
        outcome = convert_source(opened, out, to, precision, cache=store, chips=chips, via=via, mixing=mixing)
    bundle = _callable(outcome.bundle)
    if outcome.failures:
        raise PartialError(bundle, outcome.failures)
    return bundle


def open_bundle(folder: str | Path) -> ModelBundle:
    """Open and check a bundle that was made before.

    Raises:
        SamesightError: not a bundle, or one that was changed.
    """
    return _callable(bundle_files.open_bundle(Path(folder)))


def verify(bundle: str | Path | Bundle, data: str | None = None) -> Verdicts:
    """Run every artifact of a bundle and judge it against the server model; writes the bundle's `parity.json`.

    Args:
        bundle: an opened bundle or its folder.
        data: labelled images to judge on, as `samesight verify --data` takes them; by default those that the model was
            tested on. Verdicts on other data are returned, not written.

    Raises:
        SamesightError: the bundle's golden cases or test data contradict it.
    """
    from samesight.conversion.parity.verify import verify_bundle

    opened = bundle if isinstance(bundle, Bundle) else bundle_files.open_bundle(Path(bundle))
    return verify_bundle(opened, data, cache=Cache(default_root()))


def _callable(bundle: Bundle) -> ModelBundle:
    return ModelBundle(bundle.folder, bundle.spec, bundle.manifest)
