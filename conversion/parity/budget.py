"""Whether `mixed` artifacts keep on the test images what their recipe was allowed to lose on the validation images."""

from samesight.contract.bundle import Bundle
from samesight.contract.verdicts import Verdicts
from samesight.conversion.quantization.recipe import FILE, find_recipe
from samesight.conversion.workflow.mixing import MIXED


def budget_told(bundle: Bundle, verdicts: Verdicts) -> tuple[list[str], list[str]]:
    """What a search found, and which mixed artifacts lose more on the test images than was allowed; a sentence each.

    Raises:
        SamesightError: `recipe.json` is damaged.
    """
    recipe = find_recipe(bundle.folder)
    if recipe is None:
        return [], []
    found, most = recipe.found, recipe.max_drop
    told = f"{FILE}: {recipe.words}"
    if found is not None and found.drop is not None:
        told += f"; {100 * found.drop:+.2f} points of {found.metric_name} lost on {found.images} validation images"
    missed = [
        f"{verdict.name} loses {100 * verdict.metric.drop:.2f} points on the test images, more than the {most:g} of "
        f"--max-drop, which its recipe kept on the validation images; allow that much, or search with a lower one"
        for verdict in verdicts.artifacts
        if verdict.precision == MIXED and most is not None and verdict.metric and 100 * verdict.metric.drop > most
    ]
    return [told], missed
