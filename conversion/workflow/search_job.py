"""What a worker is told of a search for a recipe. Free of torch, as the other parts of a job are."""

from samesight.contract.documents import Strict
from samesight.conversion.quantization.schemes import Scheme


class SearchJob(Strict):
    """A search.

    Attributes:
        output: the folder for the recipe.
        schemes: those that a layer may have.
        max_drop: points (0..100) that the metric may lose.
        max_bytes: of a file; None for any number.
        source: where the validation images come from; None for none.
        seed: of their split.
        skip_damaged: leave out those that cannot be read.
    """

    output: str
    schemes: tuple[Scheme, ...]
    max_drop: float
    max_bytes: int | None
    source: str | None
    seed: int = 0
    skip_damaged: bool = False
