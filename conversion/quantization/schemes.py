"""How a layer of a quantized program computes: the schemes, and which of them each format can hold.

| scheme | weights | activations | in |
|---|---|---|---|
| int8 | int8, a scale per output channel | int8, ranges from calibration | every quantized format |
| int16 | int8 | int16, symmetric | TFLite, all layers alike: the precision w8a16 |
| weights | int8 | float | TFLite, ONNX, Core ML |
| float | float | float | every quantized format |

An operator between layers (a sum, a concatenation) computes as the most precise layer that feeds it.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from samesight.contract.errors import SamesightError

Scheme = Literal["int8", "int16", "weights", "float"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
"""From the one that saves most to the most precise."""

ACTIVATIONS: dict[Scheme, int] = {"int8": 8, "int16": 16, "weights": 32, "float": 32}
"""Bits of each scheme's activations."""

WEIGHT_BYTES: dict[Scheme, int] = {"int8": 1, "int16": 1, "weights": 1, "float": 4}
"""Bytes of a weight in each scheme."""

HELD: dict[str, tuple[Scheme, ...]] = {
    "litert": ("int8", "weights", "float"),
    "onnx": ("int8", "weights", "float"),
    "executorch": ("int8", "float"),
    "coreml": ("int8", "weights", "float"),
}
"""By format: the schemes that it expresses among others, and its runtime computes.

litert_torch 0.10 drops the requantization between int8 and int16, or ends in an error of its own checks, so that no
format mixes these two.
"""


def held_by(formats: Iterable[str]) -> tuple[Scheme, ...]:
    """The schemes that all of these formats hold, by their names."""
    formats = tuple(formats)
    return tuple(scheme for scheme in SCHEMES if all(scheme in HELD[name] for name in formats))


def check_held(name: str, title: str, schemes: Mapping[str, Scheme]) -> None:
    """Check that a format holds all schemes of a program.

    Args:
        name: the format's, as in `FORMATS`.
        title: its name for people.
        schemes: by layer.

    Raises:
        SamesightError: naming the first layer that it cannot express.
    """
    for layer, scheme in schemes.items():
        if scheme not in HELD[name]:
            raise SamesightError(
                f"{title} has no {scheme!r} layers, and the recipe wants one of {layer}; "
                f"it holds {', '.join(HELD[name])}"
            )
