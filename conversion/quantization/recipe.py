"""recipe.json: how each layer of one network computes in its `mixed` artifacts. Free of torch.

`samesight convert --precision auto` writes it; edited or not, `--recipe FILE` takes it again. `layers` alone decides;
`found` says what the search measured.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from samesight.contract.documents import Document, Strict, read_document
from samesight.conversion.quantization.schemes import Scheme

FILE = "recipe.json"
NAMED = 5
"""Layers of a scheme that are named."""


class FoundLayer(Strict):
    """What a search found of one layer.

    Attributes:
        scheme: that it chose.
        weights: how many it has.
        alone_db: the outputs' signal-to-noise ratio when this layer alone is int8; None where nothing differs, or
            plain int8 met the budget, so that no layer was tried alone.
    """

    scheme: Scheme
    weights: int
    alone_db: float | None = None


class Found(Strict):
    """What a search measured of its recipe.

    Attributes:
        images: how many images of the validation part, or of the calibration images where there is no such part.
        metric_name: the task metric; None without labelled images.
        server: the metric of the float network on these images, 0..1.
        drop: how much less of it the recipe's program reaches.
        agreement: share of answers that are the float network's.
        snr_db: the least signal-to-noise ratio of an output; None where none differs.
        weight_bytes: what the weights take.
        layers: of every layer by name; empty in a recipe that was found before layers were told.
    """

    images: int
    metric_name: str | None = None
    server: float | None = None
    drop: float | None = None
    agreement: float | None = None
    snr_db: float | None = None
    weight_bytes: int
    layers: dict[str, FoundLayer] = Field(default_factory=dict)


class Recipe(Document):
    """The schemes of one network's layers.

    Attributes:
        model: the name of the model that it was made for.
        network: fingerprint of the network's layers (`fingerprint_of`).
        layers: the scheme of every layer by name, in the order of execution.
        max_drop: points of the metric that the search was allowed to lose; None for a recipe written by hand.
        found: what the search measured.
    """

    schema_version: Literal[1] = 1
    model: str
    network: str
    layers: dict[str, Scheme] = Field(min_length=1)
    max_drop: float | None = None
    found: Found | None = None

    @property
    def edited(self) -> bool:
        """Whether a layer has another scheme than the one that a search chose."""
        found = self.found.layers if self.found else {}
        return any(name in found and found[name].scheme != scheme for name, scheme in self.layers.items())

    @property
    def words(self) -> str:
        """How many layers have each scheme, and the first of those that are not int8: `17 int8, 1 float (head)`."""
        named: dict[Scheme, list[str]] = {}
        for name, scheme in self.layers.items():
            named.setdefault(scheme, []).append(name)
        parts = [f"{len(named.pop('int8'))} int8"] if "int8" in named else []
        for scheme, names in named.items():
            shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
            parts.append(f"{len(names)} {scheme} ({shown})")
        return ", ".join(parts)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        SamesightError: it cannot be read, is damaged or of another version.
    """
    return read_document(Recipe, path)


def find_recipe(bundle: Path) -> Recipe | None:
    """A bundle's recipe; None where it has none.

    Raises:
        SamesightError: it is damaged.
    """
    return read_recipe(bundle / FILE) if (bundle / FILE).exists() else None
