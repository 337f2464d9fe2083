"""Networks by name: `timm:NAME` and `torchvision:NAME`, with the library's own preprocessing as their spec."""

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from pydantic import ValidationError

from samesight.contract.documents import first_problem
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.spec import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# The module of each library's names; what stands before the colon of a source.
LIBRARIES = {
    "timm": "samesight.conversion.sources.timm_models",
    "torchvision": "samesight.conversion.sources.torchvision_models",
}
LONGEST_NAME = 64
RANDOM = "-random"


@dataclass(frozen=True)
class Wishes:
    """What a person wants otherwise than the library has it.

    Attributes:
        size: width and height of the input in pixels.
        labels: of the classes; they also say how many there are.
        state: the weights that the network is to get, whose last layer says how many classes there are.
    """

    size: tuple[int, int] | None = None
    labels: Sequence[str] | None = None
    state: "dict[str, Tensor] | None" = None


class Library(Protocol):
    """A module of `LIBRARIES`."""

    def propose(self, name: str, wishes: Wishes) -> ModelSpec:
        """The spec of the network of this name; UsageError for a name that the library does not have."""

    def build(self, name: str, spec: ModelSpec, weights: Path | None, random: bool) -> "Module":
        """The network with the weights of a file, random ones, or else the published ones.

        Its outputs are those that the spec names.

        Raises:
            SamesightError: the weights cannot be had, or the network cannot have the spec's classes or size.
        """


def library_of(source: str) -> tuple[Library, str]:
    """The library of a source `timm:NAME`, and the name."""
    library, _, name = source.partition(":")
    return cast(Library, importlib.import_module(LIBRARIES[library])), name


def is_named(source: str) -> bool:
    """Whether a source is `LIBRARY:NAME`."""
    library, colon, _ = source.partition(":")
    return bool(colon) and library in LIBRARIES


def propose_spec(source: str, weights: Path | None, wishes: Wishes, random: bool) -> ModelSpec:
    """The library's spec of a source `timm:NAME`; a network with random weights says so in its name.

    Raises:
        UsageError: the library has no network of this name, or none for a task of ours.
        SamesightError: the weights cannot be read.
    """
    from samesight.conversion.sources.weights import read_weights

    library, name = library_of(source)
    state = read_weights(weights) if weights else None
    try:
        spec = library.propose(name, Wishes(wishes.size, wishes.labels, state))
    except ValidationError as error:
        raise UsageError(f"{source}: no spec has these wishes ({first_problem(error)})") from None
    return spec.model_copy(update={"name": random_name(spec.name)}) if random else spec


def spec_name(name: str) -> str:
    """A network's name as `model.json` may have it."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:LONGEST_NAME]
    return plain or "model"


def random_name(name: str) -> str:
    """The name of a network whose answers mean nothing."""
    return name[: LONGEST_NAME - len(RANDOM)].removesuffix(RANDOM) + RANDOM


def unknown_name(library: str, name: str, known: Sequence[str]) -> UsageError:
    """The sentence for a name that a library does not have, with the nearest ones."""
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(f'{library}:{one}' for one in close)}?" if close else f"see {library}'s list"
    return UsageError(f"{library}:{name}: {library} has no network of this name for images; {hint}")


def no_weights(source: str, reason: str) -> SamesightError:
    """The sentence for published weights that cannot be had."""
    return SamesightError(
        f"{source}: its published weights cannot be had ({reason}); connect to the internet, give --weights FILE, or "
        "--random-weights to convert it with weights that mean nothing"
    )
