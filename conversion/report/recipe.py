"""The report's picture of a mixed artifact's recipe: how each layer computes."""

from collections.abc import Mapping
from dataclasses import dataclass

from samesight.conversion.quantization.recipe import FoundLayer, Recipe
from samesight.conversion.quantization.schemes import SCHEMES, WEIGHT_BYTES, Scheme
from samesight.conversion.report.text import percent, plural, signed

WORDS: dict[Scheme, str] = {
    "int8": "weights and activations in 8 bits",
    "int16": "weights in 8 bits, activations in 16",
    "weights": "weights in 8 bits, activations in float",
    "float": "weights and activations in float",
}

# Of a layer's box, in pixels: where its bytes are not known, and of the smallest and the largest.
WIDTH, NARROWEST, WIDEST = 18, 6, 120


@dataclass(frozen=True)
class SchemeRow:
    """One scheme: what it means, and the layers that have it; `rest` where they are all that no other row names.

    `weight_bytes` is what their weights take, empty where that is not known.
    """

    scheme: Scheme
    words: str
    layers: tuple[str, ...]
    rest: bool
    weight_bytes: str


@dataclass(frozen=True)
class LayerBox:
    """One layer of the picture: its width in pixels, and what is said when one points at it."""

    scheme: Scheme
    width: int
    title: str


@dataclass(frozen=True)
class RecipePicture:
    """The layers in the order of execution, a row per scheme, and what the search measured.

    `weighed`: the boxes are as wide as the layers' weights are large. `tried_alone`: rows say what layers do alone.
    """

    layers: tuple[LayerBox, ...]
    rows: tuple[SchemeRow, ...]
    told: str
    weighed: bool
    tried_alone: bool


def make_recipe_picture(recipe: Recipe | None) -> RecipePicture | None:
    """What the page shows of a recipe; None where there is none."""
    if recipe is None:
        return None
    found = recipe.found.layers if recipe.found and recipe.found.layers.keys() == recipe.layers.keys() else {}
    named = {scheme: tuple(name for name, of in recipe.layers.items() if of == scheme) for scheme in SCHEMES}
    most = max(SCHEMES, key=lambda scheme: len(named[scheme]))
    rows = tuple(
        SchemeRow(
            scheme,
            WORDS[scheme],
            tuple(_named(name, found) for name in names),
            scheme == most and len(names) < len(recipe.layers),
            f"{sum(found[name].weights for name in names) * WEIGHT_BYTES[scheme]:,}" if found else "",
        )
        for scheme, names in named.items()
        if names
    )
    sizes = {name: each.weights * WEIGHT_BYTES[recipe.layers[name]] for name, each in found.items()}
    largest = max(sizes.values(), default=1)
    boxes = tuple(
        _weighed(name, scheme, sizes[name], largest, found[name].alone_db)
        if found
        else LayerBox(scheme, WIDTH, f"{name}: {scheme}")
        for name, scheme in recipe.layers.items()
    )
    tried_alone = any(each.alone_db is not None for each in found.values())
    return RecipePicture(boxes, rows, _told(recipe), bool(found), tried_alone)


def _named(name: str, found: Mapping[str, FoundLayer]) -> str:
    decibels = found[name].alone_db if found else None
    return name if decibels is None else f"{name} ({decibels:.1f} dB)"


def _weighed(name: str, scheme: Scheme, size: int, largest: int, decibels: float | None) -> LayerBox:
    alone = "" if decibels is None else f", {decibels:.1f} dB when it alone is int8"
    width = max(NARROWEST, round(WIDEST * size / largest))
    return LayerBox(scheme, width, f"{name}: {scheme}, {size:,} bytes{alone}")


def _told(recipe: Recipe) -> str:
    found, most = recipe.found, recipe.max_drop
    if found is None:
        return "It was given by hand; nothing was measured of it."
    if recipe.edited:
        return "A search found it, and it was edited since; nothing was measured of it as it is."
    parts = []
    if found.drop is not None:
        parts.append(f"{signed(100 * found.drop)} points of {found.metric_name} lost")
    if found.agreement is not None:
        parts.append(f"answers agree on {percent(found.agreement)}")
    if found.snr_db is not None:
        parts.append(f"{found.snr_db:.1f} dB at the noisiest output")
    allowed = "" if most is None else f" that may lose {most:g} points"
    measured = f" On {plural(found.images, 'image')}: {', '.join(parts)}." if parts else ""
    return f"A search{allowed} found it; its weights take {found.weight_bytes:,} bytes.{measured}"
