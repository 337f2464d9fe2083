"""What `import conversion` offers, apart from it so that importing the package costs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.bundle import Bundle, open_bundle
from contract.errors import SamesightError
from conversion.cache import Cache, default_root
from conversion.workflow import convert_source

if TYPE_CHECKING:
    from conversion.model import Model


@dataclass(frozen=True)
class ModelBundle(Bundle):
    """A bundle whose artifacts can be called."""

    def artifact(self, name: str) -> "Model":
        """Load an artifact: called with an image (path, picture or RGB pixels), it answers as the server model does.

        Raises:
            SamesightError: no such artifact, or nothing here runs it.
        """
        from conversion.model import open_artifact

        return open_artifact(self, name)


class PartialError(SamesightError):
    """Some artifacts could not be made. `bundle` has the others, `failures` why, by name."""

    def __init__(self, bundle: ModelBundle, failures: dict[str, str]) -> None:
        """One sentence about all of them."""
        self.bundle, self.failures = bundle, failures
        super().__init__("; ".join(f"{name} could not be made: {reason}" for name, reason in failures.items()))


def convert_to_bundle(
    source: str | Path,
    out: str | Path,
    to: Sequence[str],
    precision: Sequence[str],
    spec: str | Path | None,
    calibration: str | Path | None,
    cache: bool,
) -> ModelBundle:
    """See `conversion.convert`."""
    outcome = convert_source(
        source,
        out,
        to,
        precision,
        Path(spec) if spec is not None else None,
        Path(calibration) if calibration is not None else None,
        Cache(default_root()) if cache else None,
    )
    bundle = _callable(outcome.bundle)
    if outcome.failures:
        raise PartialError(bundle, outcome.failures)
    return bundle


def open_model_bundle(folder: str | Path) -> ModelBundle:
    """See `conversion.open_bundle`."""
    return _callable(open_bundle(Path(folder)))


def _callable(bundle: Bundle) -> ModelBundle:
    return ModelBundle(bundle.folder, bundle.spec, bundle.manifest)
