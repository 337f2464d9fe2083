"""The report's picture of a mixed artifact's recipe: how each layer computes."""

from dataclasses import dataclass

from samesight.conversion.quantization.recipe import Found, Recipe
from samesight.conversion.quantization.schemes import SCHEMES, Scheme
from samesight.conversion.report.text import percent, plural, signed

WORDS: dict[Scheme, str] = {
    "int8": "weights and activations in 8 bits",
    "int16": "weights in 8 bits, activations in 16",
    "weights": "weights in 8 bits, activations in float",
    "float": "weights and activations in float",
}


@dataclass(frozen=True)
class SchemeRow:
    """One scheme: what it means, and the layers that have it; `rest` where they are all that no other row names."""

    scheme: Scheme
    words: str
    layers: tuple[str, ...]
    rest: bool


@dataclass(frozen=True)
class RecipePicture:
    """The layers with their schemes in the order of execution, a row per scheme, and what the search measured."""

    layers: tuple[tuple[str, Scheme], ...]
    rows: tuple[SchemeRow, ...]
    told: str


def make_recipe_picture(recipe: Recipe | None) -> RecipePicture | None:
    """What the page shows of a recipe; None where there is none."""
    if recipe is None:
        return None
    named = {scheme: tuple(name for name, of in recipe.layers.items() if of == scheme) for scheme in SCHEMES}
    most = max(SCHEMES, key=lambda scheme: len(named[scheme]))
    rows = tuple(
        SchemeRow(scheme, WORDS[scheme], names, scheme == most and len(names) < len(recipe.layers))
        for scheme, names in named.items()
        if names
    )
    return RecipePicture(tuple(recipe.layers.items()), rows, _told(recipe.found, recipe.max_drop))


def _told(found: Found | None, most: float | None) -> str:
    if found is None:
        return "It was given by hand; nothing was measured of it."
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
